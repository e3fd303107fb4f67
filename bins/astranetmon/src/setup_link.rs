//! How a service without people gets its first owner: a link, in a file that only the operator can read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use astranetmon_auth::{Operator, SetupToken};
use astranetmon_domain::Clock;
use astranetmon_storage::Storage;

use crate::configuration::{Database, Settings};
use crate::randomness::seeded_by_system;
use crate::{Failure, private_file};

const OPERATOR: Operator = Operator::new("set up");
/// How long a link may be used, in seconds; a restart writes a new one.
const VALID_FOR: i64 = 60 * 60;
const FILE: &str = "setup-link";

/// The file with the link; dropping it removes the file.
#[derive(Debug)]
pub(crate) struct SetupLink(PathBuf);

impl Drop for SetupLink {
    fn drop(&mut self) {
        if let Err(error) = private_file::remove(&self.0) {
            tracing::warn!(file = %self.0.display(), %error, "the set-up link cannot be removed");
        }
    }
}

/// Writes a link if nobody can sign in yet, and says where.
///
/// # Errors
/// A database that is away, a file that cannot be written.
pub(crate) async fn offer(
    storage: &dyn Storage,
    settings: &Settings,
    clock: &dyn Clock,
    addr: SocketAddr,
) -> Result<Option<SetupLink>, Failure> {
    let file = file(settings);
    if !storage.setup_is_open(&OPERATOR).await? {
        return Ok(None);
    }
    let Some(file) = file else {
        tracing::warn!(
            "nobody can sign in to the dashboard yet: use `astranetmon user create`, or set setup_link_file and restart"
        );
        return Ok(None);
    };
    let token = SetupToken::generate(&mut seeded_by_system()?);
    let ends_at = clock.now().plus_seconds(VALID_FOR);
    if !storage.setup_offer(&OPERATOR, &token.hash(), ends_at).await? {
        return Ok(None);
    }
    // Behind the #, which browsers send to nobody.
    let link = format!("{}/dashboard/set-up#{}\n", dashboard_url(settings, addr), token.reveal());
    private_file::write(&file, link.as_bytes())
        .map_err(|error| Failure::failed(format!("cannot write the set-up link to {}: {error}", file.display())))?;
    tracing::info!(
        file = %file.display(),
        until = %ends_at,
        "nobody can sign in to the dashboard yet: open the link in the file, or use `astranetmon user create`"
    );
    Ok(Some(SetupLink(file)))
}

/// Beside an embedded database; beside no other, unless it is set.
fn file(settings: &Settings) -> Option<PathBuf> {
    settings.setup_link_file.clone().or_else(|| match settings.database_url.database() {
        Database::Sqlite(path) => Some(path.parent().unwrap_or(Path::new("")).join(FILE)),
        Database::Postgres(_) => None,
    })
}

/// Where a browser on this machine, or anywhere if the operator has said where, reaches the dashboard.
fn dashboard_url(settings: &Settings, addr: SocketAddr) -> String {
    if let Some(url) = &settings.public_url {
        return url.to_string();
    }
    let scheme = if settings.tls.cert.is_some() { "https" } else { "http" };
    // Browsers keep secure cookies of this name over plain HTTP.
    let local = addr.ip().is_unspecified() || addr.ip().is_loopback();
    if local { format!("{scheme}://localhost:{}", addr.port()) } else { format!("{scheme}://{addr}") }
}
