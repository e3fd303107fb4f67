use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;

/// How long to wait after failures in a row: anything up to a bound that doubles, so that agents that failed together
/// do not come back together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits of at most `first` after the first failure, and of at most `longest` in the end.
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// It worked.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure, but no less than the server asks for.
    pub(crate) fn wait(&mut self, asked: Option<Duration>, rng: &mut StdRng) -> Duration {
        let bound = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let wait = bound.mul_f64(rng.random_range(0.0..=1.0));
        match asked {
            // Nor all at the very moment that the server named.
            Some(asked) => asked + wait.min(self.first),
            None => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles_to_the_longest() {
        let second = Duration::from_secs(1);
        let mut longest_seen = [Duration::ZERO; 12];
        for seed in 0..300 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::new(second, 300 * second);
            for (failure, seen) in (0..).zip(&mut longest_seen) {
                let wait = backoff.wait(None, rng);
                assert!(wait <= (second * 2_u32.pow(failure)).min(300 * second));
                *seen = wait.max(*seen);
            }
            backoff.reset();
            assert!(backoff.wait(None, rng) <= second);
            let asked = backoff.wait(Some(120 * second), rng);
            assert!((120 * second..=121 * second).contains(&asked));
        }
        for (failure, seen) in (0..).zip(longest_seen) {
            assert!(seen > (second * 2_u32.pow(failure)).min(300 * second).mul_f64(0.9), "{failure}: {seen:?}");
        }
    }
}
