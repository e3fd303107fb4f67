//! Bodies as they were before their sender compressed them. What comes out is bounded, so a small body that unpacks to
//! a large one costs no more memory and time than any other. Beside what comes out, a zstd decoder holds its window, which
//! is no longer than the bound.

use std::io::Read;

use actix_web::http::header::{self, HeaderMap};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::memory::{BodyMemory, NoMemory};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// As `Content-Encoding` says; `None` for any other coding, or more than one.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut named = headers.get_all(header::CONTENT_ENCODING);
        let Some(value) = named.next() else { return Some(Self::Identity) };
        if named.next().is_some() {
            return None;
        }
        let value = value.to_str().ok()?.trim();
        [(Self::Identity, "identity"), (Self::Gzip, "gzip"), (Self::Gzip, "x-gzip"), (Self::Zstd, "zstd")]
            .into_iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(value))
            .map(|(coding, _)| coding)
    }
}

/// Why a body could not be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DecompressError {
    /// It is not what its `Content-Encoding` says.
    Malformed,
    /// More than the bound came out.
    TooLong,
    /// Other bodies have taken the room.
    NoMemory,
}

impl From<NoMemory> for DecompressError {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// What comes out at a time.
const STEP: usize = 64 * 1024;
/// Frames that one zstd body may have: each costs a decoder, and a sender needs one.
const MOST_FRAMES: usize = 64;

/// Unpacks a body to at most `most` bytes, for which it takes room in `memory`.
pub(crate) fn decompress(
    body: &[u8],
    coding: Coding,
    most: usize,
    memory: &mut BodyMemory,
) -> Result<Vec<u8>, DecompressError> {
    let mut unpacked = Vec::new();
    match coding {
        Coding::Identity => {
            if body.len() > most {
                return Err(DecompressError::TooLong);
            }
            memory.grow(body.len())?;
            unpacked.extend_from_slice(body);
        }
        Coding::Gzip => drain(MultiGzDecoder::new(body), most, &mut unpacked, memory)?,
        Coding::Zstd => {
            let mut rest = body;
            for _ in 0..MOST_FRAMES {
                if rest.is_empty() {
                    return Ok(unpacked);
                }
                zstd_frame(&mut rest, most, &mut unpacked, memory)?;
            }
            if !rest.is_empty() {
                return Err(DecompressError::Malformed);
            }
        }
    }
    Ok(unpacked)
}

/// Unpacks the first frame of `rest`, and leaves what follows it.
fn zstd_frame(
    rest: &mut &[u8],
    most: usize,
    unpacked: &mut Vec<u8>,
    memory: &mut BodyMemory,
) -> Result<(), DecompressError> {
    let mut decoder = FrameDecoder::new();
    // A frame in one segment has a window as large as its content.
    decoder.set_max_window_size(most as u64);
    match decoder.init(&mut *rest) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            *rest = rest.get(length as usize..).ok_or(DecompressError::Malformed)?;
            return Ok(());
        }
        Err(FrameDecoderError::WindowSizeTooBig { .. }) => return Err(DecompressError::TooLong),
        Err(_) => return Err(DecompressError::Malformed),
    }
    while !decoder.is_finished() || decoder.can_collect() > 0 {
        if !decoder.is_finished() {
            let one = BlockDecodingStrategy::UptoBlocks(1);
            decoder.decode_blocks(&mut *rest, one).map_err(|_| DecompressError::Malformed)?;
        }
        let more = decoder.can_collect();
        if unpacked.len() + more > most {
            return Err(DecompressError::TooLong);
        }
        memory.grow(more)?;
        decoder.collect_to_writer(&mut *unpacked).map_err(|_| DecompressError::Malformed)?;
    }
    Ok(())
}

fn drain(
    mut source: impl Read,
    most: usize,
    unpacked: &mut Vec<u8>,
    memory: &mut BodyMemory,
) -> Result<(), DecompressError> {
    loop {
        memory.grow(STEP)?;
        let step = (&mut source).take(STEP as u64).read_to_end(unpacked);
        let read = step.map_err(|_| DecompressError::Malformed)?;
        if unpacked.len() > most {
            return Err(DecompressError::TooLong);
        }
        if read < STEP {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    const MOST: usize = 32 * 1024 * 1024;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn unpack(body: &[u8], coding: Coding) -> Result<Vec<u8>, DecompressError> {
        decompress(body, coding, MOST, &mut BodyMemory::unbounded())
    }

    #[test]
    fn codings_are_known_by_their_names() {
        for (lines, expected) in [
            (&[][..], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&["gzip"], Some(Coding::Gzip)),
            (&["X-GZip"], Some(Coding::Gzip)),
            (&[" zstd "], Some(Coding::Zstd)),
            (&["br"], None),
            (&["deflate"], None),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&[""], None),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                let value = header::HeaderValue::from_str(line).expect("header value");
                headers.append(header::CONTENT_ENCODING, value);
            }
            assert_eq!(Coding::of(&headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_was_packed_is_unpacked_in_however_many_pieces() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(|number| (number % 1_013).to_le_bytes()).collect();
        for length in [0, 1, STEP - 1, STEP, STEP + 1, text.len()] {
            let text = &text[..length];
            for (packed, coding) in [(gzip(text), Coding::Gzip), (zstd(text), Coding::Zstd)] {
                assert!(unpack(&packed, coding).expect("unpacked") == text, "{coding:?} {length}");
                let twice = [packed.clone(), packed].concat();
                assert!(unpack(&twice, coding).expect("unpacked") == [text, text].concat(), "{coding:?} {length}");
            }
        }
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], &zstd(b"x")[..]].concat();
        assert_eq!(unpack(&skippable, Coding::Zstd).as_deref(), Ok(&b"x"[..]));
    }

    #[test]
    fn what_unpacks_to_more_than_the_bound_is_given_up_there() {
        let zeros = vec![0; 256 * 1024 * 1024];
        for (packed, coding) in [(gzip(&zeros), Coding::Gzip), (zstd(&zeros), Coding::Zstd)] {
            let mut memory = BodyMemory::unbounded();
            assert_eq!(decompress(&packed, coding, MOST, &mut memory), Err(DecompressError::TooLong), "{coding:?}");
            assert!(memory.taken() <= MOST + 2 * STEP, "{coding:?}: {}", memory.taken());
        }
        let just = &zeros[..MOST];
        assert_eq!(unpack(&gzip(just), Coding::Gzip).expect("unpacked").len(), MOST);
        assert_eq!(unpack(just, Coding::Identity).expect("the same").len(), MOST);
        assert_eq!(unpack(&zeros[..=MOST], Coding::Identity), Err(DecompressError::TooLong));
        // A frame that claims a window of 3.75 TiB.
        let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00];
        assert!(unpack(&window, Coding::Zstd).is_err());
        // Frames of nothing.
        assert_eq!(unpack(&zstd(b"").repeat(MOST_FRAMES + 1), Coding::Zstd), Err(DecompressError::Malformed));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let text = b"{\"metrics\": []}".repeat(100);
        for (packed, coding) in [(gzip(&text), Coding::Gzip), (zstd(&text), Coding::Zstd)] {
            assert_eq!(unpack(&text, coding), Err(DecompressError::Malformed), "{coding:?}");
            for cut in 1..packed.len() {
                assert_eq!(unpack(&packed[..cut], coding), Err(DecompressError::Malformed), "{coding:?} {cut}");
            }
            for at in 0..packed.len() {
                let mut damaged = packed.clone();
                damaged[at] ^= 0x55;
                // It may go unnoticed here; it must end.
                let _ = unpack(&damaged, coding);
            }
        }
        assert_eq!(unpack(b"", Coding::Gzip), Err(DecompressError::Malformed));
    }
}
