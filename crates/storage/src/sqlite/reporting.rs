//! What is looked at before rows of agents are written.

use astranetmon_domain::{AccountId, AgentId, Timestamp};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::records::raise_data_version;
use super::{Result, SqliteStorage};
use crate::reporting::{Reporter, Reporting, gone};
use crate::rows::LAST_USE_STEP_MICROS;
use crate::schema::{agent, agent_removal, agent_token};

impl SqliteStorage {
    /// A write of rows of agents.
    pub(super) async fn append<T: Send + 'static>(
        &self,
        reporting: Reporting,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (account_id, marks_as_seen) = (reporting.account_id, reporting.marks_as_seen());
        let written = self.write(move |connection| {
            match &reporting.reporter {
                Reporter::Agent(id) => {
                    refuse_gone(connection, account_id, id)?;
                    note_report(connection, account_id, id, reporting.now)?;
                    raise_data_version(connection, account_id)?;
                }
                Reporter::Service(agents) => {
                    for id in agents {
                        refuse_removed(connection, account_id, id.as_str())?;
                    }
                }
            }
            work(connection)
        });
        let written = written.await;
        if marks_as_seen {
            self.agent_lists.changed(account_id);
        }
        written
    }
}

/// Refuses what comes from an agent that is not there any more, or disabled.
pub(super) fn refuse_gone(connection: &mut SqliteConnection, account_id: AccountId, id: &AgentId) -> Result<()> {
    let disabled_at: Option<Option<i64>> =
        agent::table.find((account_id.0, id.as_str())).select(agent::disabled_at).first(connection).optional()?;
    if disabled_at == Some(None) { Ok(()) } else { Err(gone()) }
}

/// Refuses what concerns a deleted agent whose data is still going.
pub(super) fn refuse_removed(connection: &mut SqliteConnection, account_id: AccountId, id: &str) -> Result<()> {
    if is_going(connection, account_id, id)? { Err(gone()) } else { Ok(()) }
}

/// Whether data of a deleted agent of that id is still going.
pub(super) fn is_going(connection: &mut SqliteConnection, account_id: AccountId, id: &str) -> Result<bool> {
    let requested_at: Option<i64> = agent_removal::table
        .find((account_id.0, id))
        .select(agent_removal::requested_at)
        .first(connection)
        .optional()?;
    Ok(requested_at.is_some())
}

/// Moves the agent's last report forward, and its token's last use.
pub(super) fn note_report(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    id: &AgentId,
    seen_at: Timestamp,
) -> Result<()> {
    let seen_at = seen_at.as_micros();
    let behind = agent::table
        .filter(agent::account_id.eq(account_id.0))
        .filter(agent::id.eq(id.as_str()))
        .filter(agent::last_seen_at.is_null().or(agent::last_seen_at.lt(seen_at)));
    diesel::update(behind).set(agent::last_seen_at.eq(seen_at)).execute(connection)?;
    let behind = agent_token::last_used_at.is_null().or(agent_token::last_used_at.le(seen_at - LAST_USE_STEP_MICROS));
    let unused = agent_token::table
        .filter(agent_token::account_id.eq(account_id.0))
        .filter(agent_token::agent_id.eq(id.as_str()))
        .filter(behind);
    diesel::update(unused).set(agent_token::last_used_at.eq(seen_at)).execute(connection)?;
    Ok(())
}
