use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix_web::{Error, rt};
use futures_util::FutureExt;

use crate::ApiError;
use crate::middleware::RequestId;

/// Runs work in a task of its own on this worker: whoever stops waiting for it, a client that hangs up for one, does
/// not stop it half-way.
///
/// # Errors
/// [`rt::task::JoinError`] if the worker stops before the work is done.
pub(crate) async fn detached<T: 'static>(work: impl Future<Output = T> + 'static) -> Result<T, rt::task::JoinError> {
    rt::spawn(work).await
}

/// Runs work and makes of its panic an error like any other, logged here and told to nobody. What the work shares
/// with others outlives a panic well: locks are taken back from it, and everything else belongs to its request.
pub(crate) async fn caught<T>(request_id: RequestId, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let panic = message_of(panic.as_ref());
        tracing::error!(request_id = request_id.as_str(), panic, "a request panicked");
        Err(ApiError::Internal.into())
    })
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message")
}
