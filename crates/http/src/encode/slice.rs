//! The room that slices of answers are written to.

use std::cell::RefCell;

use bytes::Bytes;

/// Each slice begins so far into its room, as far as a line of cache is long. The server copies it behind the few bytes
/// that say how long it is, into room that begins at the same place of a page. Where a copy goes forwards by less than a
/// line (modulo pages), `rep movsb` has a fifteenth of its speed on some processors: a quarter of a long answer's time.
const OFFSET: usize = 64;
/// How many rooms a thread keeps, so that what is written next is in its cache already.
const MOST_KEPT: usize = 4;
/// A longer one, made by rows of unusual length, is not kept.
const LONGEST_KEPT: usize = 160 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Text that is sent. Its room is used again.
struct Sent(Vec<u8>);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.0[OFFSET..]
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let mut room = std::mem::take(&mut self.0);
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST_KEPT && room.capacity() <= LONGEST_KEPT {
                room.truncate(OFFSET);
                kept.push(room);
            }
        });
    }
}

/// What `write` appends, to room of about so many bytes.
pub(super) fn written(bytes: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut room = KEPT.with(|kept| kept.borrow_mut().pop()).unwrap_or_else(|| vec![0; OFFSET]);
    room.reserve(bytes);
    write(&mut room);
    Bytes::from_owner(Sent(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_its_room_used_again() {
        let first = written(100, |out| out.extend(b"first"));
        let (second, place) = (written(100, |out| out.extend(b"second")), first.as_ptr());
        assert_eq!((&first[..], &second[..]), (&b"first"[..], &b"second"[..]));
        drop(first);
        let third = written(100, |out| out.extend(b"3"));
        assert_eq!((&third[..], &second[..]), (&b"3"[..], &b"second"[..]));
        assert_eq!(third.as_ptr(), place);
        let long = written(LONGEST_KEPT + 1, |out| out.push(b'x'));
        drop((long, third));
        assert_eq!(KEPT.take().len(), 1, "the long one is not kept");
    }
}
