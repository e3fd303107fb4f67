use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use actix_web::rt;
use futures_util::FutureExt;

/// Runs work in a task of its own on this worker: whoever stops waiting for it, a client that hangs up for one, does
/// not stop it half-way.
///
/// # Errors
/// [`rt::task::JoinError`] if the worker stops before the work is done.
pub(crate) async fn detached<T: 'static>(work: impl Future<Output = T> + 'static) -> Result<T, rt::task::JoinError> {
    rt::spawn(work).await
}

/// A panic that was caught, with its message.
#[derive(Debug)]
pub(crate) struct Panicked {
    pub(crate) message: String,
}

/// Runs work and catches its panic. What the work shared with others is per request here, and dropped with it.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| Panicked { message: message_of(panic.as_ref()) })
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
