//! What concerns a database as a whole: copies, backups and restores, and whether it can be distributed by account.

mod backups;
mod copies;
mod databases;
mod distribution;
