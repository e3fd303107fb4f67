//! Alerts as a whole: rules on a real database, the job, and receivers on loopback.

mod delivery;
mod job;
mod receivers;
