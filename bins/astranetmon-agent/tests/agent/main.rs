//! The agent against a server that behaves as it is told to.

mod answers;
mod commands;
mod cost;
mod killed;
mod outage;
mod support;
mod unit;
