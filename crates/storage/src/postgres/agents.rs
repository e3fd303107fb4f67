use std::collections::BTreeSet;

use astranetmon_auth::{Ingest, ReadAgents, Scope};
use astranetmon_domain::{AccountId, Agent, AgentId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::append::touch_account;
use super::failure::Failure;
use super::reporting::{note_report, refuse_removed};
use super::{PostgresStorage, Result, queries};
use crate::repository::{AgentPage, AgentRepository, NewAgent};
use crate::rows::AgentRow;
use crate::schema::agent;

#[async_trait]
impl AgentRepository for PostgresStorage {
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        self.agents_of(scope.account_id(), after, limit).await
    }

    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>> {
        let row = self
            .read("finding an agent", async |connection| {
                let query = agent::table.find((scope.account_id().0, id.as_str())).select(AgentRow::as_select());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(AgentRow::into_agent).transpose()
    }

    async fn agent_upsert(&self, scope: &Scope<Ingest>, new: &NewAgent, now: Timestamp) -> Result<()> {
        let account_id = scope.account_id();
        let row = AgentRow::new(account_id, new, now);
        let written = self.write("writing an agent", async |connection| {
            connection
                .transaction(async |connection| {
                    touch_account(connection, account_id).await?;
                    refuse_removed(connection, account_id, &BTreeSet::from([new.id.clone()])).await?;
                    diesel::insert_into(agent::table)
                        .values(&row)
                        .on_conflict((agent::account_id, agent::id))
                        .do_update()
                        .set(row.facts())
                        .execute(connection)
                        .await?;
                    Ok::<_, Failure>(())
                })
                .await
        });
        let written = written.await;
        self.lanes.agent_lists.changed(account_id);
        written
    }

    async fn agent_seen(&self, scope: &Scope<Ingest>, id: &AgentId, seen_at: Timestamp) -> Result<()> {
        let account_id = scope.account_id();
        let written = self.write("noting an agent's report", async |connection| {
            connection
                .transaction(async |connection| {
                    touch_account(connection, account_id).await?;
                    note_report(connection, account_id, id, seen_at).await
                })
                .await
        });
        let written = written.await;
        self.lanes.agent_lists.changed(account_id);
        written
    }
}

impl PostgresStorage {
    pub(super) async fn agents_of(
        &self,
        account_id: AccountId,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        let whole_list = after.is_none() && limit.is_none();
        let most = limit.map_or(usize::MAX, |limit| limit as usize);
        let read = self.read_share(account_id, "listing agents", async |connection| {
            let query = queries::agent_page(account_id, after, limit.map(|limit| i64::from(limit) + 1));
            let mut rows: Vec<AgentRow> = query.load(connection).await?;
            let more = rows.len() > most;
            rows.truncate(most);
            let total = if after.is_none() && !more {
                rows.len() as u64
            } else {
                let count = agent::table.filter(agent::account_id.eq(account_id.0)).count();
                count.get_result::<i64>(connection).await?.unsigned_abs()
            };
            let agents = rows.into_iter().map(AgentRow::into_agent).collect::<Result<_>>()?;
            Ok(AgentPage { agents, total, more })
        });
        self.lanes.agent_lists.page(account_id, whole_list, read).await
    }
}
