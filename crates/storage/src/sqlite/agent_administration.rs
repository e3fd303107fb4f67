use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, AgentId, Heartbeat, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::accounts::record_audit;
use super::records::raise_data_version;
use super::reporting::{note_report, refuse_gone};
use super::{Result, SqliteStorage};
use crate::queries::agent_health_query;
use crate::reporting::gone;
use crate::repository::{AgentAdministration, AgentEdit, AgentHealth};
use crate::rows::{AgentEditChange, AgentHealthRow, AgentRow, AuditRow, HealthRow, into_health};
use crate::schema::{agent, agent_health, agent_removal, agent_token, alert_state};

#[async_trait]
impl AgentAdministration for SqliteStorage {
    async fn agent_edit(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        edit: &AgentEdit,
        now: Timestamp,
    ) -> Result<bool> {
        let Some(change) = AgentEditChange::of(edit) else { return self.agent_is_there(scope.account_id(), id).await };
        self.change_agent(scope, id, "agent.edit", now, move |connection, key| {
            Ok(diesel::update(agent::table.find(key)).set(&change).execute(connection)? > 0)
        })
        .await
    }

    async fn agent_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let action = if disabled { "agent.disable" } else { "agent.enable" };
        let changed = self.change_agent(scope, id, action, now, move |connection, key| {
            let disabled_at = disabled.then_some(now.as_micros());
            let other = agent::table.find(key).filter(agent::disabled_at.is_null().eq(disabled));
            Ok(diesel::update(other).set(agent::disabled_at.eq(disabled_at)).execute(connection)? > 0)
        });
        // One that is as it should be is there, too.
        Ok(changed.await? || self.agent_is_there(scope.account_id(), id).await?)
    }

    async fn agent_delete(&self, scope: &Scope<ManageAccount>, id: &AgentId, now: Timestamp) -> Result<bool> {
        self.change_agent(scope, id, "agent.delete", now, move |connection, (account_id, id)| {
            diesel::delete(agent_health::table.find((account_id, id))).execute(connection)?;
            let token =
                agent_token::table.filter(agent_token::account_id.eq(account_id)).filter(agent_token::agent_id.eq(id));
            diesel::delete(token).execute(connection)?;
            let states =
                alert_state::table.filter(alert_state::account_id.eq(account_id)).filter(alert_state::agent_id.eq(id));
            diesel::delete(states).execute(connection)?;
            if diesel::delete(agent::table.find((account_id, id))).execute(connection)? == 0 {
                return Ok(false);
            }
            diesel::insert_into(agent_removal::table)
                .values((
                    agent_removal::account_id.eq(account_id),
                    agent_removal::agent_id.eq(id),
                    agent_removal::requested_at.eq(now.as_micros()),
                ))
                .on_conflict_do_nothing()
                .execute(connection)?;
            Ok(true)
        })
        .await
    }

    async fn agent_heartbeat(&self, scope: &Scope<Ingest>, heartbeat: &Heartbeat, now: Timestamp) -> Result<()> {
        if scope.agent_id().is_some_and(|own| *own != heartbeat.agent_id) {
            return Err(gone());
        }
        let (account_id, id) = (scope.account_id(), heartbeat.agent_id.clone());
        let facts = AgentRow::reported(account_id, heartbeat, now);
        let health = HealthRow::new(account_id, heartbeat, now);
        let written = self.write(move |connection| {
            refuse_gone(connection, account_id, &id)?;
            diesel::update(agent::table.find((account_id.0, id.as_str()))).set(facts.facts()).execute(connection)?;
            diesel::insert_into(agent_health::table)
                .values(&health)
                .on_conflict((agent_health::account_id, agent_health::agent_id))
                .do_update()
                .set(&health)
                .execute(connection)?;
            note_report(connection, account_id, &id, now)?;
            raise_data_version(connection, account_id)
        });
        let written = written.await;
        self.agent_lists.changed(account_id);
        written
    }

    async fn agent_health(&self, scope: &Scope<ReadAccount>) -> Result<Vec<AgentHealth>> {
        let account_id = scope.account_id();
        self.read_share(account_id, move |connection| {
            let rows: Vec<AgentHealthRow> = agent_health_query!(account_id).load(connection)?;
            rows.into_iter().map(into_health).collect()
        })
        .await
    }
}

impl SqliteStorage {
    /// A change that a person makes: `work` gets the agent's key and says whether anything changed.
    async fn change_agent(
        &self,
        scope: &Scope<ManageAccount>,
        id: &AgentId,
        action: &'static str,
        now: Timestamp,
        work: impl FnOnce(&mut SqliteConnection, (i64, &str)) -> Result<bool> + Send + 'static,
    ) -> Result<bool> {
        let (scope, id, account_id) = (scope.clone(), id.clone(), scope.account_id());
        let written = self.write(move |connection| {
            let changed = work(connection, (account_id.0, id.as_str()))?;
            if changed {
                record_audit(connection, &AuditRow::new(&scope, action, format!("agent:{id}"), now))?;
                raise_data_version(connection, account_id)?;
            }
            Ok(changed)
        });
        let written = written.await;
        self.agent_lists.changed(account_id);
        written
    }

    async fn agent_is_there(&self, account_id: AccountId, id: &AgentId) -> Result<bool> {
        let id = id.clone();
        self.read(move |connection| {
            let found: Option<i64> = agent::table
                .find((account_id.0, id.as_str()))
                .select(agent::created_at)
                .first(connection)
                .optional()?;
            Ok(found.is_some())
        })
        .await
    }
}
