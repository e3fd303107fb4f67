use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::StorageError;

/// Whose certificate is good enough.
pub(super) enum TlsTrust {
    /// Whoever answers: against eavesdroppers only.
    Anyone,
    /// Who the system's roots vouch for.
    System,
    /// Who the roots in this PEM file vouch for.
    File(PathBuf),
}

/// Encrypts connections.
#[derive(Clone)]
pub(super) struct TlsClient(MakeRustlsConnect);

impl TlsClient {
    pub(super) fn new(trust: &TlsTrust) -> Result<Self, StorageError> {
        let provider = Arc::new(ring::default_provider());
        let unusable = |reason: String| StorageError::Unusable { reason };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(format!("TLS cannot be set up: {error}")))?;
        let config = match trust {
            TlsTrust::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
                .with_no_client_auth(),
            TlsTrust::System => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if roots.is_empty() {
                    return Err(unusable("the system has no root certificates; name some with sslrootcert".to_owned()));
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
            TlsTrust::File(path) => {
                let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let certificates = certificates
                    .map_err(|error| unusable(format!("sslrootcert {} cannot be read: {error}", path.display())))?;
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(certificates);
                if roots.is_empty() {
                    return Err(unusable(format!("sslrootcert {} holds no certificate", path.display())));
                }
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        Ok(Self(MakeRustlsConnect::new(config)))
    }

    pub(super) fn connector(&self) -> MakeRustlsConnect {
        self.0.clone()
    }
}

/// Believes any certificate, as `sslmode=require` means it; signatures of the handshake are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
