use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, AgentId, Heartbeat, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::record_audit;
use super::append::{lock_account, touch_account};
use super::failure::Failure;
use super::reporting::{note_report, refuse_gone};
use super::{PostgresStorage, Result};
use crate::queries::agent_health_query;
use crate::reporting::gone;
use crate::repository::{AgentAdministration, AgentEdit, AgentHealth};
use crate::rows::{AgentEditChange, AgentHealthRow, AgentRow, AuditRow, HealthRow, into_health};
use crate::schema::{agent, agent_health, agent_removal, agent_token, alert_state};

#[async_trait]
impl AgentAdministration for PostgresStorage {
    async fn agent_edit(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        edit: &AgentEdit,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(change) = AgentEditChange::of(edit) else { return self.agent_is_there(scope.account_id(), id).await };
        self.change_agent(scope, id, Change::Edit(change), now).await
    }

    async fn agent_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let changed = self.change_agent(scope, id, Change::Disabled(disabled), now);
        // One that is as it should be is there, too.
        Ok(changed.await? || self.agent_is_there(scope.account_id(), id).await?)
    }

    async fn agent_delete(&self, scope: &Scope<ManageAccount>, id: &AgentId, now: Timestamp) -> Result<bool> {
        self.change_agent(scope, id, Change::Delete, now).await
    }

    async fn agent_heartbeat(&self, scope: &Scope<Ingest>, heartbeat: &Heartbeat, now: Timestamp) -> Result<()> {
        let (account_id, id) = (scope.account_id(), &heartbeat.agent_id);
        if scope.agent_id().is_some_and(|own| own != id) {
            return Err(gone());
        }
        let facts = AgentRow::reported(account_id, heartbeat, now);
        let health = HealthRow::new(account_id, heartbeat, now);
        let written = self.write("taking a heartbeat", async |connection| {
            connection
                .transaction(async |connection| {
                    touch_account(connection, account_id).await?;
                    refuse_gone(connection, account_id, id).await?;
                    let known =
                        agent::table.filter(agent::account_id.eq(account_id.0)).filter(agent::id.eq(id.as_str()));
                    diesel::update(known).set(facts.facts()).execute(connection).await?;
                    diesel::insert_into(agent_health::table)
                        .values(&health)
                        .on_conflict((agent_health::account_id, agent_health::agent_id))
                        .do_update()
                        .set(&health)
                        .execute(connection)
                        .await?;
                    note_report(connection, account_id, id, now).await
                })
                .await
        });
        let written = written.await;
        self.lanes.agent_lists.changed(account_id);
        written
    }

    async fn agent_health(&self, scope: &Scope<ReadAccount>) -> Result<Vec<AgentHealth>> {
        let account_id = scope.account_id();
        let rows: Vec<AgentHealthRow> = self
            .read_share(account_id, "reading how agents are", async |connection| {
                Ok(agent_health_query!(account_id).load(connection).await?)
            })
            .await?;
        rows.into_iter().map(into_health).collect()
    }
}

/// What a person does to an agent.
enum Change {
    Edit(AgentEditChange),
    Disabled(bool),
    Delete,
}

impl Change {
    /// As the audit log calls it.
    const fn action(&self) -> &'static str {
        match self {
            Self::Edit(_) => "agent.edit",
            Self::Disabled(true) => "agent.disable",
            Self::Disabled(false) => "agent.enable",
            Self::Delete => "agent.delete",
        }
    }

    /// Does it; whether anything changed.
    async fn make(
        &self,
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        id: &AgentId,
        now: Timestamp,
    ) -> std::result::Result<bool, Failure> {
        let the_agent = agent::table.filter(agent::account_id.eq(account_id.0)).filter(agent::id.eq(id.as_str()));
        let changed = match self {
            Self::Edit(change) => diesel::update(the_agent).set(change).execute(connection).await?,
            Self::Disabled(disabled) => {
                let other = the_agent.filter(agent::disabled_at.is_null().eq(disabled));
                let disabled_at = disabled.then_some(now.as_micros());
                diesel::update(other).set(agent::disabled_at.eq(disabled_at)).execute(connection).await?
            }
            Self::Delete => return delete(connection, account_id, id, now).await,
        };
        Ok(changed > 0)
    }
}

async fn delete(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: &AgentId,
    now: Timestamp,
) -> std::result::Result<bool, Failure> {
    let health = agent_health::table
        .filter(agent_health::account_id.eq(account_id.0))
        .filter(agent_health::agent_id.eq(id.as_str()));
    diesel::delete(health).execute(connection).await?;
    let token = agent_token::table
        .filter(agent_token::account_id.eq(account_id.0))
        .filter(agent_token::agent_id.eq(id.as_str()));
    diesel::delete(token).execute(connection).await?;
    let states = alert_state::table
        .filter(alert_state::account_id.eq(account_id.0))
        .filter(alert_state::agent_id.eq(id.as_str()));
    diesel::delete(states).execute(connection).await?;
    let deleted = agent::table.filter(agent::account_id.eq(account_id.0)).filter(agent::id.eq(id.as_str()));
    if diesel::delete(deleted).execute(connection).await? == 0 {
        return Ok(false);
    }
    diesel::insert_into(agent_removal::table)
        .values((
            agent_removal::account_id.eq(account_id.0),
            agent_removal::agent_id.eq(id.as_str()),
            agent_removal::requested_at.eq(now.as_micros()),
        ))
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    Ok(true)
}

impl PostgresStorage {
    /// A change that a person makes; whether anything changed. The account is locked first, so that no rows of the agent
    /// are being written meanwhile.
    async fn change_agent(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        change: Change,
        now: Timestamp,
    ) -> Result<bool> {
        let account_id = scope.account_id();
        let written = self.write("changing an agent", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    let changed = change.make(connection, account_id, id, now).await?;
                    if changed {
                        let object = format!("agent:{id}");
                        record_audit(connection, &AuditRow::new(scope, change.action(), object, now)).await?;
                        touch_account(connection, account_id).await?;
                    }
                    Ok::<_, Failure>(changed)
                })
                .await
        });
        let written = written.await;
        self.lanes.agent_lists.changed(account_id);
        written
    }

    async fn agent_is_there(&self, account_id: AccountId, id: &AgentId) -> Result<bool> {
        self.read("finding an agent", async |connection| {
            let found: Option<i64> = agent::table
                .filter(agent::account_id.eq(account_id.0))
                .filter(agent::id.eq(id.as_str()))
                .select(agent::created_at)
                .first(connection)
                .await
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }
}
