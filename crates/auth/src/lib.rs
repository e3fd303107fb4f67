#![doc = include_str!("../README.md")]

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
