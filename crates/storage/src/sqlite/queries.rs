crate::queries::backend_queries!(diesel::sqlite::Sqlite);

use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use crate::counts::{CountedSpan, RecordKind};

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
