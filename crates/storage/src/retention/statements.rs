//! What both back ends are asked in the same words.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use super::{Source, UnsealedDay};
use crate::chunks::{AgentDay, SealedSpan};

/// The first account behind `$1`.
pub(crate) const ACCOUNT_AFTER: &str = "SELECT id AS number FROM account WHERE id > $1 ORDER BY id LIMIT 1";

/// The first hour in which the account `$1` has rows of kind `$2`.
pub(crate) const OLDEST_COUNTED: &str = "SELECT bucket AS number FROM record_count WHERE account_id = $1 AND kind = $2 \
     AND agent_id = '' AND period = 3600 ORDER BY bucket LIMIT 1";

/// The first agent behind `$2` that may have rows or summaries in the account `$1`.
pub(crate) const fn agent_after(source: Source) -> &'static str {
    match source {
        Source::Samples | Source::Chunks => {
            "SELECT agent_id AS id FROM record_count WHERE account_id = $1 AND kind = 1 AND agent_id > $2 \
             ORDER BY agent_id LIMIT 1"
        }
        Source::Hours | Source::Days => {
            "SELECT agent_id AS id FROM metric_summary WHERE account_id = $1 AND agent_id > $2 \
             ORDER BY agent_id LIMIT 1"
        }
    }
}

/// The oldest times of the agent `$2` of account `$1` before `$3`, at most `$4`.
pub(crate) const fn oldest_times(source: Source) -> &'static str {
    match source {
        Source::Samples => {
            "SELECT timestamp AS number FROM metric_sample WHERE account_id = $1 AND agent_id = $2 \
             AND timestamp < $3 ORDER BY timestamp LIMIT $4"
        }
        Source::Chunks => {
            "SELECT starts_at AS number FROM metric_chunk WHERE account_id = $1 AND agent_id = $2 AND starts_at < $3 \
             AND first_at < $3 ORDER BY starts_at LIMIT $4"
        }
        Source::Hours => {
            "SELECT bucket AS number FROM metric_summary WHERE account_id = $1 AND agent_id = $2 AND period = 3600 \
             AND bucket < $3 ORDER BY bucket LIMIT $4"
        }
        Source::Days => {
            "SELECT bucket AS number FROM metric_summary WHERE account_id = $1 AND agent_id = $2 AND period = 86400 \
             AND bucket < $3 ORDER BY bucket LIMIT $4"
        }
    }
}

/// Whether the agent `$2` of account `$1` has samples that are rows from `$3` on: the first and the newest of its.
pub(crate) const UNSEALED: &str = "SELECT (SELECT MIN(timestamp) FROM metric_sample WHERE account_id = $1 \
     AND agent_id = $2 AND timestamp >= $3) AS oldest, (SELECT MAX(timestamp) FROM metric_sample \
     WHERE account_id = $1 AND agent_id = $2) AS newest";

/// How many samples of the agent `$3` of account `$2` from `$1` to before `$4` are rows, by hour behind `$1`. SQLite numbers
/// parameters in the order in which they come.
pub(crate) const UNSEALED_HOURS: &str = "SELECT (timestamp - $1) / 3600000000 AS hour, COUNT(*) AS number \
     FROM metric_sample WHERE account_id = $2 AND agent_id = $3 AND timestamp >= $1 AND timestamp < $4 GROUP BY 1";

/// Chunks of the agent `$3` of account `$2` that start from `$1` on and before `$4`.
pub(crate) const CHUNKS_OF_DAY: &str = "SELECT starts_at, ends_at, sample_count FROM metric_chunk \
     WHERE starts_at >= $1 AND account_id = $2 AND agent_id = $3 AND starts_at < $4";

/// Whether the agent `$2` of account `$1` has a chunk that reaches beyond the span from `$3` to `$4` and into it; none
/// starts before `$5`.
pub(crate) const CHUNKS_ACROSS: &str = "SELECT COUNT(*) AS number FROM metric_chunk WHERE account_id = $1 \
     AND agent_id = $2 AND ends_at > $3 AND starts_at < $4 AND starts_at > $5 AND (starts_at < $3 OR ends_at > $4)";

/// The account `$2` has a chunk that ends at `$1`.
pub(crate) const SEALED: &str = "UPDATE account SET sealed_before = $1 WHERE id = $2 AND sealed_before < $1";

/// Summaries of the agent `$2` of account `$1`, of period `$3`, from `$4` to `$5`, both included.
pub(crate) const SUMMARIES: &str = "SELECT bucket, sample_count, summary FROM metric_summary WHERE account_id = $1 \
     AND agent_id = $2 AND period = $3 AND bucket >= $4 AND bucket <= $5";

/// The same go.
pub(crate) const DELETE_SUMMARIES: &str = "DELETE FROM metric_summary WHERE account_id = $1 AND agent_id = $2 \
     AND period = $3 AND bucket >= $4 AND bucket <= $5";

/// Puts one summary in the place of another, or where there is none.
pub(crate) const PUT_SUMMARY: &str = "INSERT INTO metric_summary (account_id, agent_id, period, bucket, sample_count, \
     summary) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, agent_id, period, bucket) \
     DO UPDATE SET sample_count = excluded.sample_count, summary = excluded.summary";

/// Messages about alerts that were settled before `$3`; `$2` is the first id of that time.
macro_rules! old_deliveries {
    () => {
        "FROM alert_delivery WHERE account_id = $1 AND id < $2 AND settled_at < $3"
    };
}

/// Events that ended before `$3` and that nothing speaks of; `$2` is the first id of that time.
macro_rules! old_events {
    () => {
        "FROM alert_event AS e WHERE account_id = $1 AND id < $2 AND resolved_at < $3 \
         AND NOT EXISTS (SELECT 1 FROM alert_delivery AS d WHERE d.account_id = e.account_id AND d.event_id = e.id) \
         AND NOT EXISTS (SELECT 1 FROM alert_state AS s WHERE s.account_id = e.account_id AND s.rule_id = e.rule_id \
         AND s.agent_id = e.agent_id AND s.event_id = e.id)"
    };
}

/// Lines of the audit log from before that.
macro_rules! old_audit {
    ($before:literal) => {
        concat!("FROM audit WHERE account_id = $1 AND at < ", $before)
    };
}

/// Enrolment tokens that ended before that.
macro_rules! old_enrolments {
    ($before:literal) => {
        concat!(
            "FROM enrolment_token WHERE account_id = $1 AND created_at < ",
            $before,
            " AND (expires_at < ",
            $before,
            " OR revoked_at < ",
            $before,
            " OR (use_count >= max_uses AND last_used_at < ",
            $before,
            "))"
        )
    };
}

/// Which history of account `$1` is to go, as the number of a [`History`](super::History), or 0: `$2` and `$3` as above,
/// `$4` for enrolment tokens.
pub(crate) const HISTORY_DUE: &str = concat!(
    "SELECT CAST(CASE WHEN EXISTS (SELECT 1 ",
    old_deliveries!(),
    ") THEN 1 WHEN EXISTS (SELECT 1 ",
    old_events!(),
    ") THEN 2 WHEN EXISTS (SELECT 1 ",
    old_audit!("$3"),
    ") THEN 3 WHEN EXISTS (SELECT 1 ",
    old_enrolments!("$4"),
    ") THEN 4 ELSE 0 END AS BIGINT) AS number"
);

/// Old messages about alerts of account `$1` go, at most `$4`.
pub(crate) const DELETE_DELIVERIES: &str = concat!(
    "DELETE FROM alert_delivery WHERE account_id = $1 AND id IN (SELECT id ",
    old_deliveries!(),
    " ORDER BY id LIMIT $4)"
);

/// Old events of account `$1` go, at most `$4`.
pub(crate) const DELETE_EVENTS: &str = concat!(
    "DELETE FROM alert_event WHERE account_id = $1 AND id IN (SELECT id ",
    old_events!(),
    " ORDER BY id LIMIT $4)"
);

/// Lines of the audit log of account `$1` from before `$2` go, at most `$3`.
pub(crate) const DELETE_AUDIT: &str = concat!(
    "DELETE FROM audit WHERE account_id = $1 AND (at, id) IN (SELECT at, id ",
    old_audit!("$2"),
    " ORDER BY at, id LIMIT $3)"
);

/// Enrolment tokens of account `$1` that ended before `$2` go, at most `$3`.
pub(crate) const DELETE_ENROLMENTS: &str = concat!(
    "DELETE FROM enrolment_token WHERE account_id = $1 AND id IN (SELECT id ",
    old_enrolments!("$2"),
    " ORDER BY created_at LIMIT $3)"
);

/// A deleted agent of account `$1` whose data is still there.
pub(crate) const AGENT_TO_REMOVE: &str =
    "SELECT agent_id AS id FROM agent_removal WHERE account_id = $1 ORDER BY agent_id LIMIT 1";

/// The agent `$2` of account `$1`, if its data is to go.
pub(crate) const IS_TO_REMOVE: &str =
    "SELECT agent_id AS id FROM agent_removal WHERE account_id = $1 AND agent_id = $2";

/// Nothing of the agent `$2` of account `$1` is left.
pub(crate) const AGENT_REMOVED: &str = "DELETE FROM agent_removal WHERE account_id = $1 AND agent_id = $2";

/// A number.
#[derive(QueryableByName)]
pub(crate) struct NumberRow {
    #[diesel(sql_type = BigInt)]
    pub(crate) number: i64,
}

/// The ends of what is not sealed.
#[derive(QueryableByName)]
pub(crate) struct UnsealedRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(crate) oldest: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(crate) newest: Option<i64>,
}

/// The count of an hour.
#[derive(QueryableByName)]
pub(crate) struct HourRow {
    #[diesel(sql_type = BigInt)]
    pub(crate) hour: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) number: i64,
}

/// The span of a chunk, and how many samples it holds.
#[derive(QueryableByName)]
pub(crate) struct ChunkSpanRow {
    #[diesel(sql_type = BigInt)]
    pub(crate) starts_at: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) ends_at: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) sample_count: i64,
}

/// What of a day is to be sealed next.
pub(crate) fn unsealed_day(
    start: i64,
    hours: Vec<HourRow>,
    chunks: Vec<ChunkSpanRow>,
    finished_before: i64,
) -> UnsealedDay {
    let mut day = AgentDay { start, samples: [0; 24], chunks: Vec::new() };
    for row in hours {
        if let Some(hour) = usize::try_from(row.hour).ok().and_then(|hour| day.samples.get_mut(hour)) {
            *hour = row.number.unsigned_abs();
        }
    }
    let sealed = |chunk: ChunkSpanRow| SealedSpan {
        span: chunk.starts_at..chunk.ends_at,
        samples: chunk.sample_count.unsigned_abs(),
    };
    day.chunks = chunks.into_iter().map(sealed).collect();
    UnsealedDay { start, next_period: day.next_period(finished_before) }
}

/// An agent's id.
#[derive(QueryableByName)]
pub(crate) struct AgentIdRow {
    #[diesel(sql_type = Text)]
    pub(crate) id: String,
}

/// A stored summary.
#[derive(QueryableByName)]
pub(crate) struct SummaryRow {
    #[diesel(sql_type = BigInt)]
    pub(crate) bucket: i64,
    #[diesel(sql_type = BigInt)]
    pub(crate) sample_count: i64,
    #[diesel(sql_type = Binary)]
    pub(crate) summary: Vec<u8>,
}
