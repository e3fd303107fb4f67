use std::ops::Range;

use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::{expire, fold, seal, setting, space};
use crate::counts::RecordKind;
use crate::repository::{Lease, RetentionCursor, RetentionJob, RetentionStep};
use crate::retention::{
    ACCOUNT_AFTER, AgentIdRow, Agents, Due, Goes, History, HistoryLimits, MOST_AGENTS, NumberRow, OLDEST_COUNTED,
    RetentionStore, Run, Source, SpaceBack, UnsealedDay, agent_after, oldest_times, step,
};
use crate::sqlite::leases::check_lease;
use crate::sqlite::{Result, SqliteStorage};

#[async_trait]
impl RetentionJob for SqliteStorage {
    async fn retention_step(&self, lease: &Lease, cursor: &RetentionCursor, now: Timestamp) -> Result<RetentionStep> {
        step(self, lease, cursor, now).await
    }
}

impl SqliteStorage {
    /// A write of the job, by the holder of its lease.
    async fn write_under<T: Send + 'static>(
        &self,
        lease: &Lease,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lease = lease.clone();
        self.write(move |connection| {
            check_lease(connection, &lease)?;
            work(connection)
        })
        .await
    }
}

#[async_trait]
impl RetentionStore for SqliteStorage {
    async fn account_after(&self, after: i64) -> Result<Option<AccountId>> {
        self.read(move |connection| {
            let row = sql_query(ACCOUNT_AFTER).bind::<BigInt, _>(after).get_result::<NumberRow>(connection);
            Ok(row.optional()?.map(|row| AccountId(row.number)))
        })
        .await
    }

    async fn kept_by(&self, account: AccountId) -> Result<Option<Retention>> {
        self.read(move |connection| setting::kept_by(connection, account)).await
    }

    async fn oldest_counted(&self, account: AccountId, kind: RecordKind) -> Result<Option<i64>> {
        self.read(move |connection| {
            let query = sql_query(OLDEST_COUNTED).bind::<BigInt, _>(account.0).bind::<BigInt, _>(kind as i64);
            Ok(query.get_result::<NumberRow>(connection).optional()?.map(|row| row.number))
        })
        .await
    }

    async fn due(&self, account: AccountId, source: Source, agents: Agents<'_>, before: i64) -> Result<Due> {
        let (mut after, only) = match agents {
            Agents::Behind(agent) => (agent.to_owned(), None),
            Agents::Only(agent) => (String::new(), Some(agent.to_owned())),
        };
        self.read(move |connection| {
            let mut due = Due::default();
            let mut room = source.most();
            for _ in 0..MOST_AGENTS {
                let agent_id = match &only {
                    Some(agent) => agent.clone(),
                    None => match next_agent(connection, account, source, &after)? {
                        Some(agent) => agent,
                        None => return Ok(due),
                    },
                };
                let times: Vec<NumberRow> = sql_query(oldest_times(source))
                    .bind::<BigInt, _>(account.0)
                    .bind::<Text, _>(&agent_id)
                    .bind::<BigInt, _>(before)
                    .bind::<BigInt, _>(room as i64)
                    .load(connection)?;
                if let (Some(first), Some(last)) = (times.first(), times.last()) {
                    due.runs.push(Run { agent_id: agent_id.clone(), first: first.number, last: last.number });
                }
                if only.is_some() {
                    return Ok(due);
                }
                room -= times.len();
                if room == 0 {
                    // This agent may have more.
                    break;
                }
                after = agent_id;
            }
            due.after = Some(after);
            Ok(due)
        })
        .await
    }

    async fn take_samples(&self, lease: &Lease, account: AccountId, runs: Vec<Run>, goes: Goes) -> Result<u64> {
        self.write_under(lease, move |connection| fold::take_samples(connection, account, &runs, goes)).await
    }

    async fn take_chunks(&self, lease: &Lease, account: AccountId, runs: Vec<Run>, goes: Goes) -> Result<u64> {
        self.write_under(lease, move |connection| fold::take_chunks(connection, account, &runs, goes)).await
    }

    async fn agent_with_samples(&self, account: AccountId, after: &str) -> Result<Option<String>> {
        let after = after.to_owned();
        self.read(move |connection| next_agent(connection, account, Source::Samples, &after)).await
    }

    async fn unsealed_day(
        &self,
        account: AccountId,
        agent: &str,
        from: i64,
        finished_before: i64,
    ) -> Result<Option<UnsealedDay>> {
        let agent = agent.to_owned();
        self.read(move |connection| seal::unsealed_day(connection, account, &agent, from, finished_before)).await
    }

    async fn seal(&self, lease: &Lease, account: AccountId, agent: &str, period: Range<i64>) -> Result<u64> {
        let agent = agent.to_owned();
        self.write_under(lease, move |connection| seal::seal(connection, account, &agent, period)).await
    }

    async fn fold_hours(&self, lease: &Lease, account: AccountId, runs: Vec<Run>) -> Result<u64> {
        self.write_under(lease, move |connection| fold::fold_hours(connection, account, &runs)).await
    }

    async fn delete_summaries(&self, lease: &Lease, account: AccountId, source: Source, runs: Vec<Run>) -> Result<u64> {
        self.write_under(lease, move |connection| fold::delete_summaries(connection, account, source, &runs)).await
    }

    async fn delete_records(
        &self,
        lease: &Lease,
        account: AccountId,
        kind: RecordKind,
        agent: Option<&str>,
        before: i64,
    ) -> Result<u64> {
        let agent = agent.map(str::to_owned);
        self.write_under(lease, move |connection| {
            expire::delete_records(connection, account, kind, agent.as_deref(), before)
        })
        .await
    }

    async fn history_due(&self, account: AccountId, limits: HistoryLimits) -> Result<Option<History>> {
        self.read(move |connection| expire::history_due(connection, account, limits)).await
    }

    async fn delete_history(
        &self,
        lease: &Lease,
        account: AccountId,
        what: History,
        limits: HistoryLimits,
    ) -> Result<u64> {
        self.write_under(lease, move |connection| expire::delete_history(connection, account, what, limits)).await
    }

    async fn agent_to_remove(&self, account: AccountId) -> Result<Option<String>> {
        self.read(move |connection| expire::agent_to_remove(connection, account)).await
    }

    async fn agent_removed(&self, lease: &Lease, account: AccountId, agent_id: &str) -> Result<()> {
        let agent_id = agent_id.to_owned();
        self.write_under(lease, move |connection| expire::agent_removed(connection, account, &agent_id)).await
    }

    async fn give_space_back(&self, lease: &Lease, _: Timestamp) -> Result<SpaceBack> {
        if !self.read(|connection| Ok(space::pages_to_give(connection)?.is_some())).await? {
            return Ok(SpaceBack::default());
        }
        self.write_under(lease, space::give_back).await
    }
}

fn next_agent(
    connection: &mut SqliteConnection,
    account: AccountId,
    source: Source,
    after: &str,
) -> Result<Option<String>> {
    let query = sql_query(agent_after(source)).bind::<BigInt, _>(account.0).bind::<Text, _>(after);
    Ok(query.get_result::<AgentIdRow>(connection).optional()?.map(|row| row.id))
}
