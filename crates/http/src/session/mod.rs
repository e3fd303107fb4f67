//! People signed in to the dashboard: how they sign in, and how a request shows who sent it.

mod auth_scope;
mod cookie;
mod cross_site;
mod door;
mod secrets;
mod sign_in;
mod signed_in;
mod transport;

#[cfg(test)]
mod tests;

pub use auth_scope::auth;
pub use door::{Pages, open_scope, signed_in_scope};
pub use sign_in::{change_password, seeded_by_system};
pub use signed_in::SignedIn;

pub(crate) use cookie::{SentCookie, session_cookie_sent};
pub(crate) use cross_site::refuse_cross_site_read;
pub(crate) use secrets::SessionSecrets;
pub(crate) use signed_in::{find_session, pass_guard};
pub use transport::is_private;
