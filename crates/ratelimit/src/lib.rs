#![doc = include_str!("../README.md")]

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
