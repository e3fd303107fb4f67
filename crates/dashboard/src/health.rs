//! How an agent itself is, in words.

use astranetmon_domain::Timestamp;
use astranetmon_storage::AgentHealth;

use crate::format::{self, UNKNOWN};

/// Rows that wait are worth a look once the oldest has waited for so long, in seconds.
const LONG_WAIT: i64 = 300;
/// A clock that is this far off is worth a look, in milliseconds.
const CLOCK_OFF: u64 = 10_000;
/// Below this nobody can tell a clock that is off from a slow message, in milliseconds.
const CLOCK_IN_STEP: u64 = 1_000;

/// What an agent last said of itself; [`UNKNOWN`] where it said nothing.
pub(crate) struct HealthView {
    /// `1,204`; rows that wait on its disk.
    pub(crate) waiting: String,
    /// `oldest 3 min ago`, if something waits.
    pub(crate) oldest: Option<String>,
    /// Whether rows wait for long.
    pub(crate) is_late: bool,
    /// `12`; rows it gave up, if it did.
    pub(crate) dropped: Option<String>,
    /// `0.3 %` of one processor core.
    pub(crate) cpu: String,
    /// `12.4 MiB`
    pub(crate) memory: String,
    /// `in step`, `12 s ahead`.
    pub(crate) clock: String,
    pub(crate) is_clock_off: bool,
    /// `astra_agent_ab12…`, if it was enrolled.
    pub(crate) token: Option<String>,
    pub(crate) token_used_at: Option<Timestamp>,
    pub(crate) enrolled_at: Option<Timestamp>,
    pub(crate) heartbeat_at: Option<Timestamp>,
}

impl HealthView {
    pub(crate) fn of(health: Option<&AgentHealth>, now: Timestamp) -> Self {
        let report = health.and_then(|health| health.report.as_ref());
        let token = health.and_then(|health| health.token.as_ref());
        let waiting = report.and_then(|report| report.spool_row_count);
        let oldest = report.and_then(|report| report.spool_oldest_at).filter(|_| waiting.is_some_and(|rows| rows > 0));
        let dropped = report.and_then(|report| report.dropped_row_count).filter(|&rows| rows > 0);
        let offset = report.and_then(|report| report.clock_offset_ms);
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let memory = report.and_then(|report| report.cost_memory_bytes).map(|bytes| bytes as f64);
        Self {
            waiting: waiting.map_or_else(|| UNKNOWN.to_owned(), format::grouped),
            oldest: oldest.map(|at| format!("oldest {}", format::ago(at, now))),
            is_late: oldest.is_some_and(|at| at <= now.plus_seconds(-LONG_WAIT)),
            dropped: dropped.map(format::grouped),
            cpu: format::or_unknown(report.and_then(|report| report.cost_cpu_percent), format::percent),
            memory: format::or_unknown(memory, format::bytes),
            clock: offset.map_or_else(|| UNKNOWN.to_owned(), clock),
            is_clock_off: offset.is_some_and(|offset| offset.unsigned_abs() >= CLOCK_OFF),
            token: token.map(|token| format!("astra_agent_{}…", token.hint.as_str())),
            token_used_at: token.and_then(|token| token.last_used_at),
            enrolled_at: token.map(|token| token.created_at),
            heartbeat_at: report.map(|report| report.heartbeat_at),
        }
    }

    /// Names and values for the agent's own page, those that are known.
    pub(crate) fn facts(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let Some(heartbeat_at) = self.heartbeat_at else { return self.token_facts(now) };
        let waiting = match &self.oldest {
            Some(oldest) => format!("{}, {oldest}", self.waiting),
            None => self.waiting.clone(),
        };
        let mut facts = vec![
            ("Rows waiting", waiting),
            ("Rows given up", self.dropped.clone().unwrap_or_else(|| "0".to_owned())),
            ("Own processor use", format!("{} of a core", self.cpu)),
            ("Own memory", self.memory.clone()),
            ("Clock", self.clock.clone()),
            ("Last heartbeat", format::ago(heartbeat_at, now)),
        ];
        facts.extend(self.token_facts(now));
        facts
    }

    /// What needs a look, a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let late = self.oldest.as_ref().filter(|_| self.is_late).map(|oldest| {
            format!(
                "{} rows wait on the agent’s disk, the {oldest}: it cannot send fast enough, or not at all.",
                self.waiting
            )
        });
        let dropped = self.dropped.as_ref().map(|rows| {
            format!("The agent gave up {rows} rows because its spool was full: they are not in these charts.")
        });
        let clock = self
            .is_clock_off
            .then(|| format!("The agent’s clock is {}: what it measures is dated by that clock.", self.clock));
        [late, dropped, clock].into_iter().flatten().collect()
    }

    fn token_facts(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        let used = self.token_used_at.map_or_else(|| "never".to_owned(), |at| format::ago(at, now));
        let enrolled = self.enrolled_at.map(format::full_time);
        let Some((token, enrolled)) = self.token.clone().zip(enrolled) else { return Vec::new() };
        vec![("Token", token), ("Token last used", used), ("Enrolled", enrolled)]
    }
}

/// Of how far a clock is ahead of the server's, in milliseconds.
fn clock(offset: i64) -> String {
    let size = offset.unsigned_abs();
    if size < CLOCK_IN_STEP {
        return "in step".to_owned();
    }
    let length = format::largest_unit(i64::try_from(size / 1_000).unwrap_or(i64::MAX));
    format!("{length} {}", if offset > 0 { "ahead" } else { "behind" })
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AgentId, HealthReport};

    use super::*;

    #[test]
    fn a_clock_is_told_by_how_far_it_is_off() {
        for (offset, expected) in [
            (0, "in step"),
            (-999, "in step"),
            (1_000, "1 s ahead"),
            (-61_000, "1 min behind"),
            (i64::MIN, "106751991167 d behind"),
        ] {
            assert_eq!(clock(offset).replace('\u{a0}', " "), expected);
        }
    }

    #[test]
    fn what_an_agent_did_not_say_is_unknown_and_what_waits_for_long_is_marked() {
        let now = Timestamp::from_seconds(1_000_000);
        let unknown = HealthView::of(None, now);
        assert_eq!((unknown.waiting.as_str(), unknown.clock.as_str()), (UNKNOWN, UNKNOWN));
        assert!(unknown.facts(now).is_empty() && unknown.dropped.is_none() && !unknown.is_late);
        for (rows, since, expected, is_late) in [
            (0, 900, None, false),
            (1_204, 60, Some("oldest 1 min ago"), false),
            (1_204, 300, Some("oldest 5 min ago"), true),
        ] {
            let report = HealthReport {
                heartbeat_at: now,
                spool_row_count: Some(rows),
                spool_oldest_at: Some(now.plus_seconds(-since)),
                dropped_row_count: Some(0),
                cost_cpu_percent: Some(0.31),
                cost_memory_bytes: Some(13 << 20),
                clock_offset_ms: Some(-12_345),
            };
            let id = AgentId::parse("a").expect("an id");
            let health = AgentHealth { agent_id: id, token: None, report: Some(report) };
            let view = HealthView::of(Some(&health), now);
            assert_eq!(view.oldest.map(|text| text.replace('\u{a0}', " ")).as_deref(), expected);
            assert_eq!((view.is_late, view.is_clock_off, view.dropped), (is_late, true, None));
        }
    }
}
