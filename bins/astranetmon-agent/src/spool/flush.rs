use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Makes rows durable; apart from the spool, since it may wait for the disk.
#[derive(Debug)]
pub struct Flush {
    pub(super) file: File,
    pub(super) folder: Option<PathBuf>,
}

impl Flush {
    /// Waits until the disk has it.
    ///
    /// # Errors
    /// A disk that refuses.
    pub fn run(self) -> io::Result<()> {
        self.file.sync_data()?;
        match self.folder {
            Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}
