//! What tests stand on: a storage in memory, and an app around it that believes whom a test names.

mod app;
mod fake_enrolment;
mod fake_storage;

pub(crate) use app::{Answer, TestApi, key_principal, sample_records};
pub(crate) use fake_storage::{Ends, FakeStorage};
