//! The certificate changes under a TLS connection's feet, and nobody is cut off.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use astranetmon::tls::ReloadingCertificate;
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

fn certificate(name: &str, extension: &str) -> String {
    format!("{}/tests/certificates/{name}.{extension}", env!("CARGO_MANIFEST_DIR"))
}

fn put(name: &str, folder: &Path) {
    for extension in ["crt", "key"] {
        let target = folder.join(format!("server.{extension}"));
        fs::copy(certificate(name, extension), target).expect("copied");
    }
}

/// Whether a client that trusts only the certificate `trusted` shakes hands with the server.
fn accepted(
    server: &Arc<ReloadingCertificate>,
    trusted: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate(trusted, "crt")).expect("PEM")).expect("a root");
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("known")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client =
        ClientConnection::new(Arc::new(client), "localhost".try_into().expect("a name")).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server.server_config().expect("a config"))).expect("a server");
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("in memory");
        }
        if !wire.is_empty() {
            server.read_tls(&mut wire.as_slice()).expect("in memory");
            let _ = server.process_new_packets();
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("in memory");
        }
        if !wire.is_empty() {
            client.read_tls(&mut wire.as_slice()).expect("in memory");
            if client.process_new_packets().is_err() {
                return false;
            }
        }
    }
    !client.is_handshaking() && !server.is_handshaking()
}

#[test]
fn new_connections_see_the_reloaded_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    put("first", folder.path());
    let server = ReloadingCertificate::load(&folder.path().join("server.crt"), &folder.path().join("server.key"))
        .expect("a pair");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert!(accepted(&server, "first", version) && !accepted(&server, "second", version));
    }
    put("second", folder.path());
    assert!(accepted(&server, "first", &rustls::version::TLS13), "nothing changes before a reload");
    server.reload().expect("reloaded");
    assert!(
        accepted(&server, "second", &rustls::version::TLS13) && !accepted(&server, "first", &rustls::version::TLS13)
    );
}

#[test]
fn a_pair_that_does_not_fit_leaves_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder");
    put("first", folder.path());
    let (certificate_path, key_path) = (folder.path().join("server.crt"), folder.path().join("server.key"));
    let server = ReloadingCertificate::load(&certificate_path, &key_path).expect("a pair");
    fs::copy(certificate("second", "key"), &key_path).expect("copied");
    let refusal = server.reload().expect_err("they do not fit").to_string();
    assert!(refusal.contains("server.key cannot be used for TLS"), "{refusal}");
    fs::write(&certificate_path, "no certificate").expect("written");
    let refusal = server.reload().expect_err("nothing there").to_string();
    assert!(refusal.contains("server.crt cannot be used for TLS"), "{refusal}");
    assert!(accepted(&server, "first", &rustls::version::TLS13));
}
