//! The demonstration's folder: the database, the keys, the owner's password, and what was done.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Failure, private_file};

const DATABASE: &str = "astranetmon.sqlite3";
const KEYS: &str = "demo-keys.json";
const OWNER: &str = "demo-owner.json";
const PROGRESS: &str = "demo-history.json";

/// A folder that only its owner can look into.
pub(super) struct DemoFolder {
    path: PathBuf,
}

/// The demonstration's keys. Nothing else ever keeps a whole key, so this has no `Debug`.
#[derive(Deserialize, PartialEq, Serialize)]
pub(super) struct DemoKeys {
    pub(super) starter: String,
    pub(super) professional: String,
    pub(super) enterprise: String,
}

/// Who signs in to the demonstration's dashboard, and how. Like the keys, it has no `Debug`.
#[derive(Deserialize, PartialEq, Serialize)]
pub(super) struct DemoOwner {
    pub(super) email: String,
    pub(super) password: String,
}

/// What became of the history.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(super) struct HistoryProgress {
    /// Of the fleets in the database.
    pub(super) seed: u64,
    /// Whether all of it is there.
    pub(super) loaded: bool,
}

impl DemoFolder {
    /// Makes the folder if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| cannot("make the folder", path, &error))?;
        Ok(Self { path: path.to_owned() })
    }

    pub(super) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The kept keys; `None` if the file is not there or holds something else.
    pub(super) fn keys(&self) -> Result<Option<DemoKeys>, Failure> {
        self.read(KEYS)
    }

    pub(super) fn keep_keys(&self, keys: &DemoKeys) -> Result<(), Failure> {
        self.write(KEYS, keys)
    }

    /// The kept owner; `None` as for the keys.
    pub(super) fn owner(&self) -> Result<Option<DemoOwner>, Failure> {
        self.read(OWNER)
    }

    pub(super) fn keep_owner(&self, owner: &DemoOwner) -> Result<(), Failure> {
        self.write(OWNER, owner)
    }

    pub(super) fn history_progress(&self) -> Result<Option<HistoryProgress>, Failure> {
        self.read(PROGRESS)
    }

    pub(super) fn keep_history_progress(&self, progress: HistoryProgress) -> Result<(), Failure> {
        self.write(PROGRESS, &progress)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", &path, &error)),
        }
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let path = self.path.join(name);
        let written = serde_json::to_vec(value).map_err(io::Error::other).and_then(|mut json| {
            json.push(b'\n');
            private_file::write(&path, &json)
        });
        written.map_err(|error| cannot("write", &path, &error))
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_their_owner_only() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("a").join("demo");
        let folder = DemoFolder::open(&path).expect("made");
        assert!(folder.keys().expect("readable").is_none());
        let keys = |starter: &str| DemoKeys {
            starter: starter.to_owned(),
            professional: "p".to_owned(),
            enterprise: "e".to_owned(),
        };
        folder.keep_keys(&keys("first")).expect("kept");
        folder.keep_keys(&keys("second")).expect("replaced");
        assert_eq!(folder.keys().expect("readable").expect("there").starter, "second");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(&path.join(KEYS))), (0o700, 0o600));
        }
        fs::write(path.join(KEYS), b"{").expect("written");
        assert!(folder.keys().expect("readable").is_none());
    }
}
