use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use astranetmon_domain::{Timestamp, parse_moment};
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::StorageError;

/// Held while a partition is made.
pub(super) const LOCK: i64 = 0x6173_7472_7061_7274;

/// Months outside these years share a partition, which bounds how many there can be.
const MONTHLY_YEARS: std::ops::RangeInclusive<i64> = 2_000..=2_100;

/// A month of UTC that has a partition of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Month {
    year: i64,
    month: i64,
}

impl Month {
    fn of(micros: i64) -> Option<Self> {
        let text = Timestamp::from_micros(micros).to_string();
        let number = |digits: std::ops::Range<usize>| text.get(digits)?.parse().ok();
        let month = Self { year: number(0..4)?, month: number(5..7)? };
        MONTHLY_YEARS.contains(&month.year).then_some(month)
    }

    fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    /// Its first moment, in microseconds.
    fn start(self) -> Result<i64> {
        let date = format!("{:04}-{:02}-01", self.year, self.month);
        let start = parse_moment(&date, Timestamp::MIN);
        start
            .map(Timestamp::as_micros)
            .map_err(|error| StorageError::Internal { context: "a partition's month", source: Some(Box::new(error)) })
    }
}

/// The months of these times, but those that have no partition of their own; each with its first moment and its end.
pub(super) fn months(micros: impl Iterator<Item = i64>) -> Result<BTreeSet<(Month, i64, i64)>> {
    let mut months = BTreeSet::new();
    let mut last = 0..0;
    for at in micros {
        if !last.contains(&at)
            && let Some(month) = Month::of(at)
        {
            last = month.start()?..month.next().start()?;
            months.insert((month, last.start, last.end));
        }
    }
    Ok(months)
}

/// What a month's partition of `table` is called.
pub(super) fn partition_name(table: &str, month: Month) -> String {
    format!("{table}_y{:04}m{:02}", month.year, month.month)
}

/// Makes a partition for the times from `start` to `end`. Unlike `CREATE … PARTITION OF`, attaching does not lock out
/// readers and writers of the other partitions.
pub(super) fn partition_statements(table: &str, partition: &str, (start, end): (i64, i64)) -> String {
    format!(
        "CREATE TABLE {partition} (LIKE {table} INCLUDING ALL); \
         ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({start}) TO ({end})"
    )
}

/// The end of the month of the partition `name` of `table`, in microseconds; `None` if it is not of a month.
pub(super) fn end_of(table: &str, name: &str) -> Result<Option<i64>> {
    let month = name.strip_prefix(table).and_then(|rest| rest.strip_prefix("_y")).and_then(|rest| {
        let (year, month) = rest.split_once('m')?;
        Some(Month { year: year.parse().ok()?, month: month.parse().ok()? })
    });
    month.map(|month| month.next().start()).transpose()
}

/// Keeps everybody else from making and dropping partitions until the transaction ends.
pub(super) async fn lock(connection: &mut AsyncPgConnection) -> std::result::Result<(), Failure> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(LOCK).execute(connection).await?;
    Ok(())
}

/// The partitions that this process has seen.
#[derive(Default)]
pub(super) struct Partitions(Mutex<HashSet<(&'static str, Month)>>);

impl Partitions {
    /// Months of `micros` for which `table` may lack a partition.
    fn unseen(&self, table: &'static str, micros: impl Iterator<Item = i64>) -> Result<Vec<(Month, i64, i64)>> {
        let months = months(micros)?;
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(months.into_iter().filter(|&(month, ..)| !seen.contains(&(table, month))).collect())
    }

    fn saw(&self, table: &'static str, month: Month) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((table, month));
    }

    /// Another process has dropped one.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl PostgresStorage {
    /// Makes the partitions that records of these times need, outside the transaction that will write them.
    pub(super) async fn make_partitions(&self, table: &'static str, micros: impl Iterator<Item = i64>) -> Result<()> {
        for (month, start, end) in self.lanes.partitions.unseen(table, micros)? {
            self.write("making a partition", async |connection| {
                connection
                    .transaction(async |connection| make_partition(connection, table, month, (start, end)).await)
                    .await
            })
            .await?;
            self.lanes.partitions.saw(table, month);
        }
        Ok(())
    }
}

async fn make_partition(
    connection: &mut AsyncPgConnection,
    table: &'static str,
    month: Month,
    bounds: (i64, i64),
) -> std::result::Result<(), Failure> {
    let partition = partition_name(table, month);
    lock(connection).await?;
    let there: bool =
        diesel::select(diesel::dsl::sql::<Bool>("to_regclass(").bind::<Text, _>(&partition).sql(") IS NOT NULL"))
            .get_result(connection)
            .await?;
    if !there {
        connection.batch_execute(&partition_statements(table, &partition, bounds)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_the_partition_of_its_month() {
        for (text, expected) in [
            ("2026-11-30T23:59:59.999999Z", Some((2026, 11))),
            ("2026-12-01", Some((2026, 12))),
            ("2000-01-01", Some((2000, 1))),
            ("1999-12-31T23:59:59.999999Z", None),
            ("2100-12-31T23:59:59.999999Z", Some((2100, 12))),
            ("2101-01-01", None),
        ] {
            let at = parse_moment(text, Timestamp::MIN).expect(text).as_micros();
            let month = Month::of(at);
            assert_eq!(month.map(|month| (month.year, month.month)), expected, "{text}");
            if let Some(month) = month {
                let bounds = month.start().expect("a date")..month.next().start().expect("a date");
                assert!(bounds.contains(&at), "{text}");
            }
        }
    }

    #[test]
    fn partitions_of_one_table_are_asked_for_once() {
        let partitions = Partitions::default();
        let day = 86_400_000_000;
        let start = parse_moment("2026-10-01", Timestamp::MIN).expect("a date").as_micros();
        let times = || (0..62).map(|n| start + n * day);
        let months = partitions.unseen("metric_sample", times()).expect("dates");
        assert_eq!(months.iter().map(|(month, ..)| month.month).collect::<Vec<_>>(), [10, 11, 12]);
        months.iter().for_each(|&(month, ..)| partitions.saw("metric_sample", month));
        assert_eq!(partitions.unseen("metric_sample", times()).expect("dates"), []);
        assert_eq!(partitions.unseen("speedtest", times()).expect("dates").len(), 3);
    }
}
