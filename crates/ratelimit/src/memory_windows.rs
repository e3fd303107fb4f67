use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use astranetmon_domain::{AccountId, QuotaWindowId, Timestamp};
use async_trait::async_trait;

use crate::{QuotaUnavailable, QuotaWindows, Window, WindowTake};

/// Plan windows of one process, in memory: exact while it lives, and forgotten with it. Several processes, and counts
/// that outlive a restart, need the windows of a storage.
#[derive(Debug, Default)]
pub struct MemoryWindows(Mutex<HashMap<(AccountId, QuotaWindowId), Window>>);

#[async_trait]
impl QuotaWindows for MemoryWindows {
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> Result<WindowTake, QuotaUnavailable> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry((account_id, window_id)).or_insert(Window { opened_at: now, used: 0 });
        if window.resets_at() <= now {
            *window = Window { opened_at: now, used: 0 };
        }
        if window.used >= limit {
            return Ok(WindowTake::Refused(*window));
        }
        window.used += 1;
        Ok(WindowTake::Passed(*window))
    }

    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> Result<Option<Window>, QuotaUnavailable> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(windows.get(&(account_id, window_id)).copied().filter(|window| now < window.resets_at()))
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::Plan;

    use super::*;

    #[tokio::test]
    async fn so_many_pass_in_a_window_that_opens_with_the_first() {
        let windows = MemoryWindows::default();
        let (account, window) = (AccountId(1), QuotaWindowId(1));
        let start = Timestamp::from_seconds(1_700_000_000);
        let take = async |window, seconds| {
            let taken = windows.window_take(account, window, 2, start.plus_seconds(seconds)).await.expect("in memory");
            matches!(taken, WindowTake::Passed(_))
        };
        let length = i64::from(Plan::WINDOW_SECONDS);
        assert_eq!(windows.window_peek(account, window, start).await.expect("in memory"), None);
        for (seconds, passes) in [(0, true), (5, true), (length - 1, false), (length, true), (length + 1, true)] {
            assert_eq!(take(window, seconds).await, passes, "after {seconds} s");
        }
        assert!(!take(window, length + 2).await);
        assert!(take(QuotaWindowId(2), length + 2).await, "another key's window is its own");
        let open = windows.window_peek(account, window, start.plus_seconds(length + 3)).await.expect("in memory");
        assert_eq!(open, Some(Window { opened_at: start.plus_seconds(length), used: 2 }));
    }
}
