//! What is looked at before rows of agents are written, under the account's lock.

use std::collections::BTreeSet;

use astranetmon_domain::{AccountId, AgentId, Timestamp};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use crate::reporting::{Reporter, Reporting, gone};
use crate::rows::LAST_USE_STEP_MICROS;
use crate::schema::{agent, agent_removal, agent_token};

type Result<T> = std::result::Result<T, Failure>;

/// Refuses an append that may not be, and marks an agent that reports as seen.
pub(super) async fn admit(connection: &mut AsyncPgConnection, reporting: &Reporting) -> Result<()> {
    match &reporting.reporter {
        Reporter::Agent(id) => {
            refuse_gone(connection, reporting.account_id, id).await?;
            note_report(connection, reporting.account_id, id, reporting.now).await
        }
        Reporter::Service(agents) => refuse_removed(connection, reporting.account_id, agents).await,
    }
}

/// Refuses what comes from an agent that is not there any more, or disabled.
pub(super) async fn refuse_gone(connection: &mut AsyncPgConnection, account_id: AccountId, id: &AgentId) -> Result<()> {
    let disabled_at: Option<Option<i64>> = agent::table
        .filter(agent::account_id.eq(account_id.0))
        .filter(agent::id.eq(id.as_str()))
        .select(agent::disabled_at)
        .first(connection)
        .await
        .optional()?;
    if disabled_at == Some(None) { Ok(()) } else { Err(gone().into()) }
}

/// Refuses what concerns a deleted agent whose data is still going.
pub(super) async fn refuse_removed(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    agents: &BTreeSet<AgentId>,
) -> Result<()> {
    let ids: Vec<&str> = agents.iter().map(AgentId::as_str).collect();
    let going: Option<i64> = agent_removal::table
        .filter(agent_removal::account_id.eq(account_id.0))
        .filter(agent_removal::agent_id.eq_any(ids))
        .select(agent_removal::requested_at)
        .first(connection)
        .await
        .optional()?;
    if going.is_none() { Ok(()) } else { Err(gone().into()) }
}

/// Moves the agent's last report forward, and its token's last use.
pub(super) async fn note_report(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: &AgentId,
    seen_at: Timestamp,
) -> Result<()> {
    let seen_at = seen_at.as_micros();
    let behind = agent::table
        .filter(agent::account_id.eq(account_id.0))
        .filter(agent::id.eq(id.as_str()))
        .filter(agent::last_seen_at.is_null().or(agent::last_seen_at.lt(seen_at)));
    diesel::update(behind).set(agent::last_seen_at.eq(seen_at)).execute(connection).await?;
    let behind = agent_token::last_used_at.is_null().or(agent_token::last_used_at.le(seen_at - LAST_USE_STEP_MICROS));
    let unused = agent_token::table
        .filter(agent_token::account_id.eq(account_id.0))
        .filter(agent_token::agent_id.eq(id.as_str()))
        .filter(behind);
    diesel::update(unused).set(agent_token::last_used_at.eq(seen_at)).execute(connection).await?;
    Ok(())
}
