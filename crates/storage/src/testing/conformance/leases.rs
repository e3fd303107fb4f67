//! Leases of background jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_domain::{Clock, SystemClock};

use super::OPERATOR;
use crate::{Lease, Storage};

const LONG: Duration = Duration::from_secs(3_600);

async fn acquire(storage: &Arc<dyn Storage>, name: &'static str, ttl: Duration) -> Option<Lease> {
    storage.lease_acquire(&OPERATOR, name, "somebody", ttl, SystemClock.now()).await.expect("no error")
}

/// Of many who ask at once one gets it; another job is another lease.
pub async fn one_holder_at_a_time(storage: Arc<dyn Storage>) {
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { acquire(&storage, "job", LONG).await })
        })
        .collect();
    let mut held = Vec::new();
    for asking in asking {
        held.extend(asking.await.expect("no panic"));
    }
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].name(), "job");
    assert!(acquire(&storage, "another", LONG).await.is_some());
    storage.lease_release(&held[0]).await.expect("released");
    let next = acquire(&storage, "job", LONG).await.expect("free");
    assert!(next.token() > held[0].token());
    storage.lease_release(&held[0]).await.expect("no error");
    assert!(acquire(&storage, "job", LONG).await.is_none(), "who lost it gives nothing back");
}

/// A holder that says nothing loses it after its time, not before; one that renews keeps it.
pub async fn a_silent_holder_loses_it(storage: Arc<dyn Storage>) {
    let ttl = Duration::from_millis(400);
    let begun = Instant::now();
    let silent = acquire(&storage, "job", ttl).await.expect("free");
    let next = loop {
        if let Some(next) = acquire(&storage, "job", ttl).await {
            break next;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
        tokio::task::yield_now().await;
    };
    assert!(begun.elapsed() >= ttl, "{:?}", begun.elapsed());
    assert!(!storage.lease_renew(&silent, LONG, SystemClock.now()).await.expect("no error"));
    assert!(storage.lease_renew(&next, LONG, SystemClock.now()).await.expect("no error"));
    let renewed = Instant::now();
    while renewed.elapsed() < ttl * 2 {
        assert!(acquire(&storage, "job", LONG).await.is_none());
    }
}
