//! Statements about many metrics at once: one array a column, so that the text and the plan stay the same however many
//! rows come.

use astranetmon_domain::{AccountId, Timestamp};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Text};

use crate::measured::Measured;
use crate::metric_batch::BatchSample;

/// The keys of some metrics of one account.
#[derive(Default)]
struct Keys<'a> {
    account_id: i64,
    agent_ids: Vec<&'a str>,
    timestamps: Vec<i64>,
}

impl<'a> Keys<'a> {
    fn new(account_id: AccountId) -> Self {
        Self { account_id: account_id.0, ..Self::default() }
    }

    fn push(&mut self, sample: &'a BatchSample) {
        self.agent_ids.push(sample.agent_id());
        self.timestamps.push(sample.timestamp());
    }

    fn write<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<Text>, _>(&self.agent_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.timestamps)
    }
}

/// What is stored under the keys of samples: the position of each that is there, from 1, its
/// ingestion sequence and its values.
pub(super) struct StoredMetrics<'a>(Keys<'a>);

impl<'a> StoredMetrics<'a> {
    pub(super) fn of(account_id: AccountId, samples: &'a [BatchSample]) -> Self {
        let mut keys = Keys::new(account_id);
        samples.iter().for_each(|sample| keys.push(sample));
        Self(keys)
    }
}

impl QueryFragment<Pg> for StoredMetrics<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT given.position, m.sequence, m.measured FROM UNNEST(");
        self.0.write(&mut out)?;
        out.push_sql(
            ") WITH ORDINALITY AS given (agent_id, timestamp, position) JOIN metric_sample AS m ON m.account_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.0.account_id)?;
        out.push_sql(" AND m.agent_id = given.agent_id AND m.timestamp = given.timestamp");
        Ok(())
    }
}

impl Query for StoredMetrics<'_> {
    type SqlType = (BigInt, BigInt, Binary);
}

impl QueryId for StoredMetrics<'_> {
    type QueryId = StoredMetrics<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for StoredMetrics<'_> {}

/// Rows to be written: each with its ingestion sequence and its values.
struct Rows<'a> {
    keys: Keys<'a>,
    sequences: Vec<i64>,
    measured: Vec<Vec<u8>>,
}

impl<'a> Rows<'a> {
    fn new(account_id: AccountId) -> Self {
        Self { keys: Keys::new(account_id), sequences: Vec::new(), measured: Vec::new() }
    }

    fn push(&mut self, sample: &'a BatchSample, sequence: i64, measured: &Measured) {
        self.keys.push(sample);
        self.sequences.push(sequence);
        self.measured.push(measured.pack());
    }

    fn write<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UNNEST(");
        self.keys.write(out)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.sequences)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.measured)?;
        out.push_sql(") AS given (agent_id, timestamp, sequence, measured)");
        Ok(())
    }
}

/// Inserts samples whose key is new, numbered from a sequence on.
pub(super) struct InsertMetrics<'a> {
    received_at: i64,
    rows: Rows<'a>,
}

impl<'a> InsertMetrics<'a> {
    pub(super) fn of(account_id: AccountId, received_at: Timestamp, samples: &'a [BatchSample], first: i64) -> Self {
        let mut rows = Rows::new(account_id);
        samples.iter().zip(first..).for_each(|(sample, sequence)| rows.push(sample, sequence, &sample.measured));
        Self { received_at: received_at.as_micros(), rows }
    }
}

impl QueryFragment<Pg> for InsertMetrics<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO metric_sample (account_id, received_at, agent_id, timestamp, sequence, measured) SELECT ",
        );
        out.push_bind_param::<BigInt, _>(&self.rows.keys.account_id)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.received_at)?;
        out.push_sql(", given.* FROM ");
        self.rows.write(&mut out)?;
        out.push_sql(" ON CONFLICT (account_id, agent_id, timestamp) DO NOTHING");
        Ok(())
    }
}

impl QueryId for InsertMetrics<'_> {
    type QueryId = InsertMetrics<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for InsertMetrics<'_> {}

/// Replaces the values of rows that are there.
pub(super) struct UpdateMetrics<'a>(Rows<'a>);

impl<'a> UpdateMetrics<'a> {
    /// No rows yet.
    pub(super) fn new(account_id: AccountId) -> Self {
        Self(Rows::new(account_id))
    }

    /// Those of the key of `sample`.
    pub(super) fn push(&mut self, sample: &'a BatchSample, sequence: i64, measured: &Measured) {
        self.0.push(sample, sequence, measured);
    }

    /// Whether there is nothing to replace.
    pub(super) fn is_empty(&self) -> bool {
        self.0.sequences.is_empty()
    }
}

impl QueryFragment<Pg> for UpdateMetrics<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE metric_sample AS m SET sequence = given.sequence, measured = given.measured FROM ");
        self.0.write(&mut out)?;
        out.push_sql(" WHERE m.account_id = ");
        out.push_bind_param::<BigInt, _>(&self.0.keys.account_id)?;
        out.push_sql(" AND m.agent_id = given.agent_id AND m.timestamp = given.timestamp");
        Ok(())
    }
}

impl QueryId for UpdateMetrics<'_> {
    type QueryId = UpdateMetrics<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for UpdateMetrics<'_> {}
