use astranetmon_domain::Timestamp;

use crate::batch::Refusal;

/// The times of rows that are taken at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBounds {
    now: Timestamp,
    oldest: Timestamp,
    kept_days: u32,
}

impl TimeBounds {
    /// How far ahead of the server's clock a row may be, in seconds.
    pub const MOST_AHEAD_SECONDS: i64 = 600;

    /// From `oldest` on, at the time `now` of the server's clock, for an account that keeps such rows for `kept_days`.
    #[must_use]
    pub const fn new(now: Timestamp, oldest: Timestamp, kept_days: u32) -> Self {
        Self { now, oldest, kept_days }
    }

    /// For an account that keeps such rows for `kept_days`, at the time `now` of the server's clock.
    #[must_use]
    pub const fn keeping_days(now: Timestamp, kept_days: u32) -> Self {
        Self::new(now, now.plus_seconds(-86_400 * kept_days as i64), kept_days)
    }

    /// The first time that is taken.
    #[must_use]
    pub const fn oldest(&self) -> Timestamp {
        self.oldest
    }

    /// The last time that is taken.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.now.plus_seconds(Self::MOST_AHEAD_SECONDS)
    }

    /// Of a row whose time the account has put into summaries already; it may keep rows for longer again since.
    pub(crate) fn summarized() -> Refusal {
        Refusal::of("timestamp", "is of a time that this account has put into summaries: nothing can be added to it")
    }

    pub(super) fn check(&self, timestamp: Timestamp) -> Result<Timestamp, Refusal> {
        if timestamp < self.oldest {
            let (days, oldest) = (self.kept_days, self.oldest);
            if timestamp >= Self::keeping_days(self.now, days).oldest {
                return Err(Self::summarized());
            }
            let s = if days == 1 { "" } else { "s" };
            return Err(Refusal::of(
                "timestamp",
                format!("is older than this account keeps ({days} day{s}): the oldest that is taken now is {oldest}"),
            ));
        }
        if timestamp > self.newest() {
            let now = self.now;
            return Err(Refusal::of(
                "timestamp",
                format!(
                    "is more than 10 minutes ahead of the server's clock, which shows {now}: set the sender's clock"
                ),
            ));
        }
        Ok(timestamp)
    }
}
