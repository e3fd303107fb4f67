//! What agents may rely on.

mod bad_requests;
mod doors;
mod lines;
mod service;
mod speedtests;
mod taking;
