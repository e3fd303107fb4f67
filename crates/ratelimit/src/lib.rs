//! How much a caller may ask for.
//!
//! Three separate things. [`PlanLimiter`] keeps the plan's promise: exactly N requests in a window of 3600 s that
//! opens with a key's first request, counted where every instance counts ([`QuotaWindows`], which storage
//! implements). [`ConcurrencyGuard`] bounds what one key has in flight in this process. [`AddressGuard`] and
//! [`SessionGuard`] are `governor` limiters for what no plan covers: failures per address and requests per session.
//! [`SignInGuard`] bounds guesses of passwords and locks nobody out.

mod concurrency;
mod guard;
mod memory_windows;
mod plan;
mod sign_in;
mod usage;

pub use concurrency::{ConcurrencyGuard, InFlight};
pub use guard::{AddressGuard, SessionGuard, Turn, Wait};
pub use memory_windows::MemoryWindows;
pub use plan::{PlanLimiter, Quota, QuotaUnavailable, QuotaWindows, Window, WindowTake};
pub use sign_in::{DeviceId, SignInAttempt, SignInGuard};
pub use usage::{UsageCount, UsageRecorder};
