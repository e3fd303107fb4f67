//! Statements that write many metrics at once: one array a column, so that the text and the plan stay the same
//! however many rows come.

use astranetmon_domain::{AccountId, MetricSample, Timestamp, with_metric_fields};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Double, Nullable, Text};

/// What happens to a sample whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnKnown {
    /// It is left out.
    Skip,
    /// It fills what is unknown; left out if it has nothing to fill.
    Fill,
}

macro_rules! array {
    (i64) => { Array<Nullable<BigInt>> };
    (f64) => { Array<Nullable<Double>> };
}

macro_rules! metric_insert {
    ($($(#[$doc:meta])* $name:ident: $type:ident $(/ $decimals:literal)?,)*) => {
        /// Inserts samples; gives back the agent and time of each row that was written.
        pub(super) struct MetricInsert<'a> {
            account_id: i64,
            received_at: i64,
            on_known: OnKnown,
            agent_ids: Vec<&'a str>,
            timestamps: Vec<i64>,
            sequences: Vec<i64>,
            $($name: Vec<Option<$type>>,)*
        }

        impl<'a> MetricInsert<'a> {
            /// No rows yet.
            pub(super) fn new(account_id: AccountId, received_at: Timestamp, on_known: OnKnown, rows: usize) -> Self {
                Self {
                    account_id: account_id.0,
                    received_at: received_at.as_micros(),
                    on_known,
                    agent_ids: Vec::with_capacity(rows),
                    timestamps: Vec::with_capacity(rows),
                    sequences: Vec::with_capacity(rows),
                    $($name: Vec::with_capacity(rows),)*
                }
            }

            /// `sample` must be normalized.
            pub(super) fn push(&mut self, sample: &'a MetricSample, sequence: i64) {
                self.agent_ids.push(sample.agent_id.as_str());
                self.timestamps.push(sample.timestamp.as_micros());
                self.sequences.push(sequence);
                $(self.$name.push(sample.$name);)*
            }

            /// Whether there is nothing to write.
            pub(super) fn is_empty(&self) -> bool {
                self.timestamps.is_empty()
            }
        }

        impl QueryFragment<Pg> for MetricInsert<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                out.push_sql(concat!(
                    "INSERT INTO metric (account_id, received_at, agent_id, timestamp, sequence",
                    $(", ", stringify!($name),)* ") SELECT ",
                ));
                out.push_bind_param::<BigInt, _>(&self.account_id)?;
                out.push_sql(", ");
                out.push_bind_param::<BigInt, _>(&self.received_at)?;
                out.push_sql(", given.* FROM UNNEST(");
                out.push_bind_param::<Array<Text>, _>(&self.agent_ids)?;
                out.push_sql(", ");
                out.push_bind_param::<Array<BigInt>, _>(&self.timestamps)?;
                out.push_sql(", ");
                out.push_bind_param::<Array<BigInt>, _>(&self.sequences)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<array!($type), _>(&self.$name)?;
                )*
                out.push_sql(") AS given ON CONFLICT (account_id, agent_id, timestamp) ");
                out.push_sql(match self.on_known {
                    OnKnown::Skip => "DO NOTHING",
                    OnKnown::Fill => concat!(
                        "DO UPDATE SET sequence = excluded.sequence",
                        $(", ", stringify!($name), " = COALESCE(metric.", stringify!($name), ", excluded.",
                            stringify!($name), ")",)*
                        " WHERE FALSE",
                        $(" OR metric.", stringify!($name), " IS NULL AND excluded.", stringify!($name),
                            " IS NOT NULL",)*
                    ),
                });
                out.push_sql(" RETURNING agent_id, timestamp");
                Ok(())
            }
        }
    };
}

with_metric_fields!(metric_insert);

impl Query for MetricInsert<'_> {
    type SqlType = (Text, BigInt);
}

/// The text identifies it: there are two.
impl QueryId for MetricInsert<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for MetricInsert<'_> {}
