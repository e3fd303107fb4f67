mod access_log;
mod answers;
mod connection;
mod detachment;
mod limits;
