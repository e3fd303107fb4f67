//! What agents may rely on.

mod bad_requests;
mod doors;
mod service;
mod speedtests;
mod taking;
