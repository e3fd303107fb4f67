use astranetmon_domain::{Plan, Timestamp};
use astranetmon_ratelimit::UsageCount;

use crate::format::{full_time, grouped};

/// Hours that a chart shows, the one that runs included.
pub(super) const HOURS: usize = 24;
const HOUR_SECONDS: i64 = 3_600;
/// Of the picture, in its own units.
const HEIGHT: f64 = 36.0;
const STEP: f64 = 6.0;
const BAR: f64 = 4.0;
/// What little there is can be seen.
const LEAST: f64 = 1.5;

/// Requests of one key in one hour, drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) served_y: f64,
    pub(crate) served_height: f64,
    pub(crate) refused_y: f64,
    pub(crate) refused_height: f64,
    /// `14:00 UTC: 300 served, 2 refused`.
    pub(crate) title: String,
}

/// Requests of one key by hour over a day, as an SVG of bars.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UsageChart {
    pub(crate) bars: Vec<Bar>,
    pub(crate) served: String,
    pub(crate) refused: u64,
    /// The whole picture in words.
    pub(crate) summary: String,
}

/// Where a chart of that day begins.
pub(super) fn first_hour(now: Timestamp) -> Timestamp {
    now.hour_start().plus_seconds(-HOUR_SECONDS * (HOURS as i64 - 1))
}

impl UsageChart {
    /// Of the counts of one key. A bar of full height is the plan's hourly limit, or the busiest hour if there is none
    /// or that is more.
    pub(super) fn new(counts: &[UsageCount], plan: Plan, now: Timestamp) -> Self {
        let first = first_hour(now);
        let mut hours = [(0, 0); HOURS];
        for count in counts {
            let index = (count.hour.as_seconds() - first.as_seconds()).div_euclid(HOUR_SECONDS);
            if let Some((served, refused)) = usize::try_from(index).ok().and_then(|index| hours.get_mut(index)) {
                *served += count.served;
                *refused += count.refused;
            }
        }
        let busiest = hours.iter().map(|(served, refused)| served + refused).max().unwrap_or_default();
        let full = busiest.max(plan.hourly_limit().map_or(1, u64::from));
        let bars = hours.iter().enumerate().map(|(index, &(served, refused))| {
            let (served_height, refused_height) = (height(served, full), height(refused, full));
            let hour = full_time(first.plus_seconds(HOUR_SECONDS * index as i64));
            Bar {
                x: index as f64 * STEP,
                served_y: HEIGHT - served_height,
                served_height,
                refused_y: HEIGHT - served_height - refused_height,
                refused_height,
                title: format!("{}: {} served, {} refused", &hour[11..16], grouped(served), grouped(refused)),
            }
        });
        let (served, refused) = hours.iter().fold((0, 0), |sum, hour| (sum.0 + hour.0, sum.1 + hour.1));
        let mut summary =
            format!("Requests of the last 24 hours: {} served, {} refused", grouped(served), grouped(refused));
        if let Some((index, most)) = hours.iter().map(|hour| hour.0 + hour.1).enumerate().max_by_key(|hour| hour.1)
            && most > 0
        {
            let hour = full_time(first.plus_seconds(HOUR_SECONDS * index as i64));
            summary.push_str(&format!("; most in one hour: {} from {} UTC", grouped(most), &hour[11..16]));
        }
        Self { bars: bars.collect(), served: grouped(served), refused, summary }
    }

    /// Of the picture, in its own units.
    #[expect(clippy::unused_self, reason = "templates call it so")]
    pub(crate) const fn view_box(&self) -> &'static str {
        "0 0 142 36"
    }

    #[expect(clippy::unused_self, reason = "templates call it so")]
    pub(crate) const fn bar_width(&self) -> f64 {
        BAR
    }
}

fn height(count: u64, full: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let exact = HEIGHT * count as f64 / full as f64;
    (exact.max(LEAST) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AccountId, ApiKeyId};

    use super::*;

    /// 2026-11-23T11:26:58Z
    const NOW: Timestamp = Timestamp::from_seconds(1_795_433_218);

    fn count(hours_ago: i64, served: u64, refused: u64) -> UsageCount {
        let hour = NOW.hour_start().plus_seconds(-HOUR_SECONDS * hours_ago);
        UsageCount { account_id: AccountId(1), key_id: ApiKeyId(1), hour, served, refused, last_used_at: hour }
    }

    #[test]
    fn a_bar_of_full_height_is_the_plans_limit() {
        let counts = [count(0, 50, 0), count(23, 100, 0), count(24, 7, 7), count(2, 0, 1)];
        let chart = UsageChart::new(&counts, Plan::Starter, NOW);
        assert_eq!(chart.bars.len(), HOURS);
        let last = &chart.bars[23];
        assert_eq!((last.x, last.served_y, last.served_height), (138.0, 18.0, 18.0));
        assert_eq!(chart.bars[0].served_height, 36.0, "a day ago less an hour is the first");
        assert_eq!((chart.bars[21].refused_y, chart.bars[21].refused_height), (34.5, 1.5), "one is seen");
        assert_eq!(chart.bars[5].served_height, 0.0);
        assert_eq!(last.title, "11:00: 50 served, 0 refused");
        assert_eq!((chart.served.as_str(), chart.refused), ("150", 1));
        assert_eq!(
            chart.summary,
            "Requests of the last 24 hours: 150 served, 1 refused; most in one hour: 100 from 12:00 UTC"
        );
    }

    #[test]
    fn without_a_limit_or_above_it_the_busiest_hour_is_full() {
        let busy = UsageChart::new(&[count(1, 1_500, 500)], Plan::Enterprise, NOW);
        assert_eq!((busy.bars[22].served_height, busy.bars[22].refused_height), (27.0, 9.0));
        assert_eq!(busy.bars[22].refused_y, 0.0);
        let over = UsageChart::new(&[count(1, 100, 100)], Plan::Starter, NOW);
        assert_eq!((over.bars[22].served_height, over.bars[22].refused_height), (18.0, 18.0));
        let none = UsageChart::new(&[], Plan::Enterprise, NOW);
        assert_eq!(none.summary, "Requests of the last 24 hours: 0 served, 0 refused");
        assert!(none.bars.iter().all(|bar| bar.served_height == 0.0));
    }
}
