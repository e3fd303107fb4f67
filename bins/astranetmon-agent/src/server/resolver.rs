use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::configuration::{HINT, ServerUrl, is_private};

/// Names have only their private addresses: a token in the clear goes nowhere else, whatever a name resolves to today.
pub(super) struct PrivateOnly;

/// A name has no address that plain http may use.
#[derive(Debug, thiserror::Error)]
#[error("no private address, and plain http would take the token over public networks in the clear: {HINT}")]
pub(super) struct NotPrivate;

impl Resolve for PrivateOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = addresses(name.as_str().to_owned()).await?;
            let private: Vec<SocketAddr> = found.into_iter().filter(|address| is_private(address.ip())).collect();
            if private.is_empty() {
                return Err(NotPrivate.into());
            }
            Ok(Box::new(private.into_iter()) as Addrs)
        })
    }
}

/// Whether a URL leads to private addresses and to no others.
pub(crate) async fn has_only_private_addresses(url: &ServerUrl) -> bool {
    let found = addresses(url.host().to_owned()).await.unwrap_or_default();
    !found.is_empty() && found.iter().all(|address| is_private(address.ip()))
}

async fn addresses(host: String) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await?;
    found.map(Iterator::collect)
}
