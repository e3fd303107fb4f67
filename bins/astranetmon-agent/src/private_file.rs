//! A file that only its owner can read, written in two steps: what may fail comes first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A new file beside the one that it replaces; gone again if it is not put in place.
#[derive(Debug)]
pub(crate) struct FreshFile {
    file: File,
    fresh: PathBuf,
    path: PathBuf,
    placed: bool,
}

impl FreshFile {
    /// Makes the file, empty, so that a folder that cannot be written to is found out before anything is spent.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let fresh = path.with_file_name(name);
        // What a run before left behind may have another owner's eyes on it.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&fresh)?;
        Ok(Self { file, fresh, path: path.to_owned(), placed: false })
    }

    /// Replaces the file in one step: it is whole at any moment, and durable once this returns. It belongs to whoever
    /// the folder belongs to, so that a service finds what root has put there.
    pub(crate) fn put(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        #[cfg(unix)]
        if let Some(folder) = folder {
            use std::os::unix::fs::{MetadataExt, fchown};
            let (owner, own) = (fs::metadata(folder)?, self.file.metadata()?);
            if (owner.uid(), owner.gid()) != (own.uid(), own.gid()) {
                // Only root may; anybody else's file is its own.
                let _ = fchown(&self.file, Some(owner.uid()), Some(owner.gid()));
            }
        }
        self.file.sync_all()?;
        fs::rename(&self.fresh, &self.path)?;
        self.placed = true;
        // The name is durable once its folder is.
        match folder {
            Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

impl Drop for FreshFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.fresh);
        }
    }
}
