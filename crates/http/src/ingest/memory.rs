//! Room for the bodies of all agents together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all bodies in the making may take in this process, in bytes.
const ALL_BODIES: usize = 256 * 1024 * 1024;
/// The unit in which room is given.
const PAGE: usize = 4 * 1024;

/// Room for bodies, shared by everybody who reads one.
#[derive(Clone, Debug)]
pub(crate) struct BodyRoom(Arc<Semaphore>);

/// There is no room left: bodies that are being read must be finished first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory;

impl Default for BodyRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES / PAGE)))
    }
}

impl BodyRoom {
    /// The room of one body, nothing at first.
    pub(crate) fn body(&self) -> BodyMemory {
        BodyMemory { room: Arc::clone(&self.0), permit: None, taken: 0 }
    }
}

/// The room that one body takes, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    room: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    taken: usize,
}

impl BodyMemory {
    /// Takes so many bytes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let taken = self.taken.saturating_add(bytes);
        let pages = taken.div_ceil(PAGE) - self.taken.div_ceil(PAGE);
        if pages > 0 {
            let pages = u32::try_from(pages).map_err(|_| NoMemory)?;
            let more = Arc::clone(&self.room).try_acquire_many_owned(pages).map_err(|_| NoMemory)?;
            match &mut self.permit {
                Some(permit) => permit.merge(more),
                none => *none = Some(more),
            }
        }
        self.taken = taken;
        Ok(())
    }
}

#[cfg(test)]
impl BodyMemory {
    /// Of a room that is large enough for anything.
    pub(crate) fn unbounded() -> Self {
        Self { room: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), permit: None, taken: 0 }
    }

    pub(crate) const fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_the_room_and_give_it_back() {
        let room = BodyRoom(Arc::new(Semaphore::new(3)));
        let (mut first, mut second) = (room.body(), room.body());
        for _ in 0..PAGE {
            first.grow(1).expect("one page");
        }
        first.grow(1).expect("the second page");
        second.grow(PAGE).expect("the third");
        assert_eq!(second.grow(1), Err(NoMemory));
        drop(first);
        second.grow(2 * PAGE).expect("room again");
    }
}
