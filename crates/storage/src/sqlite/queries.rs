crate::queries::backend_queries!(diesel::sqlite::Sqlite);

use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use crate::counts::{CountedSpan, RecordKind};
use crate::retention::{DAY, HOUR};
use crate::rows::PackedMetricRow;
use crate::schema::metric_summary;

/// One agent's metrics in a span of time, both ends in microseconds, oldest first.
pub(super) fn metric_span(
    account_id: AccountId,
    agent_id: &str,
    (start, end): (i64, i64),
) -> IntoBoxed<'_, Select<metric_sample::table, AsSelect<PackedMetricRow, Sqlite>>, Sqlite> {
    metric_sample::table
        .select(PackedMetricRow::as_select())
        .into_boxed()
        .filter(metric_sample::account_id.eq(account_id.0))
        .filter(metric_sample::agent_id.eq(agent_id))
        .filter(metric_sample::timestamp.ge(start))
        .filter(metric_sample::timestamp.lt(end))
        .order(metric_sample::timestamp.asc())
}

/// One agent's summaries that begin in a span of time, both ends in microseconds, by length and time.
pub(super) fn summary_span(
    account_id: AccountId,
    agent_id: &str,
    (start, end): (i64, i64),
) -> IntoBoxed<'_, Select<metric_summary::table, SummaryColumns>, Sqlite> {
    metric_summary::table
        .select((metric_summary::bucket, metric_summary::sample_count, metric_summary::summary))
        .into_boxed()
        .filter(metric_summary::account_id.eq(account_id.0))
        .filter(metric_summary::agent_id.eq(agent_id))
        .filter(metric_summary::period.eq_any([HOUR, DAY]))
        .filter(metric_summary::bucket.ge(start))
        .filter(metric_summary::bucket.lt(end))
        .order((metric_summary::period.asc(), metric_summary::bucket.asc()))
}

type SummaryColumns = (metric_summary::bucket, metric_summary::sample_count, metric_summary::summary);

macro_rules! partial_counts {
    ($($name:ident: $table:ident,)*) => {$(
        /// A part of an hour, counted in the records themselves.
        pub(super) fn $name<'a>(
            account_id: AccountId,
            agents: &'a Agents,
            (start, end): (i64, i64),
        ) -> IntoBoxed<'a, Select<$table::table, CountStar>, Sqlite> {
            let query = $table::table
                .select(diesel::dsl::count_star())
                .into_boxed()
                .filter($table::account_id.eq(account_id.0))
                .filter($table::timestamp.ge(start))
                .filter($table::timestamp.lt(end));
            of_agents!(query, $table::agent_id, agents)
        }
    )*};
}

partial_counts! {
    metric_count: metric_sample,
    speedtest_count: speedtest,
    traceroute_count: traceroute,
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// SQLite's sum of integers is an integer.
    #[aggregate]
    #[sql_name = "sum"]
    fn integer_sum(count: BigInt) -> Nullable<BigInt>;
}

/// The sum of the counts of one span; null if there are none.
pub(super) fn counted(
    account_id: AccountId,
    kind: RecordKind,
    agents: &Agents,
    span: CountedSpan,
) -> IntoBoxed<'_, Select<record_count::table, integer_sum<record_count::count>>, Sqlite> {
    let query = record_count::table
        .select(integer_sum(record_count::count))
        .into_boxed()
        .filter(record_count::account_id.eq(account_id.0))
        .filter(record_count::kind.eq(kind as i64))
        .filter(record_count::period.eq(span.period))
        .filter(record_count::bucket.ge(span.start))
        .filter(record_count::bucket.lt(span.end));
    counts_of_agents!(query, agents)
}
