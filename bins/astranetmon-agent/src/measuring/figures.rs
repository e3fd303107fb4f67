use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use astranetmon_collect::speedtest::{SpeedtestFigures, SpeedtestOutcome};
use serde::Serialize;

/// The raw figures of speed tests, a line of JSON each: what the record was made of, for who wants to look closer.
pub(super) struct FiguresFile {
    path: PathBuf,
    max_bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    id: String,
    timestamp: String,
    figures: &'a SpeedtestFigures,
}

impl FiguresFile {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("speedtest-figures.ndjson"), max_bytes: 1 << 20 }
    }

    /// Appends a line. A file that has grown too long becomes the one before, and the one before that goes.
    pub(super) fn keep(&self, outcome: &SpeedtestOutcome) -> io::Result<()> {
        let (id, timestamp) = (outcome.record.id.to_string(), outcome.record.timestamp.to_string());
        let mut line = serde_json::to_vec(&Line { id, timestamp, figures: &outcome.figures })?;
        line.push(b'\n');
        if fs::metadata(&self.path).is_ok_and(|file| file.len() + line.len() as u64 > self.max_bytes) {
            fs::rename(&self.path, self.path.with_extension("ndjson.1"))?;
        }
        OpenOptions::new().append(true).create(true).open(&self.path)?.write_all(&line)
    }
}
