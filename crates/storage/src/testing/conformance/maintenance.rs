//! The database itself.

use std::sync::Arc;

use super::OPERATOR;
use crate::Storage;

/// A storage that works says so.
pub async fn a_ping_answers(storage: Arc<dyn Storage>) {
    storage.ping().await.expect("alive");
    assert!(["sqlite", "postgres"].contains(&storage.kind()));
}

/// Whoever asks first makes it, whoever asks later gets the same; each name has its own.
pub async fn a_shared_secret_is_made_once(storage: Arc<dyn Storage>) {
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move { storage.shared_secret(&OPERATOR, "cursor").await.expect("a secret") })
        })
        .collect();
    let secret = storage.shared_secret(&OPERATOR, "cursor").await.expect("a secret");
    for asking in asking {
        assert!(asking.await.expect("no panic") == secret);
    }
    assert!(storage.shared_secret(&OPERATOR, "session").await.expect("a secret") != secret);
    assert_ne!(secret, [0; 32]);
}

/// After closing, calls fail and say that it may be tried again elsewhere.
pub async fn a_closed_storage_is_unavailable(storage: Arc<dyn Storage>) {
    storage.close().await;
    let error = storage.ping().await.expect_err("closed");
    assert!(error.is_retryable(), "{error:?}");
    storage.close().await;
}
