#![doc = include_str!("../README.md")]

mod deliverer;
mod evaluation;
mod job;
mod outbox;
mod pass;
mod post;

pub use deliverer::{AlertMessage, Deliverer, DeliveryError};
pub use job::{AlertSettings, run_alerts};
pub use post::{Post, PostSettings, SmtpPassword, SmtpSettings, SmtpTls, UnusableSettings, verify_signature};
