use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::frame::next_frame;

/// A file of frames, named after the number of sequence of its first row.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Of its first row.
    pub(crate) first: u64,
    /// One more than that of its last row, lost ones included.
    pub(crate) end: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Whole rows that are not settled.
    pub(crate) waiting: u64,
}

const SUFFIX: &str = ".rows";

impl Segment {
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{:020}{SUFFIX}", self.first))
    }

    /// An empty one, and the file to append to; an empty file of that name may be there.
    pub(crate) fn create(folder: &Path, first: u64) -> io::Result<(Self, File)> {
        let segment = Self { first, end: first, bytes: 0, waiting: 0 };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(segment.path(folder))?;
        Ok((segment, file))
    }

    /// The segments of a folder, oldest first, each with what it holds beyond `settled`.
    pub(crate) fn list(folder: &Path, settled: u64) -> io::Result<Vec<Self>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number: Option<u64> =
                name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|name| name.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        let mut segments = Vec::with_capacity(numbers.len());
        for (index, &first) in numbers.iter().enumerate() {
            let next = numbers.get(index + 1).copied();
            segments.push(Self { first, end: first, bytes: 0, waiting: 0 }.scan(folder, settled, next)?);
        }
        Ok(segments)
    }

    /// `next`: where the segment after it begins. Without one, it ends with its last whole row, and with one lost row
    /// more if something follows that is no whole row.
    fn scan(mut self, folder: &Path, settled: u64, next: Option<u64>) -> io::Result<Self> {
        let bytes = self.read_from(folder, 0)?;
        self.bytes = bytes.len() as u64;
        let mut at = 0;
        while let Some(frame) = next_frame(&bytes, at) {
            self.waiting += u64::from(frame.sequence > settled);
            self.end = frame.sequence.saturating_add(1);
            at = frame.end;
        }
        self.end = match next {
            Some(next) => next,
            None if at < bytes.len() => self.end.saturating_add(1),
            None => self.end,
        };
        Ok(self)
    }

    /// What the file holds from `offset` on.
    pub(crate) fn read_from(&self, folder: &Path, offset: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.path(folder))?;
        let length = file.metadata()?.len().saturating_sub(offset);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.seek(SeekFrom::Start(offset))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Appends a frame; on failure the file is as it was.
    pub(crate) fn append(&mut self, file: &mut File, frame: &[u8]) -> io::Result<()> {
        if let Err(error) = file.write_all(frame) {
            file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += frame.len() as u64;
        self.end += 1;
        self.waiting += 1;
        Ok(())
    }

    /// Deletes the file.
    pub(crate) fn remove(&self, folder: &Path) -> io::Result<()> {
        match fs::remove_file(self.path(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
