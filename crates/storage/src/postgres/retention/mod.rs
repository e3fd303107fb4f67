//! How long measured data is kept.

mod setting;
