use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use astranetmon_auth::KeyPrincipal;
use astranetmon_domain::{AccountId, Plan, QuotaWindowId, Timestamp};
use async_trait::async_trait;

/// Refusals remembered at most; beyond it, ended ones are swept, then all are forgotten (and asked again).
const MAX_REFUSALS: usize = 100_000;

/// A plan window that has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When its first request came.
    pub opened_at: Timestamp,
    /// Requests that passed in it.
    pub used: u32,
}

impl Window {
    /// When it ends.
    #[must_use]
    pub const fn resets_at(&self) -> Timestamp {
        self.opened_at.plus_seconds(Plan::WINDOW_SECONDS as i64)
    }
}

/// What became of a request for one unit of quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTake {
    /// Taken; the window includes it.
    Passed(Window),
    /// Nothing was left.
    Refused(Window),
}

/// The counts cannot be reached at the moment.
#[derive(Debug, thiserror::Error)]
#[error("plan windows cannot be reached")]
pub struct QuotaUnavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where plan windows are counted, over all instances. Implemented by storage.
#[async_trait]
pub trait QuotaWindows: Send + Sync {
    /// Takes one unit of `limit` from the window, opening it at `now` if it is not open. Atomic over all instances:
    /// never more than `limit` pass in one window.
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> Result<WindowTake, QuotaUnavailable>;

    /// The window as it stands, `None` if it is not open at `now`. Takes nothing.
    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> Result<Option<Window>, QuotaUnavailable>;
}

/// A key's plan limit after a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests in a window.
    pub limit: u32,
    /// Requests left in this one.
    pub remaining: u32,
    /// When the window ends.
    pub resets_at: Timestamp,
    /// Whether this request found nothing left.
    pub refused: bool,
}

impl Quota {
    fn new(limit: u32, window: Window, refused: bool) -> Self {
        Self { limit, remaining: limit.saturating_sub(window.used), resets_at: window.resets_at(), refused }
    }

    /// Whole seconds from `now` until the window ends, rounded up, at least 1 and at most the window's length: the
    /// clock that opened it may be a little ahead of ours.
    #[must_use]
    pub fn seconds_to_reset(&self, now: Timestamp) -> u32 {
        let micros = self.resets_at.as_micros().saturating_sub(now.as_micros());
        let seconds = micros.div_euclid(1_000_000) + i64::from(micros.rem_euclid(1_000_000) != 0);
        u32::try_from(seconds.max(1)).unwrap_or(u32::MAX).min(Plan::WINDOW_SECONDS)
    }
}

/// The plan limit: exact, and cheap to refuse.
pub struct PlanLimiter {
    windows: Arc<dyn QuotaWindows>,
    /// Windows known to be spent, with the limit that they were spent at: a changed plan is asked anew.
    refusals: Mutex<HashMap<QuotaWindowId, (u32, Window)>>,
}

impl PlanLimiter {
    /// Over the counts in `windows`.
    #[must_use]
    pub fn new(windows: Arc<dyn QuotaWindows>) -> Self {
        Self { windows, refusals: Mutex::default() }
    }

    /// Takes one request from the key's quota; `None` if its plan has none.
    ///
    /// # Errors
    /// [`QuotaUnavailable`] if the counts cannot be reached: a plan's limit never fails open.
    pub async fn take(&self, principal: &KeyPrincipal, now: Timestamp) -> Result<Option<Quota>, QuotaUnavailable> {
        let Some(limit) = principal.plan.hourly_limit() else { return Ok(None) };
        let window_id = principal.key.window_id;
        if let Some(window) = self.remembered_refusal(window_id, limit, now) {
            return Ok(Some(Quota::new(limit, window, true)));
        }
        let take = self.windows.window_take(principal.key.account_id, window_id, limit, now).await?;
        Ok(Some(match take {
            WindowTake::Passed(window) => Quota::new(limit, window, false),
            WindowTake::Refused(window) => {
                self.remember_refusal(window_id, limit, window, now);
                Quota::new(limit, window, true)
            }
        }))
    }

    /// The key's quota as it stands, taking nothing; `None` if its plan has none.
    ///
    /// # Errors
    /// [`QuotaUnavailable`] if the counts cannot be reached.
    pub async fn peek(&self, principal: &KeyPrincipal, now: Timestamp) -> Result<Option<Quota>, QuotaUnavailable> {
        let Some(limit) = principal.plan.hourly_limit() else { return Ok(None) };
        let window = self.windows.window_peek(principal.key.account_id, principal.key.window_id, now).await?;
        let window = window.unwrap_or(Window { opened_at: now, used: 0 });
        Ok(Some(Quota::new(limit, window, false)))
    }

    fn remembered_refusal(&self, window_id: QuotaWindowId, limit: u32, now: Timestamp) -> Option<Window> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let &(refused_limit, window) = refusals.get(&window_id)?;
        (refused_limit == limit && window.opened_at <= now && now < window.resets_at()).then_some(window)
    }

    fn remember_refusal(&self, window_id: QuotaWindowId, limit: u32, window: Window, now: Timestamp) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= MAX_REFUSALS {
            refusals.retain(|_, (_, window)| now < window.resets_at());
            if refusals.len() >= MAX_REFUSALS {
                refusals.clear();
            }
        }
        refusals.insert(window_id, (limit, window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_within_its_length_whatever_the_clocks_say() {
        let now = Timestamp::from_seconds(1_700_000_000);
        // (when the window opened, in microseconds from now; seconds that a client is told to wait)
        for (opened, seconds) in [
            (0, 3_600),
            (-1, 3_600),
            (-1_000_000, 3_599),
            (-3_599_000_000, 1),
            (-3_599_999_999, 1),
            (-3_600_000_000, 1),
            (-9_000_000_000, 1),
            // The database's clock is ahead of ours.
            (1, 3_600),
            (250_000, 3_600),
            (60_000_000, 3_600),
        ] {
            let opened_at = Timestamp::from_micros(now.as_micros() + opened);
            let quota = Quota::new(100, Window { opened_at, used: 1 }, false);
            assert_eq!(quota.seconds_to_reset(now), seconds, "opened {opened} microseconds from now");
        }
    }
}
