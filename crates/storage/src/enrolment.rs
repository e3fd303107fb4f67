//! What both back ends decide alike when an enrolment token is exchanged.

use std::collections::HashSet;

use astranetmon_auth::{AgentPrincipal, EnrolmentRecord};
use astranetmon_domain::{AccountId, AgentId};

use crate::StorageError;
use crate::repository::{EnrolRequest, Enrolled};

/// An exchange of a live enrolment token.
pub(crate) struct Exchange<'a> {
    enrolment: &'a EnrolmentRecord,
    request: &'a EnrolRequest,
}

impl<'a> Exchange<'a> {
    pub(crate) const fn of(enrolment: &'a EnrolmentRecord, request: &'a EnrolRequest) -> Self {
        Self { enrolment, request }
    }

    /// The id that it must be, if any: the enrolment's own, else the asked one.
    pub(crate) fn wished_id(&self) -> Option<&AgentId> {
        self.enrolment.terms.agent_id().or(self.request.asked_id.as_ref())
    }

    /// Whether an agent that is there may get a new token by it.
    pub(crate) const fn may_replace(&self) -> bool {
        self.enrolment.terms.agent_id().is_some()
    }

    /// From the first on and before the second lie all ids that the host could get by its name, and others.
    pub(crate) fn id_range(&self) -> (String, String) {
        let stem = AgentId::stem(&self.request.facts.hostname);
        // '.' comes next after '-' in the order of bytes.
        let behind = format!("{stem}.");
        (stem, behind)
    }

    /// The best id by the host's name that is not taken.
    pub(crate) fn free_id(&self, taken: &HashSet<String>) -> Result<AgentId, StorageError> {
        let free = AgentId::candidates(&self.request.facts.hostname).find(|id| !taken.contains(id.as_str()));
        free.ok_or(StorageError::Internal { context: "a free agent id", source: None })
    }

    pub(crate) fn enrolled(
        &self,
        account_id: AccountId,
        account_name: &str,
        agent_id: AgentId,
    ) -> Result<Enrolled, StorageError> {
        let account_name =
            account_name.parse().map_err(|_| StorageError::Internal { context: "an account's name", source: None })?;
        Ok(Enrolled::Agent { account_id, account_name, agent_id })
    }
}

/// Of a stored account and agent id.
pub(crate) fn principal((account_id, agent_id): (i64, String)) -> Result<AgentPrincipal, StorageError> {
    let agent_id =
        AgentId::parse(&agent_id).map_err(|_| StorageError::Internal { context: "a token's agent", source: None })?;
    Ok(AgentPrincipal { account_id: AccountId(account_id), agent_id })
}
