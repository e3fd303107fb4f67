use std::time::Duration;

use crate::configuration::Settings;

/// How fast an agent lives. Apart from the settings, so that tests let ten minutes of it pass in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between metrics.
    pub interval: Duration,
    /// Within this long after a whole interval an agent measures.
    pub jitter: Duration,
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// Longest wait after the first failure.
    pub backoff_first: Duration,
    /// Longest wait after any failure, and the wait after a token was not accepted.
    pub backoff_longest: Duration,
    /// Of a whole request.
    pub request_timeout: Duration,
    /// How long the last rows may take to leave when the agent is stopped; they stay in the spool otherwise.
    pub farewell: Duration,
}

impl Pace {
    /// As the settings say.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            interval: settings.interval,
            jitter: settings.jitter,
            heartbeat: settings.interval.max(Duration::from_secs(60)),
            backoff_first: Duration::from_secs(1),
            backoff_longest: Duration::from_secs(300),
            request_timeout: Duration::from_secs(30),
            farewell: Duration::from_secs(3),
        }
    }

    /// Whole seconds between metrics, at least one.
    pub(crate) fn interval_seconds(&self) -> u32 {
        u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX).max(1)
    }
}
