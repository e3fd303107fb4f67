//! Plan windows.

use std::sync::Arc;

use astranetmon_domain::QuotaWindowId;
use astranetmon_ratelimit::{Window, WindowTake};

use super::{NOVEMBER, account};
use crate::Storage;

const FIRST: QuotaWindowId = QuotaWindowId(1);

/// 32 takers at once, more requests than the limit: exactly the limit passes, each with a count of its own.
pub async fn exactly_the_limit_passes_under_concurrency(storage: Arc<dyn Storage>) {
    const LIMIT: u32 = 100;
    let owner = account(&storage, "owner").await.id;
    let takers: Vec<_> = (0..32)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                let mut used = Vec::new();
                for _ in 0..10 {
                    match storage.window_take(owner, FIRST, LIMIT, NOVEMBER).await.expect("counted") {
                        WindowTake::Passed(window) => used.push(window.used),
                        WindowTake::Refused(window) => assert_eq!(window, Window { opened_at: NOVEMBER, used: LIMIT }),
                    }
                }
                used
            })
        })
        .collect();
    let mut used = Vec::new();
    for taker in takers {
        used.extend(taker.await.expect("no panic"));
    }
    used.sort_unstable();
    assert_eq!(used, (1..=LIMIT).collect::<Vec<_>>());
}

/// It opens with the first request, not with the clock, and the next opens with the first request after it.
pub async fn a_window_lasts_an_hour_from_its_first_request(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await.id;
    let opened_at = NOVEMBER.plus_seconds(1_234);
    let after = |millis: i64| opened_at.plus_micros(millis * 1_000);
    assert_eq!(storage.window_peek(owner, FIRST, opened_at).await.expect("seen"), None);
    for (millis, expected) in [
        (0, WindowTake::Passed(Window { opened_at, used: 1 })),
        (1_800_000, WindowTake::Passed(Window { opened_at, used: 2 })),
        (3_599_900, WindowTake::Refused(Window { opened_at, used: 2 })),
        (3_600_100, WindowTake::Passed(Window { opened_at: after(3_600_100), used: 1 })),
    ] {
        assert_eq!(storage.window_take(owner, FIRST, 2, after(millis)).await.expect("counted"), expected, "{millis}");
    }
    let next = Window { opened_at: after(3_600_100), used: 1 };
    assert_eq!(storage.window_peek(owner, FIRST, after(7_200_000)).await.expect("seen"), Some(next));
    assert_eq!(storage.window_peek(owner, FIRST, after(7_200_100)).await.expect("seen"), None, "its end is excluded");
    let reopened = WindowTake::Passed(Window { opened_at: after(7_200_100), used: 1 });
    assert_eq!(storage.window_take(owner, FIRST, 2, after(7_200_100)).await.expect("counted"), reopened);
}

/// A larger limit lets more pass in the same window, a smaller one nothing.
pub async fn a_plan_change_acts_within_the_window(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await.id;
    for (limit, passes, used) in [(1, true, 1), (1, false, 1), (3, true, 2), (3, true, 3), (2, false, 3), (3, false, 3)]
    {
        let window = Window { opened_at: NOVEMBER, used };
        let expected = if passes { WindowTake::Passed(window) } else { WindowTake::Refused(window) };
        assert_eq!(storage.window_take(owner, FIRST, limit, NOVEMBER).await.expect("counted"), expected, "{limit}");
    }
}

/// One window's requests are nothing to another.
pub async fn windows_are_apart(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await.id;
    for id in [FIRST, QuotaWindowId(2)] {
        let take = storage.window_take(owner, id, 1, NOVEMBER).await.expect("counted");
        assert_eq!(take, WindowTake::Passed(Window { opened_at: NOVEMBER, used: 1 }));
        assert_eq!(
            storage.window_peek(owner, id, NOVEMBER).await.expect("seen"),
            Some(Window { opened_at: NOVEMBER, used: 1 })
        );
    }
}
