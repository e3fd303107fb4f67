//! TLS: the certificate of the server, exchanged while it runs.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// How often the files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// A certificate and its key, read from PEM files again when asked to. New connections see the new one, open ones keep
/// theirs.
#[derive(Debug)]
pub struct ReloadingCertificate {
    certificate_path: PathBuf,
    key_path: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What a file's change is told by.
type Fingerprint = [Option<(SystemTime, u64)>; 2];

impl ReloadingCertificate {
    /// Reads both files.
    ///
    /// # Errors
    /// [`Failure::Usage`] for files that cannot be read, hold no certificate or key, or do not fit each other.
    pub fn load(certificate_path: &Path, key_path: &Path) -> Result<Arc<Self>, Failure> {
        let provider = Arc::new(ring::default_provider());
        let current = read(certificate_path, key_path, &provider)?;
        Ok(Arc::new(Self {
            certificate_path: certificate_path.to_owned(),
            key_path: key_path.to_owned(),
            provider,
            current: RwLock::new(Arc::new(current)),
        }))
    }

    /// Reads both files again. After an error the certificate stays as it was.
    ///
    /// # Errors
    /// Those of [`ReloadingCertificate::load`].
    pub fn reload(&self) -> Result<(), Failure> {
        let fresh = Arc::new(read(&self.certificate_path, &self.key_path, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// TLS 1.2 and 1.3 with whatever certificate is current; HTTP/1.1 only.
    ///
    /// # Errors
    /// A library without these versions.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, Failure> {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| Failure::caused("TLS cannot be set up", &error))?;
        Ok(config.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>))
    }

    /// Reloads on SIGHUP and when a file has changed, for as long as the process runs.
    pub async fn watch(self: Arc<Self>) {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else {
            tracing::warn!("SIGHUP cannot be waited for: certificates are reloaded when their files change only");
            return self.watch_files().await;
        };
        let mut seen = self.fingerprint();
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        loop {
            tokio::select! {
                _ = hangups.recv() => {
                    seen = self.fingerprint();
                    self.reload_and_log();
                }
                _ = ticks.tick() => self.reload_if_changed(&mut seen),
            }
        }
    }

    async fn watch_files(&self) {
        let mut seen = self.fingerprint();
        let mut ticks = tokio::time::interval(WATCH_INTERVAL);
        loop {
            ticks.tick().await;
            self.reload_if_changed(&mut seen);
        }
    }

    fn reload_if_changed(&self, seen: &mut Fingerprint) {
        let found = self.fingerprint();
        if found != *seen {
            *seen = found;
            self.reload_and_log();
        }
    }

    fn reload_and_log(&self) {
        match self.reload() {
            Ok(()) => tracing::info!(certificate = %self.certificate_path.display(), "certificate reloaded"),
            // The two files are replaced one after the other: the next change brings the pair that fits.
            Err(error) => tracing::warn!(%error, "certificate not reloaded, the one before stays"),
        }
    }

    fn fingerprint(&self) -> Fingerprint {
        let of = |metadata: Metadata| Some((metadata.modified().ok()?, metadata.len()));
        [&self.certificate_path, &self.key_path].map(|path| std::fs::metadata(path).ok().and_then(of))
    }
}

impl ResolvesServerCert for ReloadingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate_path: &Path, key_path: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, Failure> {
    let unusable = |path: &Path, reason: &dyn std::fmt::Display| {
        Failure::usage(format!("{} cannot be used for TLS: {reason}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate_path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(certificate_path, &error))?;
    if chain.is_empty() {
        return Err(unusable(certificate_path, &"it holds no PEM certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| unusable(key_path, &error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| unusable(key_path, &error))
}
