mod access_log;
mod answers;
mod connection;
mod cors;
mod detachment;
mod limits;
