//! When to measure: at whole intervals of the wall clock, each agent a little after them at a moment of its own.

use std::cell::Cell;
use std::time::Duration;

use astranetmon_domain::{AgentId, Clock, Timestamp};
use tokio::time::Instant;

/// A cadence. It looks at the clock anew for every moment, so that moments that were missed are skipped, and a clock
/// that was set does not make it wait or hurry.
#[derive(Debug)]
pub(crate) struct Schedule {
    interval: i64,
    offset: i64,
    /// The moment that was waited for last. A clock that is slewed shows a little less when the wait for it ends, and
    /// it must not come again.
    last: Cell<Option<Timestamp>>,
}

/// How a moment came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Whether the wall clock was set, or the machine slept, since the moment before: what is measured as a difference
    /// of two readings starts anew.
    pub(crate) clock_stepped: bool,
}

/// The clock is slewed by less than this within an interval.
const STEP: Duration = Duration::from_secs(1);

impl Schedule {
    /// Every `interval`, within `spread` after it. `what` tells apart the cadences of one agent.
    pub(crate) fn new(interval: Duration, spread: Duration, agent: &AgentId, what: &str) -> Self {
        let interval = micros(interval).max(1);
        let spread = micros(spread).clamp(0, interval);
        let offset = if spread == 0 { 0 } else { i64::try_from(hash(agent, what) >> 1).unwrap_or(0) % spread };
        Self { interval, offset, last: Cell::new(None) }
    }

    /// The first moment after `now`.
    pub(crate) fn after(&self, now: Timestamp) -> Timestamp {
        let into = (now.as_micros() - self.offset).rem_euclid(self.interval);
        now.plus_micros(self.interval - into)
    }

    /// Waits for the next moment.
    pub(crate) async fn next(&self, clock: &dyn Clock) -> Moment {
        let (now, start) = (clock.now(), Instant::now());
        let mut due = self.after(now);
        if self.last.get() == Some(due) {
            due = due.plus_micros(self.interval);
        }
        self.last.set(Some(due));
        let wait = Duration::from_micros(u64::try_from(due.as_micros() - now.as_micros()).unwrap_or(0));
        tokio::time::sleep(wait).await;
        let (by_clock, by_time) = (clock.now().as_micros() - now.as_micros(), micros(start.elapsed()));
        Moment { clock_stepped: (by_clock - by_time).unsigned_abs() >= STEP.as_micros().try_into().unwrap_or(u64::MAX) }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A number that is the same whenever this agent asks for it.
pub(crate) fn stable_number(agent: &AgentId, what: &str) -> u16 {
    u16::try_from(hash(agent, what) >> 48).unwrap_or(0)
}

/// 64-bit FNV-1a: the same in every version of the program.
fn hash(agent: &AgentId, what: &str) -> u64 {
    let bytes = agent.as_str().bytes().chain([0]).chain(what.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::ManualClock;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn agent(name: &str) -> AgentId {
        AgentId::parse(name).expect("good")
    }

    #[test]
    fn moments_are_whole_intervals_and_an_offset_that_stays() {
        let spread = Duration::from_secs(5);
        let schedule = Schedule::new(MINUTE, spread, &agent("web-1"), "metrics");
        assert!((0..micros(spread)).contains(&schedule.offset));
        assert_eq!(schedule.offset, Schedule::new(MINUTE, spread, &agent("web-1"), "metrics").offset);
        assert_ne!(schedule.offset, Schedule::new(MINUTE, spread, &agent("web-2"), "metrics").offset);
        let mut now = Timestamp::from_micros(1_795_433_218_123_456);
        for _ in 0..5 {
            let next = schedule.after(now);
            assert!(next > now && next.as_micros() - now.as_micros() <= micros(MINUTE));
            assert_eq!(next.as_micros() % micros(MINUTE), schedule.offset);
            now = next;
        }
        // An hour that was missed is not made up for.
        let late = now.plus_seconds(3_600).plus_micros(1);
        assert_eq!(schedule.after(late).as_micros() - late.as_micros(), micros(MINUTE) - 1);
        assert_eq!(Schedule::new(MINUTE, Duration::ZERO, &agent("web-1"), "metrics").offset, 0);
    }

    #[test]
    fn many_agents_are_spread_over_the_whole_of_an_interval() {
        let hour = Duration::from_secs(3_600);
        let mut quarters = [0; 4];
        for number in 0..1_000 {
            let schedule = Schedule::new(hour, hour, &agent(&format!("host-{number}")), "speedtest");
            quarters[usize::try_from(schedule.offset / (micros(hour) / 4)).expect("a quarter")] += 1;
        }
        assert!(quarters.iter().all(|&count| (180..320).contains(&count)), "{quarters:?}");
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_clock_that_was_set_is_noticed_and_neither_waited_nor_hurried_for() {
        // (what happens to the clock within the minute, whether it is a step)
        for (seconds, stepped) in [(60, false), (3_660, true), (-3_540, true), (61, true), (0, true)] {
            let schedule = Schedule::new(MINUTE, Duration::ZERO, &agent("web-1"), "metrics");
            let clock = ManualClock::new(Timestamp::from_seconds(1_200_000_000));
            let start = Instant::now();
            let (moment, ()) = tokio::join!(schedule.next(&clock), async {
                tokio::time::sleep(Duration::from_secs(30)).await;
                clock.advance_seconds(seconds);
            });
            assert_eq!(start.elapsed().as_secs(), 60, "{seconds}");
            assert_eq!(moment.clock_stepped, stepped, "{seconds}");
        }
    }
    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_clock_that_runs_slow_brings_no_moment_twice() {
        let schedule = Schedule::new(MINUTE, Duration::ZERO, &agent("web-1"), "metrics");
        let clock = ManualClock::new(Timestamp::from_seconds(1_200_000_000));
        let start = Instant::now();
        for minutes in 1..=3 {
            let shown = clock.now();
            let moment = tokio::join!(schedule.next(&clock), async {
                tokio::time::sleep(Duration::from_secs(30)).await;
                // 5 ms before the whole minute.
                let missing = 1_200_000_000_000_000 + minutes * 60_000_000 - 5_000 - shown.as_micros();
                clock.advance_micros(missing);
            })
            .0;
            assert!(!moment.clock_stepped);
            assert_eq!(start.elapsed().as_millis() / 100, 600 * u128::try_from(minutes).expect("few"));
        }
    }
}
