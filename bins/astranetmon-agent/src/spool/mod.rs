//! Rows on the disk, until the server has answered for them.
//!
//! A spool is a folder of append-only segments (`frame.rs` says how a row lies in one) and a small file of state. Rows
//! go in at the end, windows of rows come out at the beginning, and a segment is deleted once every row of it is
//! settled. The folder is bounded in bytes: for a row that does not fit, the oldest segments go, and are counted.
//!
//! What it survives: a process that is killed loses nothing, since a row is handed to the kernel before
//! [`Spool::append`] returns. A loss of power loses at most what was appended after the last [`Flush::run`]. A row
//! that was torn or changed is passed over and counted; all others stay.

mod flush;
mod frame;
mod row;
mod segment;
mod state;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use astranetmon_domain::Timestamp;

use self::frame::{MAX_ROW_BYTES, next_frame};
use self::segment::Segment;
use self::state::State;

pub use self::flush::Flush;
pub use self::row::{Row, RowKind};

/// Rows that are next to be sent, in order, and not yet settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// At least one.
    pub rows: Vec<Row>,
    /// Number of sequence of the last one.
    last: u64,
    /// Where the next frame begins in its segment.
    end: u64,
}

/// What a spool holds and has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolCounts {
    /// Rows that wait.
    pub waiting: u64,
    /// Rows that were never sent, ever: for lack of room, or damaged.
    pub dropped: u64,
    /// Of them those that were torn or changed on the disk.
    pub damaged: u64,
    /// Rows that the server refused, ever.
    pub refused: u64,
    /// Rows that are done with, ever: those above, and those that the server took or knew.
    pub settled: u64,
}

/// Bounds of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolBounds {
    /// Of all segments together, in bytes.
    pub max_bytes: u64,
    /// Of one segment, in bytes; also the least that goes at once when room is made.
    pub segment_bytes: u64,
}

impl SpoolBounds {
    /// Room for `max_bytes`, in at least sixteen segments of at most 1 MiB.
    #[must_use]
    pub const fn of(max_bytes: u64) -> Self {
        let sixteenth = max_bytes / 16;
        Self { max_bytes, segment_bytes: if sixteenth < 1 << 20 { sixteenth } else { 1 << 20 } }
    }
}

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("another agent uses {0}: stop it first")]
    InUse(PathBuf),
    /// The disk refuses.
    #[error("the spool {path} cannot be opened: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A spool, which nobody else has open. See the module for what it promises.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    bounds: SpoolBounds,
    state: State,
    /// Oldest first; the last one is appended to if `active` is there.
    segments: VecDeque<Segment>,
    active: Option<File>,
    /// Number of sequence of the next row.
    next: u64,
    /// Where the first frame that is not settled begins in the oldest segment, if it is known.
    offset: Option<(u64, u64)>,
    /// Whether a file was made since the folder was last made durable.
    folder_changed: bool,
    /// Held until the spool is dropped.
    _lock: File,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another process has it open, [`OpenError::Io`] for a disk that refuses.
    pub fn open(folder: &Path, bounds: SpoolBounds) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: folder.to_owned(), source };
        make_private_folder(folder).map_err(io)?;
        let lock = File::create(folder.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        Self::open_locked(folder, bounds, lock).map_err(io)
    }

    fn open_locked(folder: &Path, bounds: SpoolBounds, lock: File) -> io::Result<Self> {
        let known = State::load(folder)?;
        let settled = known.map_or(0, |state| state.settled);
        let mut segments: VecDeque<Segment> = Segment::list(folder, settled)?.into();
        let state = known.unwrap_or_else(|| State {
            settled: segments.front().map_or(0, |oldest| oldest.first.saturating_sub(1)),
            ..State::default()
        });
        let next = segments.back().map_or(0, |newest| newest.end).max(state.settled.saturating_add(1));
        if let Some(empty) = segments.pop_back_if(|newest| newest.bytes == 0 && newest.first != next) {
            empty.remove(folder)?;
        }
        segments.pop_back_if(|newest| newest.bytes == 0);
        let mut active = None;
        // A row torn at the end takes the number that it would have had; the name of a fresh segment keeps that.
        if let Some(newest) = segments.back_mut() {
            newest.end = next;
            let (fresh, file) = Segment::create(folder, next)?;
            segments.push_back(fresh);
            active = Some(file);
        }
        let mut spool = Self {
            folder: folder.to_owned(),
            bounds,
            state,
            segments,
            active,
            next,
            offset: None,
            folder_changed: true,
            _lock: lock,
        };
        spool.remove_settled()?;
        Ok(spool)
    }

    /// What it holds and has lost.
    #[must_use]
    pub fn counts(&self) -> SpoolCounts {
        SpoolCounts {
            waiting: self.segments.iter().map(|segment| segment.waiting).sum(),
            dropped: self.state.dropped + self.state.damaged,
            damaged: self.state.damaged,
            refused: self.state.refused,
            settled: self.state.settled,
        }
    }

    /// When the first row that waits was measured.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn oldest_timestamp(&mut self) -> io::Result<Option<Timestamp>> {
        Ok(self.window(1, 0)?.and_then(|window| window.rows.first().map(|row| row.timestamp)))
    }

    /// Takes a row. Once this returns, the row survives the end of this process; see [`Spool::flush`] for power.
    ///
    /// # Errors
    /// A disk that refuses: the row is not taken and counted as dropped.
    pub fn append(&mut self, row: &Row) -> io::Result<()> {
        let appended = self.try_append(row);
        if appended.is_err() {
            self.state.dropped += 1;
            // The count stays in memory if the disk does not take it either.
            let _ = self.state.save(&self.folder, false);
        }
        appended
    }

    fn try_append(&mut self, row: &Row) -> io::Result<()> {
        if row.json.len() > MAX_ROW_BYTES {
            return Err(io::Error::other(format!("a row has at most {MAX_ROW_BYTES} bytes")));
        }
        let frame = frame::encode(self.next, row);
        let length = frame.len() as u64;
        if length > self.bounds.max_bytes {
            return Err(io::Error::other(format!("the spool has room for {} bytes in all", self.bounds.max_bytes)));
        }
        while self.bytes() + length > self.bounds.max_bytes {
            self.drop_oldest()?;
        }
        loop {
            match self.write(&frame) {
                // What went before helps the newer row more than the oldest ones.
                Err(error) if error.kind() == io::ErrorKind::StorageFull && self.segments.len() > 1 => {
                    self.drop_oldest()?;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let full = self.segments.back().is_some_and(|newest| newest.bytes >= self.bounds.segment_bytes);
        if full && let Some(file) = self.active.take() {
            file.sync_data()?;
            self.remove_settled()?;
        }
        if self.active.is_none() {
            let (fresh, file) = Segment::create(&self.folder, self.next)?;
            self.segments.push_back(fresh);
            self.active = Some(file);
            self.folder_changed = true;
        }
        let (Some(newest), Some(file)) = (self.segments.back_mut(), &mut self.active) else {
            return Err(io::Error::other("there is no segment to append to"));
        };
        newest.append(file, frame)?;
        self.next += 1;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Counts what the oldest segment holds and deletes it.
    fn drop_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.segments.front() else {
            return Err(io::Error::other("there is no room, and no segment that could make some"));
        };
        let unsettled = oldest.end.saturating_sub(self.state.settled.saturating_add(1).max(oldest.first));
        if oldest.waiting > 0 {
            let rows = oldest.waiting;
            tracing::warn!(rows, "the oldest rows of the spool are dropped, there is no room for them");
        }
        self.state.dropped += oldest.waiting;
        self.state.damaged += unsettled.saturating_sub(oldest.waiting);
        self.state.settled = self.state.settled.max(oldest.end.saturating_sub(1));
        // The count first: a segment whose rows are settled is deleted at the next start without being counted again.
        let saved = self.state.save(&self.folder, true);
        self.pop_oldest()?;
        // On a full disk there is room for the count only now.
        saved.or_else(|_| self.state.save(&self.folder, true))
    }

    fn pop_oldest(&mut self) -> io::Result<()> {
        if self.segments.len() == 1 {
            self.active = None;
        }
        self.offset = None;
        self.segments.pop_front().map_or(Ok(()), |oldest| oldest.remove(&self.folder))
    }

    /// Deletes the segments at the beginning in which nothing waits, but for the one that is appended to.
    fn remove_settled(&mut self) -> io::Result<()> {
        while let Some(oldest) = self.segments.front() {
            let is_active = self.active.is_some() && self.segments.len() == 1;
            if oldest.waiting > 0 || is_active {
                break;
            }
            let lost = oldest.end.saturating_sub(self.state.settled.saturating_add(1).max(oldest.first));
            if oldest.end > self.state.settled.saturating_add(1) {
                self.state.settled = oldest.end - 1;
                self.state.damaged += lost;
                self.state.save(&self.folder, lost > 0)?;
            }
            self.pop_oldest()?;
        }
        Ok(())
    }

    /// The rows that are next, at most `max_rows` of them and about `max_bytes` of JSON, but at least one; `None` if
    /// nothing waits. They stay until they are settled.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn window(&mut self, max_rows: usize, max_bytes: usize) -> io::Result<Option<Window>> {
        self.remove_settled()?;
        let Some(oldest) = self.segments.front().filter(|oldest| oldest.waiting > 0) else { return Ok(None) };
        let start = self.offset.filter(|&(first, _)| first == oldest.first).map_or(0, |(_, offset)| offset);
        let bytes = oldest.read_from(&self.folder, start)?;
        let mut window = Window { rows: Vec::new(), last: 0, end: 0 };
        let (mut at, mut size) = (0, 0);
        while window.rows.len() < max_rows
            && let Some(frame) = next_frame(&bytes, at)
        {
            at = frame.end;
            if frame.sequence <= self.state.settled {
                continue;
            }
            size += frame.json.len();
            if size > max_bytes && !window.rows.is_empty() {
                break;
            }
            window.rows.push(Row { kind: frame.kind, timestamp: frame.timestamp, json: frame.json.to_vec() });
            window.last = frame.sequence;
            window.end = start + frame.end as u64;
        }
        if window.rows.is_empty() {
            // The file has changed under us: what it held is lost.
            let lost = oldest.waiting;
            tracing::warn!(rows = lost, "rows of the spool cannot be read any more and are lost");
            if let Some(oldest) = self.segments.front_mut() {
                oldest.waiting = 0;
            }
            self.active = self.active.take().filter(|_| self.segments.len() > 1);
            return self.window(max_rows, max_bytes);
        }
        Ok(Some(window))
    }

    /// The server has answered for every row of the window, `refused` of them with a refusal.
    ///
    /// # Errors
    /// A disk that refuses; the rows may then come again.
    pub fn settle(&mut self, window: &Window, refused: u64) -> io::Result<()> {
        let rows = window.rows.len() as u64;
        self.state.refused += refused;
        if window.last <= self.state.settled {
            // They were dropped for lack of room while they were on their way, and arrived all the same.
            self.state.dropped = self.state.dropped.saturating_sub(rows);
            return self.state.save(&self.folder, true);
        }
        let lost = (window.last - self.state.settled).saturating_sub(rows);
        self.state.settled = window.last;
        self.state.damaged += lost;
        if let Some(oldest) = self.segments.front_mut() {
            oldest.waiting = oldest.waiting.saturating_sub(rows);
            self.offset = Some((oldest.first, window.end));
        }
        self.state.save(&self.folder, lost + refused > 0)?;
        self.remove_settled()
    }

    /// What is to be done so that the rows so far survive a loss of power; `None` if nothing is.
    ///
    /// # Errors
    /// A system that has no file descriptor left.
    pub fn flush(&mut self) -> io::Result<Option<Flush>> {
        let Some(active) = &self.active else { return Ok(None) };
        let folder = std::mem::take(&mut self.folder_changed).then(|| self.folder.clone());
        Ok(Some(Flush { file: active.try_clone()?, folder }))
    }
}

/// Makes the folder, for its owner alone, if it is missing.
pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests;
