//! Alerts of AstraNetmon: evaluates the rules of all accounts and delivers what they tell, by webhook and by e-mail.
//!
//! [`run_alerts`] is a background job that any number of processes may run on one database: the holder of a lease works,
//! the others wait. What it finds out is written together with the messages about it, so that a message is lost by no
//! restart; [`Deliverer`] sends them, [`Post`] for real.

mod deliverer;
mod evaluation;
mod job;
mod outbox;
mod pass;
mod post;

pub use deliverer::{AlertMessage, Deliverer, DeliveryError};
pub use job::{AlertSettings, run_alerts};
pub use post::{Post, PostSettings, SmtpPassword, SmtpSettings, SmtpTls, UnusableSettings, verify_signature};
