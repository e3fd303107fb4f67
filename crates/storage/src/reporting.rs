use std::collections::BTreeSet;

use astranetmon_auth::{Ingest, Scope};
use astranetmon_domain::{AccountId, AgentId, Timestamp};

use crate::StorageError;

/// Whose rows an append brings: what is to be looked at before it writes, in the same transaction.
pub(crate) struct Reporting {
    pub(crate) account_id: AccountId,
    pub(crate) reporter: Reporter,
    pub(crate) now: Timestamp,
}

pub(crate) enum Reporter {
    /// The agent itself: it must be there, not disabled, and is seen.
    Agent(AgentId),
    /// The service, for these agents: none of them may be one whose data is going.
    Service(BTreeSet<AgentId>),
}

impl Reporting {
    /// Of rows of the agents of `rows`.
    ///
    /// # Errors
    /// [`StorageError::Missing`] if an agent brings rows of another.
    pub(crate) fn of<'a>(
        scope: &Scope<Ingest>,
        rows: impl Iterator<Item = &'a AgentId>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let reporter = match scope.agent_id() {
            Some(own) => {
                let mut rows = rows;
                if rows.any(|agent_id| agent_id != own) {
                    return Err(gone());
                }
                Reporter::Agent(own.clone())
            }
            None => {
                let mut agents = BTreeSet::new();
                let mut last = None;
                for agent_id in rows {
                    if last != Some(agent_id) {
                        agents.insert(agent_id.clone());
                        last = Some(agent_id);
                    }
                }
                Reporter::Service(agents)
            }
        };
        Ok(Self { account_id: scope.account_id(), reporter, now })
    }

    /// Whether the list of agents changes with it.
    pub(crate) const fn marks_as_seen(&self) -> bool {
        matches!(self.reporter, Reporter::Agent(_))
    }
}

/// The agent is gone, or disabled, or another's.
pub(crate) const fn gone() -> StorageError {
    StorageError::Missing { what: "agent" }
}
