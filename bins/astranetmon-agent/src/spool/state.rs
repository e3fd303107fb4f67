use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How far the spool is emptied, and what went without being sent. One small file, replaced as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Every row up to this number of sequence is settled: the server answered for it, or it is counted below.
    pub(crate) settled: u64,
    /// Rows that went for lack of room.
    pub(crate) dropped: u64,
    /// Rows that were torn or changed on the disk.
    pub(crate) damaged: u64,
    /// Rows that the server refused.
    pub(crate) refused: u64,
}

impl State {
    const NAME: &'static str = "state";

    /// `None` if there is none, or none that is whole.
    pub(crate) fn load(folder: &Path) -> io::Result<Option<Self>> {
        match fs::read(folder.join(Self::NAME)) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (checksum, json) = text.strip_suffix('\n')?.split_once(' ')?;
        (checksum == hex_checksum(json)).then(|| serde_json::from_str(json).ok()).flatten()
    }

    /// `durable`: also against a loss of power. Without it the file is whole at any moment, but may be an older one
    /// after such a loss; then rows are sent again, which changes nothing.
    pub(crate) fn save(&self, folder: &Path, durable: bool) -> io::Result<()> {
        let json = serde_json::to_string(self).map_err(io::Error::other)?;
        let fresh = folder.join("state.new");
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{} {json}\n", hex_checksum(&json)).as_bytes())?;
        if durable {
            file.sync_data()?;
        }
        fs::rename(&fresh, folder.join(Self::NAME))
    }
}

fn hex_checksum(json: &str) -> String {
    format!("{:08x}", crc32fast::hash(json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path();
        assert_eq!(State::load(path).expect("readable"), None);
        let state = State { settled: 70, dropped: 3, damaged: 2, refused: 1 };
        state.save(path, true).expect("saved");
        assert_eq!(State::load(path).expect("readable"), Some(state));
        let whole = fs::read(path.join(State::NAME)).expect("readable");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(State::parse(&bytes), None, "byte {at} changed");
            assert_eq!(State::parse(&whole[..at]), None, "{at} bytes left");
        }
    }
}
