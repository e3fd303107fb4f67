//! How samples are put in buckets so that a chart shows gaps where nothing was measured, and nowhere else.

use astranetmon_domain::Timestamp;
use astranetmon_storage::MetricBucket;

/// Lengths of buckets, in seconds: those that divide a day, so that buckets begin at round times.
const LENGTHS: [u32; 15] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400];
/// As many as a chart has use for.
const MOST_BUCKETS: i64 = 480;

/// The length of a span's buckets: the shortest that makes no more of them than a chart shows and that holds a sample
/// of an agent that measures every `interval_seconds`.
pub(super) fn bucket_seconds(span_seconds: i64, interval_seconds: u32) -> u32 {
    let shortest = span_seconds.div_euclid(MOST_BUCKETS).max(i64::from(interval_seconds));
    LENGTHS.into_iter().find(|&length| i64::from(length) >= shortest).unwrap_or(86_400)
}

/// A place on the time axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// The bucket of that index.
    Measured(usize),
    /// Nothing was measured in the bucket that begins here.
    Gap(Timestamp),
}

/// Lays buckets, oldest first, on the time axis from `start` to `end`, with a place for every bucket that is missing
/// in between. An agent's samples drift within the bounds of buckets as long as its interval: a lone missing bucket is
/// no gap if its sample slipped into a neighbour, which then holds one too many.
pub(super) fn on_axis(
    buckets: &[MetricBucket],
    start: Timestamp,
    end: Timestamp,
    bucket_seconds: u32,
    interval_seconds: u32,
) -> Vec<Place> {
    let length = i64::from(bucket_seconds);
    let due = bucket_seconds.div_ceil(interval_seconds.max(1)).max(1);
    let holds_one_too_many = |index: usize| buckets.get(index).is_some_and(|bucket| bucket.sample_count > due);
    let mut places = Vec::with_capacity(buckets.len());
    let mut next = start.as_seconds().div_euclid(length) * length;
    for (index, bucket) in buckets.iter().enumerate() {
        let at = bucket.start.as_seconds();
        let missing = (at - next) / length;
        let slipped =
            missing == 1 && (holds_one_too_many(index) || index.checked_sub(1).is_some_and(&holds_one_too_many));
        if missing > 0 && !slipped {
            places.extend((0..missing).map(|n| Place::Gap(Timestamp::from_seconds(next + n * length))));
        }
        places.push(Place::Measured(index));
        next = at + length;
    }
    // The bucket that holds `end` may be about to be measured.
    while next + length < end.as_seconds() {
        places.push(Place::Gap(Timestamp::from_seconds(next)));
        next += length;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_as_short_as_chart_and_agent_allow() {
        for (span, interval, expected) in [
            (3_600, 60, 60),
            (3_600, 5, 10),
            (86_400, 60, 300),
            (7 * 86_400, 60, 1_800),
            (30 * 86_400, 60, 7_200),
            (400 * 86_400, 60, 86_400),
            (3_600, 45, 60),
            (60, 1, 1),
            (3_600, 4_000_000, 86_400),
        ] {
            assert_eq!(bucket_seconds(span, interval), expected, "{span} {interval}");
        }
    }

    /// One letter a minute: a digit for a bucket with that many samples, a dot for none.
    fn axis(minutes: &str) -> String {
        let at = |minute: usize| Timestamp::from_seconds(60 * i64::try_from(minute).expect("small"));
        let buckets: Vec<_> = minutes
            .bytes()
            .enumerate()
            .filter(|&(_, count)| count != b'.')
            .map(|(minute, count)| MetricBucket {
                start: at(minute),
                sample_count: u32::from(count - b'0'),
                values: Vec::new(),
            })
            .collect();
        on_axis(&buckets, at(0), at(minutes.len()), 60, 60)
            .iter()
            .map(|place| if matches!(place, Place::Gap(_)) { '.' } else { '#' })
            .collect()
    }

    #[test]
    fn a_gap_is_a_gap_and_a_sample_that_slipped_is_none() {
        for (minutes, expected) in [
            ("1111", "####"),
            ("11..11", "##..##"),
            ("11.11", "##.##"),
            ("12.11", "####"),
            ("11.21", "####"),
            ("12..11", "##..##"),
            ("..11", "..##"),
            ("11..", "##."),
            ("....", "..."),
            ("", ""),
        ] {
            assert_eq!(axis(minutes), expected, "{minutes}");
        }
    }
}
