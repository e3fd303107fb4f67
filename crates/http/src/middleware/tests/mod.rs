mod answers;
mod detachment;
mod limits;
