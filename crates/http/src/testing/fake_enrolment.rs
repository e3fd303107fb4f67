//! Agents that report; how they come and are looked after is not in the storage of plain lists.

use astranetmon_auth::{
    AgentPrincipal, AgentTokenHash, AgentTokenLookup, EnrolmentHash, EnrolmentRecord, Ingest, LookupError,
    ManageAccount, NewEnrolment, ReadAccount, Scope,
};
use astranetmon_domain::{AgentId, EnrolmentId, Heartbeat, Timestamp};
use astranetmon_storage::{
    AgentAdministration, AgentEdit, AgentHealth, EnrolRequest, Enrolled, EnrolmentRepository, StorageError,
};
use async_trait::async_trait;

use super::fake_storage::{FakeStorage, absent};

type Result<T> = std::result::Result<T, StorageError>;

#[async_trait]
impl AgentTokenLookup for FakeStorage {
    async fn agent_token_find(
        &self,
        hash: &AgentTokenHash,
    ) -> std::result::Result<Option<AgentPrincipal>, LookupError> {
        self.ready().map_err(|error| LookupError(Box::new(error)))?;
        Ok(self.agent_tokens.lock().expect("not poisoned").get(hash.as_bytes()).cloned())
    }
}

#[async_trait]
impl EnrolmentRepository for FakeStorage {
    async fn enrolment_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<EnrolmentRecord>> {
        absent()
    }
    async fn enrolment_create(
        &self,
        _: &Scope<ManageAccount>,
        _: &NewEnrolment,
        _: Timestamp,
    ) -> Result<EnrolmentRecord> {
        absent()
    }
    async fn enrolment_revoke(&self, _: &Scope<ManageAccount>, _: EnrolmentId, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn agent_enroll(&self, _: &EnrolmentHash, _: &EnrolRequest, _: Timestamp) -> Result<Enrolled> {
        absent()
    }
}

#[async_trait]
impl AgentAdministration for FakeStorage {
    async fn agent_edit(&self, _: &Scope<ManageAccount>, _: &AgentId, _: &AgentEdit, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn agent_set_disabled(&self, _: &Scope<ManageAccount>, _: &AgentId, _: bool, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn agent_delete(&self, _: &Scope<ManageAccount>, _: &AgentId, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn agent_heartbeat(&self, scope: &Scope<Ingest>, heartbeat: &Heartbeat, _: Timestamp) -> Result<()> {
        self.ready()?;
        self.heartbeats.lock().expect("not poisoned").push((scope.account_id(), heartbeat.clone()));
        Ok(())
    }
    async fn agent_health(&self, _: &Scope<ReadAccount>) -> Result<Vec<AgentHealth>> {
        absent()
    }
}
