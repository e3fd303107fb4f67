//! The embedded back end.
mod queries;
