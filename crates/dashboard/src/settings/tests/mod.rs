//! The settings as people use them: pages as browsers open them, actions as their scripts send them.

mod access;
mod agents;
mod alerts;
mod desk;
mod entrance;
mod keys;
mod people;
mod sessions;

use desk::{Answer, Browser, Desk, OPERATOR, PASSWORD, START};
