//! How agents come, are looked after, and go.

use std::collections::BTreeMap;

use astranetmon_auth::{
    AgentTokenHash, EnrolmentHash, EnrolmentRecord, Ingest, ManageAccount, NewEnrolment, ReadAccount, Scope, TokenHint,
};
use astranetmon_domain::{
    AccountId, AccountName, AgentFacts, AgentId, EnrolmentId, HealthReport, Heartbeat, Timestamp,
};
use async_trait::async_trait;

use super::Result;

/// An agent that wants to be enrolled.
#[derive(Clone, Debug)]
pub struct EnrolRequest {
    /// The id that it asks for; without one it gets one from its hostname ([`AgentId::candidates`]).
    pub asked_id: Option<AgentId>,
    /// What it says of its host.
    pub facts: AgentFacts,
    /// The address that it comes from, as the server sees it.
    pub public_ip: Option<String>,
    /// Of the token that it is to get.
    pub token_hash: AgentTokenHash,
    /// Of the token that it is to get.
    pub token_hint: TokenHint,
}

/// What became of an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// There is such an agent, and its token is the one that was handed in.
    Agent {
        /// The agent's account.
        account_id: AccountId,
        /// The account's name.
        account_name: AccountName,
        /// The agent.
        agent_id: AgentId,
    },
    /// The enrolment token is unknown, expired, used up or revoked.
    Refused,
    /// The asked id, or that of the enrolment, has an agent already, or one whose data is still going. The token was
    /// not used.
    Taken,
}

/// Tokens that enrol agents, and their exchange.
#[async_trait]
pub trait EnrolmentRepository: Send + Sync {
    /// The account's enrolment tokens, dead ones too, newest first, at most [`EnrolmentRecord::MAX_LISTED`].
    async fn enrolment_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<EnrolmentRecord>>;

    /// Keeps a new enrolment token. Audited.
    ///
    /// # Errors
    /// [`StorageError::TooMany`](crate::StorageError::TooMany) with [`EnrolmentRecord::MAX_LIVE_PER_ACCOUNT`] live ones.
    async fn enrolment_create(
        &self,
        scope: &Scope<ManageAccount>,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<EnrolmentRecord>;

    /// Ends an enrolment token; agents that came by it stay. Whether there was such a token in the account that had not
    /// been revoked. Audited.
    async fn enrolment_revoke(&self, scope: &Scope<ManageAccount>, id: EnrolmentId, now: Timestamp) -> Result<bool>;

    /// Exchanges the enrolment token of that hash for the agent token of the request: adds the agent, or, if the
    /// enrolment names one that is there, takes its facts anew, adds the enrolment's labels to its own, and replaces its
    /// token. One transaction, however many come at once with the same token. Audited.
    async fn agent_enroll(&self, hash: &EnrolmentHash, request: &EnrolRequest, now: Timestamp) -> Result<Enrolled>;
}

/// What a person changes of an agent; `None` leaves it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentEdit {
    /// An alias, or none. Cleaned, and cut at 100 characters.
    pub name: Option<Option<String>>,
    /// All labels, which replace those that were there; checked by [`check_labels`](astranetmon_domain::check_labels).
    pub labels: Option<BTreeMap<String, String>>,
}

/// An agent's token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTokenRecord {
    /// First characters of its random part.
    pub hint: TokenHint,
    /// When the agent was enrolled, for the last time.
    pub created_at: Timestamp,
    /// Last use, at most a minute old.
    pub last_used_at: Option<Timestamp>,
}

/// How an agent itself is.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentHealth {
    /// The agent.
    pub agent_id: AgentId,
    /// Its token; `None` if it was never enrolled.
    pub token: Option<AgentTokenRecord>,
    /// Its last heartbeat; `None` if there was none.
    pub report: Option<HealthReport>,
}

/// Looking after agents.
#[async_trait]
pub trait AgentAdministration: Send + Sync {
    /// Changes what a person gave an agent; whether it is there. Audited.
    async fn agent_edit(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        edit: &AgentEdit,
        now: Timestamp,
    ) -> Result<bool>;

    /// Switches an agent off or on; whether it is there. While it is off its token is nobody's and nothing is taken
    /// from it. A change is audited.
    async fn agent_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool>;

    /// Deletes an agent with its token, health and alert states; whether it was there. Its data goes later, in steps;
    /// until it is gone nobody can have its id. Audited.
    async fn agent_delete(&self, scope: &Scope<ManageAccount>, id: &AgentId, now: Timestamp) -> Result<bool>;

    /// Takes what an agent says of its host and of itself, and marks it as seen.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) if the agent is gone or disabled, or is not the scope's.
    async fn agent_heartbeat(&self, scope: &Scope<Ingest>, heartbeat: &Heartbeat, now: Timestamp) -> Result<()>;

    /// How each agent of the account is, by id.
    async fn agent_health(&self, scope: &Scope<ReadAccount>) -> Result<Vec<AgentHealth>>;
}
