//! The binary under real conditions: several processes on one database, clients that hang up, databases that go away.
//!
//! One test binary, so that what runs beside what is decided here: a test that loads the machine or measures time
//! holds [`support::alone`]. Counts are reduced; `ASTRANETMON_TEST_FULL=1` runs all of them.

mod abort_storm;
mod access_matrix;
mod agents;
mod arrivals;
mod conditional_requests;
mod copying;
mod database_faults;
mod disk_full;
mod exact_limits;
mod headers;
mod import;
mod ingestion;
mod ingestion_kills;
mod isolation;
mod people;
mod reading;
mod reporting_agent;
mod revocation;
mod sealing_kills;
mod secrets;
mod sessions;
mod set_up;
mod shutdown;
mod sign_in;
mod slow_clients;
mod start_together;
mod support;
mod tls;
