use std::time::Duration;

/// What a series of probes says: the times of those that were answered, in the order they were sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RoundTrips {
    pub(crate) sent_count: u32,
    answered: Vec<Duration>,
}

impl RoundTrips {
    pub(crate) fn sent(&mut self) {
        self.sent_count += 1;
    }

    pub(crate) fn answered(&mut self, after: Duration) {
        self.answered.push(after);
    }

    #[cfg(feature = "speedtest")]
    pub(crate) fn answered_times(&self) -> impl Iterator<Item = Duration> {
        self.answered.iter().copied()
    }

    pub(crate) fn received_count(&self) -> u32 {
        u32::try_from(self.answered.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn min_ms(&self) -> Option<f64> {
        self.answered.iter().min().map(|&time| millis(time))
    }

    pub(crate) fn max_ms(&self) -> Option<f64> {
        self.answered.iter().max().map(|&time| millis(time))
    }

    pub(crate) fn avg_ms(&self) -> Option<f64> {
        mean(self.answered.iter().map(|&time| millis(time)))
    }

    /// The middle one; between the two middle ones if their number is even.
    #[cfg(any(feature = "speedtest", test))]
    pub(crate) fn median_ms(&self) -> Option<f64> {
        let mut times = self.answered.clone();
        times.sort_unstable();
        let middle = times.len() / 2;
        let upper = millis(*times.get(middle)?);
        let even = times.len().is_multiple_of(2);
        Some(if even { f64::midpoint(millis(times[middle - 1]), upper) } else { upper })
    }

    /// Mean absolute difference of successive times, as RFC 3550 takes it but without its slow smoothing, which a few
    /// probes would not outlive. `None` for fewer than two.
    pub(crate) fn jitter_ms(&self) -> Option<f64> {
        mean(self.answered.windows(2).map(|pair| millis(pair[0].abs_diff(pair[1]))))
    }

    /// `None` if nothing was sent.
    pub(crate) fn loss_percent(&self) -> Option<f64> {
        let lost = self.sent_count.saturating_sub(self.received_count());
        (self.sent_count > 0).then(|| 100.0 * f64::from(lost) / f64::from(self.sent_count))
    }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a handful of values")]
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trips(sent: u32, answered_ms: &[u64]) -> RoundTrips {
        let mut trips = RoundTrips::default();
        (0..sent).for_each(|_| trips.sent());
        answered_ms.iter().for_each(|&time| trips.answered(Duration::from_millis(time)));
        trips
    }

    #[test]
    fn a_series_of_round_trips_is_summed_up() {
        // (sent, answers, min, avg, median, max, jitter, loss)
        for (sent, answers, [min, avg, median, max, jitter, loss]) in [
            (0, &[] as &[u64], [None; 6]),
            (5, &[], [None, None, None, None, None, Some(100.0)]),
            (1, &[7], [Some(7.0), Some(7.0), Some(7.0), Some(7.0), None, Some(0.0)]),
            (4, &[10, 20, 12], [Some(10.0), Some(14.0), Some(12.0), Some(20.0), Some(9.0), Some(25.0)]),
            (4, &[4, 2, 8, 6], [Some(2.0), Some(5.0), Some(5.0), Some(8.0), Some(10.0 / 3.0), Some(0.0)]),
        ] {
            let trips = trips(sent, answers);
            let found = [trips.min_ms(), trips.avg_ms(), trips.median_ms(), trips.max_ms(), trips.jitter_ms()];
            assert_eq!(found, [min, avg, median, max, jitter], "{answers:?}");
            assert_eq!(trips.loss_percent(), loss, "{answers:?} of {sent}");
        }
    }
}
