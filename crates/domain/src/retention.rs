use std::fmt;

use crate::{Plan, Timestamp};

const DAY_SECONDS: i64 = 86_400;

/// How many days an account's measured data is kept, step by step: samples as they came, then one summary an hour in
/// their place, then one a day. Speed tests and traceroutes are kept as long as hourly summaries.
///
/// At least a day of samples, and no step ends before the one ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    raw_days: u32,
    hourly_days: u32,
    daily_days: u32,
}

/// The numbers are no retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("samples are kept for at least 1 day, hourly summaries at least as long, daily ones at least as long as those")]
pub struct InvalidRetention;

impl Retention {
    /// Days of samples, of hourly summaries, of daily summaries, each counted from now.
    ///
    /// # Errors
    /// Unless 1 <= `raw_days` <= `hourly_days` <= `daily_days`.
    pub const fn new(raw_days: u32, hourly_days: u32, daily_days: u32) -> Result<Self, InvalidRetention> {
        if raw_days >= 1 && raw_days <= hourly_days && hourly_days <= daily_days {
            Ok(Self { raw_days, hourly_days, daily_days })
        } else {
            Err(InvalidRetention)
        }
    }

    /// The most that a plan keeps, and what it keeps unless the account chooses less.
    #[must_use]
    pub const fn of_plan(plan: Plan) -> Self {
        let (raw_days, hourly_days, daily_days) = match plan {
            Plan::Starter => (31, 400, 1_100),
            Plan::Professional => (93, 800, 1_830),
            Plan::Enterprise => (400, 1_830, 3_660),
        };
        Self { raw_days, hourly_days, daily_days }
    }

    /// Days for which samples are kept as they came.
    #[must_use]
    pub const fn raw_days(self) -> u32 {
        self.raw_days
    }

    /// Days for which hourly summaries, speed tests and traceroutes are kept.
    #[must_use]
    pub const fn hourly_days(self) -> u32 {
        self.hourly_days
    }

    /// Days for which daily summaries are kept.
    #[must_use]
    pub const fn daily_days(self) -> u32 {
        self.daily_days
    }

    /// The shorter of the two, step by step.
    #[must_use]
    pub fn shorter(self, other: Self) -> Self {
        Self {
            raw_days: self.raw_days.min(other.raw_days),
            hourly_days: self.hourly_days.min(other.hourly_days),
            daily_days: self.daily_days.min(other.daily_days),
        }
    }

    /// Whether no step is longer than that of `bound`.
    #[must_use]
    pub fn is_within(self, bound: Self) -> bool {
        self.shorter(bound) == self
    }

    /// The first moment of which samples are kept at `now`.
    #[must_use]
    pub const fn raw_start(self, now: Timestamp) -> Timestamp {
        before(now, self.raw_days)
    }

    /// The first moment of which hourly summaries, speed tests and traceroutes are kept at `now`.
    #[must_use]
    pub const fn hourly_start(self, now: Timestamp) -> Timestamp {
        before(now, self.hourly_days)
    }

    /// The first moment of which daily summaries are kept at `now`.
    #[must_use]
    pub const fn daily_start(self, now: Timestamp) -> Timestamp {
        before(now, self.daily_days)
    }

    /// Of how many seconds the summaries are in which samples of the moment `at` are kept at `now`; `None` where they are
    /// kept as they came.
    #[must_use]
    pub fn summary_seconds(self, at: Timestamp, now: Timestamp) -> Option<u32> {
        if at >= self.raw_start(now) {
            None
        } else if at >= self.hourly_start(now) {
            Some(3_600)
        } else {
            Some(86_400)
        }
    }
}

const fn before(now: Timestamp, days: u32) -> Timestamp {
    now.plus_seconds(-(days as i64 * DAY_SECONDS))
}

/// `31/400/1100`: days of samples, hourly and daily summaries.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.raw_days, self.hourly_days, self.daily_days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_end_before_those_ahead_of_them() {
        for (raw, hourly, daily, is_valid) in [
            (1, 1, 1, true),
            (31, 400, 1_100, true),
            (0, 1, 1, false),
            (2, 1, 2, false),
            (1, 2, 1, false),
            (u32::MAX, u32::MAX, u32::MAX, true),
        ] {
            assert_eq!(Retention::new(raw, hourly, daily).is_ok(), is_valid, "{raw}/{hourly}/{daily}");
        }
    }

    #[test]
    fn a_plan_keeps_at_least_as_long_as_a_smaller_one() {
        let plans = Plan::ALL.map(Retention::of_plan);
        for pair in plans.windows(2) {
            assert!(pair[0].is_within(pair[1]) && !pair[1].is_within(pair[0]), "{pair:?}");
        }
        for plan in plans {
            assert_eq!(Retention::new(plan.raw_days(), plan.hourly_days(), plan.daily_days()), Ok(plan));
        }
    }

    #[test]
    fn the_shorter_of_two_is_a_retention() {
        let (a, b) = (Retention::new(10, 20, 2_000), Retention::new(1, 400, 1_100));
        let (a, b) = (a.expect("valid"), b.expect("valid"));
        assert_eq!(Ok(a.shorter(b)), Retention::new(1, 20, 1_100));
        assert_eq!(a.shorter(b).to_string(), "1/20/1100");
    }

    #[test]
    fn days_count_back_from_now() {
        let now = Timestamp::from_seconds(10 * DAY_SECONDS + 5);
        let kept = Retention::new(1, 2, 10).expect("valid");
        assert_eq!(kept.raw_start(now), Timestamp::from_seconds(9 * DAY_SECONDS + 5));
        assert_eq!(kept.hourly_start(now), Timestamp::from_seconds(8 * DAY_SECONDS + 5));
        assert_eq!(kept.daily_start(now), Timestamp::from_seconds(5));
        for (seconds, summary) in
            [(0, None), (1, Some(3_600)), (DAY_SECONDS, Some(3_600)), (DAY_SECONDS + 1, Some(86_400))]
        {
            assert_eq!(kept.summary_seconds(kept.raw_start(now).plus_seconds(-seconds), now), summary, "{seconds}");
        }
    }
}
