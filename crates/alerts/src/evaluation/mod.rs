//! What rules say of what was measured: pure, from what storage knows to what it is to write.

mod account;
mod pair;
mod sentence;
mod threshold;

pub(crate) use self::account::{AccountMemory, Moment};
