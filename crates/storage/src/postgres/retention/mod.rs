//! How long measured data is kept, and its end.

mod expire;
mod fold;
mod job;
mod runs;
mod seal;
mod setting;
mod space;
