//! Who is calling, and what they may do.
//!
//! An API key is text in the form `astra_` + 30 base62 characters + 6 characters of checksum ([`ApiKey`]); storage
//! sees its SHA-256 only ([`KeyHash`]). [`Authenticator`] turns presented text into a [`Principal`], and a principal
//! turns into the [`Scope`] that a repository call demands, if and only if it holds the permission. There is no
//! other way to a scope but [`Scope::system`], which names its reason, and [`AgentPrincipal::ingest`]: an agent's token
//! ([`AgentToken`]), which an [`EnrolmentToken`] is exchanged for, writes for one agent and reads nothing.

mod agent_token;
mod api_key;
mod authenticate;
mod checked_secret;
mod enrolment;
mod password;
mod password_queue;
mod permission;
mod principal;
mod scope;
mod secret_hash;
mod session;
mod token;
mod webhook_secret;

pub use agent_token::{AgentPrincipal, AgentToken, AgentTokenLookup, EnrolmentToken, MalformedAgentToken, TokenHint};
pub use api_key::{ApiKey, KeyHint, MalformedKey};
pub use authenticate::{AuthError, Authenticator, KeyLookup, LookupError};
pub use enrolment::{EnrolmentRecord, EnrolmentState, NewEnrolment};
pub use password::{HashError, Password, PasswordHash, UnfitPassword};
pub use password_queue::{PasswordQueue, PasswordQueueError};
pub use permission::{Permission, PermissionSet, UnknownPermission};
pub use principal::{ApiKeyRecord, ApiKeyState, KeyPrincipal, NewApiKey, Principal, RoleTooLow, SessionPrincipal};
pub use scope::{
    Access, Actor, Forbidden, Ingest, ManageAccount, Operator, OwnKey, OwnUser, ReadAccount, ReadAgents, ReadAlerts,
    ReadMetrics, ReadPermission, ReadSpeedtests, ReadTraceroutes, Scope, SeeChanges,
};
pub use secret_hash::{AgentTokenHash, EnrolmentHash, KeyHash, SessionHash, SetupHash};
pub use session::{NewSession, SessionLookup, SessionRecord};
pub use token::{MalformedToken, SessionToken, SetupToken};
pub use webhook_secret::{MalformedWebhookSecret, WebhookSecret};
