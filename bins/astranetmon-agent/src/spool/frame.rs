//! How a row lies on the disk.
//!
//! ```text
//! marker    4 bytes   A5 'r' 'o' 'w'
//! length    u32       of everything after the checksum
//! checksum  u32       CRC-32 of the length and of everything after the checksum
//! sequence  u64       one more than the row before
//! kind      u8
//! moment    i64       microseconds since the epoch
//! json      …         the row as the server takes it
//! ```
//!
//! Numbers are little endian. A frame that was torn or changed fails its checksum, and the next one is found by its
//! marker; the numbers of sequence then tell how many rows are lost between the two.

use astranetmon_domain::Timestamp;

use super::{Row, RowKind};

const MARKER: [u8; 4] = *b"\xA5row";
/// Marker, length and checksum.
const HEAD: usize = 12;
/// Sequence, kind and moment.
const FIXED: usize = 17;
/// Longest row, in bytes of JSON. A traceroute of 255 hops with the longest names has a third of this.
pub(crate) const MAX_ROW_BYTES: usize = 512 * 1024;

/// The row as a frame.
pub(crate) fn encode(sequence: u64, row: &Row) -> Vec<u8> {
    let length = u32::try_from(FIXED + row.json.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + FIXED + row.json.len());
    frame.extend_from_slice(&MARKER);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&sequence.to_le_bytes());
    frame.push(row.kind.as_byte());
    frame.extend_from_slice(&row.timestamp.as_micros().to_le_bytes());
    frame.extend_from_slice(&row.json);
    let checksum = checksum(length, &frame[HEAD..]);
    frame[8..HEAD].copy_from_slice(&checksum.to_le_bytes());
    frame
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) sequence: u64,
    pub(crate) kind: RowKind,
    pub(crate) timestamp: Timestamp,
    pub(crate) json: &'a [u8],
    /// Where the next frame begins.
    pub(crate) end: usize,
}

/// The next whole frame at or after `from`, past everything that is none.
pub(crate) fn next_frame(bytes: &[u8], from: usize) -> Option<Frame<'_>> {
    let mut at = from;
    while at + HEAD + FIXED <= bytes.len() {
        if let Some(frame) = frame_at(bytes, at) {
            return Some(frame);
        }
        let rest = &bytes[at + 1..];
        at += 1 + rest.iter().position(|&byte| byte == MARKER[0])?;
    }
    None
}

fn frame_at(bytes: &[u8], at: usize) -> Option<Frame<'_>> {
    let head = bytes.get(at..at + HEAD)?;
    if head[..4] != MARKER {
        return None;
    }
    let length = u32::from_le_bytes(head[4..8].try_into().ok()?);
    let body_length = usize::try_from(length).ok().filter(|length| (FIXED..=FIXED + MAX_ROW_BYTES).contains(length))?;
    let end = at + HEAD + body_length;
    let body = bytes.get(at + HEAD..end)?;
    if u32::from_le_bytes(head[8..].try_into().ok()?) != checksum(length, body) {
        return None;
    }
    Some(Frame {
        sequence: u64::from_le_bytes(body[..8].try_into().ok()?),
        kind: RowKind::from_byte(body[8])?,
        timestamp: Timestamp::from_micros(i64::from_le_bytes(body[9..FIXED].try_into().ok()?)),
        json: &body[FIXED..],
        end,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        Row { kind: RowKind::Metric, timestamp: Timestamp::from_seconds(7), json: json.as_bytes().to_vec() }
    }

    #[test]
    fn what_is_written_is_read_and_damage_is_passed_over() {
        let mut bytes = encode(1, &row("{\"a\":1}"));
        let first = bytes.len();
        bytes.extend(encode(2, &row("{\"a\":2}")));
        bytes.extend(encode(3, &row("")));
        let frame = next_frame(&bytes, 0).expect("whole");
        assert_eq!((frame.sequence, frame.json, frame.end), (1, &b"{\"a\":1}"[..], first));
        assert_eq!((frame.kind, frame.timestamp), (RowKind::Metric, Timestamp::from_seconds(7)));
        for damaged in 0..first {
            let mut bytes = bytes.clone();
            bytes[damaged] ^= 0x10;
            assert_eq!(next_frame(&bytes, 0).expect("the second").sequence, 2, "byte {damaged}");
        }
        for length in 0..first {
            assert_eq!(next_frame(&bytes[..length], 0), None);
        }
    }

    #[test]
    fn a_marker_inside_a_row_is_no_frame() {
        let mut inner = encode(9, &row("x"));
        inner.pop();
        let outer = Row { json: inner, ..row("") };
        let bytes = encode(1, &outer);
        assert_eq!(next_frame(&bytes, 0).map(|frame| frame.end), Some(bytes.len()));
        assert_eq!(next_frame(&bytes, 1), None);
    }
}
