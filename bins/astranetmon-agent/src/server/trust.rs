use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::Failure;
use crate::configuration::{ServerUrl, TlsSettings};

/// Whom to trust: the system's certificates and those of the configured file. None at all for plain http, since they
/// would only take memory.
pub(crate) fn tls(url: &ServerUrl, settings: &TlsSettings) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if url.is_encrypted() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &settings.ca_file {
            let shown = path.display();
            let unreadable = |error| Failure::usage(format!("tls.ca_file {shown} cannot be read as PEM: {error}"));
            let mut count = 0;
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                roots.add(certificate.map_err(unreadable)?).map_err(|error| {
                    Failure::usage(format!("tls.ca_file {shown} has a certificate that cannot be trusted: {error}"))
                })?;
                count += 1;
            }
            if count == 0 {
                return Err(Failure::usage(format!("tls.ca_file {shown} has no certificate in it")));
            }
        }
        if roots.is_empty() {
            return Err(Failure::failed(
                "this system has no certificates to trust: install ca-certificates, or set tls.ca_file",
            ));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::caused("TLS cannot be spoken", &error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
