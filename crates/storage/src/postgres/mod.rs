//! The shared back end.
