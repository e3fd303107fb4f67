//! Statements about what several agents have at once: one array a column.

use std::collections::BTreeMap;

use astranetmon_domain::AccountId;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::measured::Packed;
use crate::postgres::failure::Failure;
use crate::retention::{Gathered, Run, Summary};

type Result<T> = std::result::Result<T, Failure>;

const RUNS: &str = "UNNEST($2::TEXT[], $3::BIGINT[], $4::BIGINT[]) AS run (agent_id, first, last)";

/// The runs' rows of the table `$table`, whose time is `$time`, go; `$columns` of them come back. The bounds of all
/// runs let the other partitions alone.
macro_rules! delete_runs {
    ($table:literal, $time:literal, $columns:literal, $more:literal) => {
        format!(
            concat!(
                "DELETE FROM ",
                $table,
                " AS t USING {} WHERE t.account_id = $1 AND t.agent_id = run.agent_id AND t.",
                $time,
                " >= run.first AND t.",
                $time,
                " <= run.last AND t.",
                $time,
                " >= $5 AND t.",
                $time,
                " <= $6 ",
                $more,
                " RETURNING ",
                $columns
            ),
            RUNS
        )
    };
}

/// A sample that went.
#[derive(QueryableByName)]
pub(super) struct TakenSample {
    #[diesel(sql_type = Text)]
    pub(super) agent_id: String,
    #[diesel(sql_type = BigInt)]
    pub(super) timestamp: i64,
    #[diesel(sql_type = Binary)]
    pub(super) measured: Packed,
}

/// A stored summary and whose it is.
#[derive(QueryableByName)]
pub(super) struct AgentSummaryRow {
    #[diesel(sql_type = Text)]
    pub(super) agent_id: String,
    #[diesel(sql_type = BigInt)]
    pub(super) bucket: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) sample_count: i64,
    #[diesel(sql_type = Binary)]
    pub(super) summary: Vec<u8>,
}

impl AgentSummaryRow {
    pub(super) fn unpack(&self) -> Result<Summary> {
        Ok(Summary::unpack(self.sample_count, &self.summary)?)
    }
}

struct Columns<'a> {
    agent_ids: Vec<&'a str>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    ends: (i64, i64),
}

fn columns(runs: &[Run]) -> Columns<'_> {
    let first = runs.iter().map(|run| run.first).min().unwrap_or(0);
    let last = runs.iter().map(|run| run.last).max().unwrap_or(0);
    Columns {
        agent_ids: runs.iter().map(|run| run.agent_id.as_str()).collect(),
        firsts: runs.iter().map(|run| run.first).collect(),
        lasts: runs.iter().map(|run| run.last).collect(),
        ends: (first, last),
    }
}

macro_rules! bound {
    ($statement:expr, $account:expr, $runs:expr) => {{
        let columns = columns($runs);
        sql_query($statement)
            .bind::<BigInt, _>($account.0)
            .bind::<Array<Text>, _>(columns.agent_ids)
            .bind::<Array<BigInt>, _>(columns.firsts)
            .bind::<Array<BigInt>, _>(columns.lasts)
            .bind::<BigInt, _>(columns.ends.0)
            .bind::<BigInt, _>(columns.ends.1)
    }};
}

/// The samples of the runs go, and come back.
pub(super) async fn take_samples(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    runs: &[Run],
) -> Result<Vec<TakenSample>> {
    let statement = delete_runs!("metric_sample", "timestamp", "t.agent_id, t.timestamp, t.measured", "");
    Ok(bound!(statement, account, runs).load(connection).await?)
}

/// The summaries of the runs go, and come back.
pub(super) async fn take_summaries(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    period: i64,
    runs: &[Run],
) -> Result<Vec<AgentSummaryRow>> {
    let statement = delete_runs!(
        "metric_summary",
        "bucket",
        "t.agent_id, t.bucket, t.sample_count, t.summary",
        "AND t.period = $7"
    );
    Ok(bound!(statement, account, runs).bind::<BigInt, _>(period).load(connection).await?)
}

const STORED: &str = "SELECT s.agent_id, s.bucket, s.sample_count, s.summary FROM \
     UNNEST($2::TEXT[], $3::BIGINT[]) AS given (agent_id, bucket) JOIN metric_summary AS s ON s.account_id = $1 \
     AND s.agent_id = given.agent_id AND s.period = $4 AND s.bucket = given.bucket";

const PUT: &str = "INSERT INTO metric_summary (account_id, period, agent_id, bucket, sample_count, summary) \
     SELECT $1, $2, given.* FROM UNNEST($3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BYTEA[]) AS given \
     ON CONFLICT (account_id, agent_id, period, bucket) \
     DO UPDATE SET sample_count = excluded.sample_count, summary = excluded.summary";

/// Stores what was gathered of agents, with what is stored of the same hours or days.
pub(super) async fn put(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    period: i64,
    mut gathered: BTreeMap<String, Gathered>,
) -> Result<()> {
    let (mut agent_ids, mut buckets) = (Vec::new(), Vec::new());
    for (agent_id, gathered) in &gathered {
        for (start, _) in gathered.iter() {
            agent_ids.push(agent_id.clone());
            buckets.push(start);
        }
    }
    let stored: Vec<AgentSummaryRow> = sql_query(STORED)
        .bind::<BigInt, _>(account.0)
        .bind::<Array<Text>, _>(&agent_ids)
        .bind::<Array<BigInt>, _>(&buckets)
        .bind::<BigInt, _>(period)
        .load(connection)
        .await?;
    for row in stored {
        if let Some(gathered) = gathered.get_mut(&row.agent_id) {
            gathered.merge(row.bucket, &row.unpack()?);
        }
    }
    let summaries = || gathered.values().flat_map(Gathered::iter).map(|(_, summary)| summary);
    let counts: Vec<i64> = summaries().map(|summary| summary.sample_count.cast_signed()).collect();
    let packed: Vec<Vec<u8>> = summaries().map(Summary::pack).collect();
    sql_query(PUT)
        .bind::<BigInt, _>(account.0)
        .bind::<BigInt, _>(period)
        .bind::<Array<Text>, _>(&agent_ids)
        .bind::<Array<BigInt>, _>(&buckets)
        .bind::<Array<BigInt>, _>(counts)
        .bind::<Array<Binary>, _>(packed)
        .execute(connection)
        .await?;
    Ok(())
}
