//! What every request goes through, outermost first: [`edge`] (detached from the connection, request id, safety
//! headers, contract form of errors, access log), then, under `/api`, [`cors`], [`head`], [`compressed`] and [`authenticate`] (credential, limits, form);
//! `/ingest` has a door of its own.

mod access_log;
mod authenticate;
mod compressed;
mod contract_form;
mod cors;
mod credential;
mod detached;
mod edge;
mod head;
mod held_place;
mod quota_headers;
pub(crate) mod request_form;
mod request_id;
mod safety_headers;

pub(crate) use authenticate::authenticate;
pub(crate) use compressed::compressed;
pub(crate) use contract_form::error_in_contract_form;
pub(crate) use cors::cors;
pub(crate) use credential::Credential;
pub(crate) use detached::caught;
pub(crate) use edge::{edge, edge_with};
pub(crate) use head::head;
pub(crate) use held_place::held;
pub use request_id::RequestId;

#[cfg(test)]
mod tests;
