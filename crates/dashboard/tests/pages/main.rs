//! The pages over a real SQLite file, asked as a browser asks.

mod assets;
mod charts;
mod fleet;
mod foreign_text;
mod sessions;
mod site;
mod traces;
