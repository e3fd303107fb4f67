use std::ops::Range;

use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{expire, fold, seal, setting, space};
use crate::counts::RecordKind;
use crate::postgres::failure::Failure;
use crate::postgres::leases::check_lease;
use crate::postgres::{PostgresStorage, Result};
use crate::repository::{Lease, RetentionCursor, RetentionJob, RetentionStep};
use crate::retention::{
    ACCOUNT_AFTER, AgentIdRow, Agents, Due, Goes, History, HistoryLimits, MOST_AGENTS, NumberRow, OLDEST_COUNTED,
    RetentionStore, Run, Source, SpaceBack, UnsealedDay, agent_after, oldest_times, step,
};

const FINDING: &str = "finding what is older than it is kept";
const ENDING: &str = "ending what is older than it is kept";

#[async_trait]
impl RetentionJob for PostgresStorage {
    async fn retention_step(&self, lease: &Lease, cursor: &RetentionCursor, now: Timestamp) -> Result<RetentionStep> {
        step(self, lease, cursor, now).await
    }
}

/// A transaction of the job, by the holder of its lease.
macro_rules! write_under {
    ($storage:ident, $lease:ident, |$connection:ident| $work:expr) => {
        $storage
            .write(ENDING, async |connection| {
                connection
                    .transaction(async |$connection| {
                        check_lease($connection, $lease).await?;
                        $work.await
                    })
                    .await
            })
            .await
    };
}

#[async_trait]
impl RetentionStore for PostgresStorage {
    async fn account_after(&self, after: i64) -> Result<Option<AccountId>> {
        self.read(FINDING, async |connection| {
            let row = sql_query(ACCOUNT_AFTER).bind::<BigInt, _>(after).get_result::<NumberRow>(connection).await;
            Ok(row.optional()?.map(|row| AccountId(row.number)))
        })
        .await
    }

    async fn kept_by(&self, account: AccountId) -> Result<Option<Retention>> {
        self.read(FINDING, async |connection| setting::kept_by(connection, account).await).await
    }

    async fn oldest_counted(&self, account: AccountId, kind: RecordKind) -> Result<Option<i64>> {
        self.read(FINDING, async |connection| {
            let query = sql_query(OLDEST_COUNTED).bind::<BigInt, _>(account.0).bind::<BigInt, _>(kind as i64);
            Ok(query.get_result::<NumberRow>(connection).await.optional()?.map(|row| row.number))
        })
        .await
    }

    async fn due(&self, account: AccountId, source: Source, agents: Agents<'_>, before: i64) -> Result<Due> {
        let (mut after, only) = match agents {
            Agents::Behind(agent) => (agent.to_owned(), None),
            Agents::Only(agent) => (String::new(), Some(agent)),
        };
        self.read(FINDING, async |connection| {
            let mut due = Due::default();
            let mut room = source.most();
            for _ in 0..MOST_AGENTS {
                let agent_id = match only {
                    Some(agent) => agent.to_owned(),
                    None => match next_agent(connection, account, source, &after).await? {
                        Some(agent) => agent,
                        None => return Ok(due),
                    },
                };
                let times: Vec<NumberRow> = sql_query(oldest_times(source))
                    .bind::<BigInt, _>(account.0)
                    .bind::<Text, _>(&agent_id)
                    .bind::<BigInt, _>(before)
                    .bind::<BigInt, _>(room as i64)
                    .load(connection)
                    .await?;
                if let (Some(first), Some(last)) = (times.as_slice().first(), times.as_slice().last()) {
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
        write_under!(self, lease, |connection| fold::take_samples(connection, account, &runs, goes))
    }

    async fn take_chunks(&self, lease: &Lease, account: AccountId, runs: Vec<Run>, goes: Goes) -> Result<u64> {
        write_under!(self, lease, |connection| fold::take_chunks(connection, account, &runs, goes))
    }

    async fn agent_with_samples(&self, account: AccountId, after: &str) -> Result<Option<String>> {
        self.read(FINDING, async |connection| next_agent(connection, account, Source::Samples, after).await).await
    }

    async fn unsealed_day(
        &self,
        account: AccountId,
        agent: &str,
        from: i64,
        finished_before: i64,
    ) -> Result<Option<UnsealedDay>> {
        self.read(FINDING, async |connection| {
            seal::unsealed_day(connection, account, agent, from, finished_before).await
        })
        .await
    }

    async fn seal(&self, lease: &Lease, account: AccountId, agent: &str, period: Range<i64>) -> Result<u64> {
        self.make_partitions("metric_chunk", std::iter::once(period.start)).await?;
        write_under!(self, lease, |connection| seal::seal(connection, account, agent, period.clone()))
    }

    async fn fold_hours(&self, lease: &Lease, account: AccountId, runs: Vec<Run>) -> Result<u64> {
        write_under!(self, lease, |connection| fold::fold_hours(connection, account, &runs))
    }

    async fn delete_summaries(&self, lease: &Lease, account: AccountId, source: Source, runs: Vec<Run>) -> Result<u64> {
        write_under!(self, lease, |connection| fold::delete_summaries(connection, account, source, &runs))
    }

    async fn delete_records(
        &self,
        lease: &Lease,
        account: AccountId,
        kind: RecordKind,
        agent: Option<&str>,
        before: i64,
    ) -> Result<u64> {
        write_under!(self, lease, |connection| expire::delete_records(connection, account, kind, agent, before))
    }

    async fn history_due(&self, account: AccountId, limits: HistoryLimits) -> Result<Option<History>> {
        self.read(FINDING, async |connection| expire::history_due(connection, account, limits).await).await
    }

    async fn delete_history(
        &self,
        lease: &Lease,
        account: AccountId,
        what: History,
        limits: HistoryLimits,
    ) -> Result<u64> {
        write_under!(self, lease, |connection| expire::delete_history(connection, account, what, limits))
    }

    async fn agent_to_remove(&self, account: AccountId) -> Result<Option<String>> {
        self.read(FINDING, async |connection| expire::agent_to_remove(connection, account).await).await
    }

    async fn agent_removed(&self, lease: &Lease, account: AccountId, agent_id: &str) -> Result<()> {
        write_under!(self, lease, |connection| expire::agent_removed(connection, account, agent_id))
    }

    async fn give_space_back(&self, lease: &Lease, now: Timestamp) -> Result<SpaceBack> {
        let Some(partition) = self.read(FINDING, async |connection| space::unneeded(connection, now).await).await?
        else {
            return Ok(SpaceBack::default());
        };
        let dropped = write_under!(self, lease, |connection| space::drop(connection, &partition));
        match dropped {
            Ok(()) => Ok(SpaceBack { bytes: 0, partitions: 1, more: true }),
            // Whoever uses the table goes first: there is another run.
            Err(error) if error.is_retryable() => Ok(SpaceBack::default()),
            Err(error) => Err(error),
        }
    }
}

async fn next_agent(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    source: Source,
    after: &str,
) -> std::result::Result<Option<String>, Failure> {
    let query = sql_query(agent_after(source)).bind::<BigInt, _>(account.0).bind::<Text, _>(after);
    Ok(query.get_result::<AgentIdRow>(connection).await.optional()?.map(|row| row.id))
}
