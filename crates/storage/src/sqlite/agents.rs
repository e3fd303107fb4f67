use astranetmon_auth::{Ingest, ReadAgents, Scope};
use astranetmon_domain::{AccountId, Agent, AgentId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;

use super::records::raise_data_version;
use super::reporting::{note_report, refuse_removed};
use super::{Result, SqliteStorage, queries};
use crate::repository::{AgentPage, AgentRepository, NewAgent};
use crate::rows::AgentRow;
use crate::schema::agent;

#[async_trait]
impl AgentRepository for SqliteStorage {
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        self.agents_of(scope.account_id(), after, limit).await
    }

    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>> {
        let (account_id, id) = (scope.account_id(), id.clone());
        self.read(move |connection| {
            let row = agent::table
                .find((account_id.0, id.as_str()))
                .select(AgentRow::as_select())
                .first(connection)
                .optional()?;
            row.map(AgentRow::into_agent).transpose()
        })
        .await
    }

    async fn agent_upsert(&self, scope: &Scope<Ingest>, new: &NewAgent, now: Timestamp) -> Result<()> {
        let account_id = scope.account_id();
        let row = AgentRow::new(account_id, new, now);
        let written = self.write(move |connection| {
            refuse_removed(connection, account_id, row.id())?;
            diesel::insert_into(agent::table)
                .values(&row)
                .on_conflict((agent::account_id, agent::id))
                .do_update()
                .set(row.facts())
                .execute(connection)?;
            raise_data_version(connection, account_id)
        });
        let written = written.await;
        self.agent_lists.changed(account_id);
        written
    }

    async fn agent_seen(&self, scope: &Scope<Ingest>, id: &AgentId, seen_at: Timestamp) -> Result<()> {
        let (account_id, id) = (scope.account_id(), id.clone());
        let written = self.write(move |connection| {
            note_report(connection, account_id, &id, seen_at)?;
            raise_data_version(connection, account_id)
        });
        let written = written.await;
        self.agent_lists.changed(account_id);
        written
    }
}

impl SqliteStorage {
    pub(super) async fn agents_of(
        &self,
        account_id: AccountId,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        let whole_list = after.is_none() && limit.is_none();
        let after = after.map(|(hostname, id)| (hostname.to_owned(), id.clone()));
        let read = self.read_share(account_id, move |connection| {
            let after = after.as_ref().map(|(hostname, id)| (hostname.as_str(), id));
            let fetch = limit.map(|limit| i64::from(limit) + 1);
            let rows = queries::agent_page(account_id, after, fetch).load(connection)?;
            let mut agents: Vec<Agent> = rows.into_iter().map(AgentRow::into_agent).collect::<Result<_>>()?;
            let more = limit.is_some_and(|limit| agents.len() > limit as usize);
            if let Some(limit) = limit {
                agents.truncate(limit as usize);
            }
            let total = if after.is_none() && !more { agents.len() as u64 } else { count(connection, account_id)? };
            Ok(AgentPage { agents: agents.into(), total, more })
        });
        self.agent_lists.page(account_id, whole_list, read).await
    }
}

fn count(connection: &mut SqliteConnection, account_id: AccountId) -> Result<u64> {
    let count: i64 = agent::table.filter(agent::account_id.eq(account_id.0)).count().get_result(connection)?;
    Ok(count.unsigned_abs())
}
