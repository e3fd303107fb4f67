//! Streams of bytes from and to a server, each request after the other.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, Method};

use super::SpeedtestServer;
use super::call::{self, CallError};

/// What all streams of one direction share.
#[derive(Debug)]
pub(super) struct Meter {
    bytes: AtomicU64,
    /// Of uploads: what the requests that were begun are to move.
    reserved: AtomicU64,
    max_bytes: u64,
    stopped: AtomicBool,
    broken: AtomicU32,
    confirmed: Mutex<Vec<Confirmed>>,
}

/// An upload that the server took wholly.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmed {
    pub(super) from: Instant,
    pub(super) to: Instant,
    pub(super) bytes: u64,
}

impl Meter {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            max_bytes,
            stopped: AtomicBool::new(false),
            broken: AtomicU32::new(0),
            confirmed: Mutex::default(),
        }
    }

    /// Received, or handed to the system to be sent.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, length: usize) {
        self.bytes.fetch_add(length as u64, Ordering::Relaxed);
    }

    /// Takes `wanted` bytes, or as many as are left, from those that may be moved.
    fn reserve(&self, wanted: u64) -> u64 {
        let take = |reserved: u64| Some(reserved.saturating_add(wanted).min(self.max_bytes));
        let before = self.reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(self.max_bytes);
        wanted.min(self.max_bytes.saturating_sub(before))
    }

    /// Whether all bytes that may be moved are moved.
    pub(super) fn spent(&self) -> bool {
        self.bytes() >= self.max_bytes
    }

    /// No further request is begun.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.spent() && !self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn broken_count(&self) -> u32 {
        self.broken.load(Ordering::Relaxed)
    }

    fn confirm(&self, confirmed: Confirmed) {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).push(confirmed);
    }

    /// Bytes of wholly taken uploads that fall between two moments, each upload taken as even over its time.
    pub(super) fn confirmed_between(&self, from: Instant, to: Instant) -> u64 {
        let share = |upload: &Confirmed| {
            let took = upload.to.saturating_duration_since(upload.from);
            let inside = upload.to.min(to).saturating_duration_since(upload.from.max(from));
            if took.is_zero() { 0.0 } else { upload.bytes as f64 * inside.as_secs_f64() / took.as_secs_f64() }
        };
        let uploads = self.confirmed.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.iter().map(share).sum::<f64>().round() as u64
    }
}

/// Requests that may break one after another before a stream gives up.
const MAX_BROKEN: u32 = 5;
/// Time after a request that broke.
const AFTER_BROKEN: Duration = Duration::from_millis(100);
/// Size of one download, in MiB. What a server makes of it is its own affair; the next request follows at once.
const DOWNLOAD_MEBIBYTES: u32 = 100;

/// Downloads until the meter says that it is enough.
///
/// # Errors
/// A sentence, when the server refuses or one request after another breaks off.
pub(super) async fn download(client: Client, server: SpeedtestServer, meter: Arc<Meter>) -> Result<(), String> {
    let mut url = server.download.clone();
    url.query_pairs_mut().append_pair("ckSize", &DOWNLOAD_MEBIBYTES.to_string());
    let mut broken_in_a_row = 0;
    while meter.goes_on() {
        let before = meter.bytes();
        let result = async {
            let mut response = call::send(&server, call::request(&client, &server, Method::GET, &url)).await?;
            while let Some(part) = response.chunk().await.map_err(|error| CallError::broken(&server, &error))? {
                meter.add(part.len());
                if !meter.goes_on() {
                    break;
                }
            }
            Ok(())
        };
        let result: Result<(), CallError> = result.await;
        match result {
            Ok(()) if meter.bytes() > before => broken_in_a_row = 0,
            Ok(()) => return Err(format!("{} sent an empty download.", server.host())),
            Err(error) => pause_after(&error, &meter, &mut broken_in_a_row).await?,
        }
    }
    Ok(())
}

/// Counts a request that broke, and gives up if the server refused or too many did.
async fn pause_after(error: &CallError, meter: &Meter, broken_in_a_row: &mut u32) -> Result<(), String> {
    meter.broken.fetch_add(1, Ordering::Relaxed);
    *broken_in_a_row += 1;
    if error.status.is_some() || *broken_in_a_row > MAX_BROKEN {
        return Err(error.sentence.clone());
    }
    tokio::time::sleep(AFTER_BROKEN).await;
    Ok(())
}

/// Size of the first upload of a stream, and the smallest.
const FIRST_UPLOAD: u64 = 64 << 10;
const SMALLEST_UPLOAD: u64 = 16 << 10;
/// The largest, which LibreSpeed's servers take by their own documentation.
const LARGEST_UPLOAD: u64 = 16 << 20;
/// How long an upload is to take: short, so that its bytes fall where they were sent; long, so that the pauses between
/// two of them do not weigh.
const UPLOAD_TIME: Duration = Duration::from_millis(500);

/// Uploads until the meter says that it is enough.
///
/// What was handed to the system is no measure: its buffers, some megabytes, may be as much as a slow line carries in
/// the whole test. Only what the server acknowledged by its answer counts.
///
/// # Errors
/// A sentence, when the server refuses or one request after another breaks off.
pub(super) async fn upload(client: Client, server: SpeedtestServer, meter: Arc<Meter>) -> Result<(), String> {
    let block = incompressible();
    let mut size = FIRST_UPLOAD;
    let mut largest = LARGEST_UPLOAD;
    let mut broken_in_a_row = 0;
    while meter.goes_on() {
        size = meter.reserve(size.min(largest));
        if size == 0 {
            break;
        }
        let filler = Filler { left: size, block: block.clone(), meter: Arc::clone(&meter), unsent: Arc::default() };
        let unsent = Arc::clone(&filler.unsent);
        unsent.store(size, Ordering::Relaxed);
        let request = call::request(&client, &server, Method::POST, &server.empty)
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Body::wrap(filler));
        let from = Instant::now();
        let result = async {
            let response = call::send(&server, request).await?;
            let to = Instant::now();
            response.bytes().await.map_err(|error| CallError::broken(&server, &error))?;
            Ok(to)
        };
        let result: Result<Instant, CallError> = result.await;
        match result {
            Ok(_) if unsent.load(Ordering::Relaxed) > 0 => {
                return Err(format!("{} answered an upload before it had come.", server.host()));
            }
            Ok(to) => {
                broken_in_a_row = 0;
                meter.confirm(Confirmed { from, to, bytes: size });
                size = next_size(size, to.saturating_duration_since(from));
            }
            // Servers say how large a request may be by refusing those that are larger, or by breaking off.
            Err(error) => {
                largest = (size / 2).max(SMALLEST_UPLOAD);
                let too_large = error.status.is_some_and(|status| status.as_u16() == 413);
                let error =
                    if too_large && size > SMALLEST_UPLOAD { CallError { status: None, ..error } } else { error };
                pause_after(&error, &meter, &mut broken_in_a_row).await?;
            }
        }
    }
    Ok(())
}

/// The size that would take [`UPLOAD_TIME`], at most four times the last.
fn next_size(size: u64, took: Duration) -> u64 {
    let factor = (UPLOAD_TIME.as_secs_f64() / took.as_secs_f64().max(0.001)).min(4.0);
    ((size as f64 * factor) as u64).clamp(SMALLEST_UPLOAD, LARGEST_UPLOAD)
}

/// Bytes that no line compresses, the same in each test: xorshift, whose period is longer than any window.
fn incompressible() -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(256 * 1024 / 8).flatten().collect::<Vec<u8>>().into()
}

/// A body of a known size.
struct Filler {
    left: u64,
    block: Bytes,
    meter: Arc<Meter>,
    /// What was not asked for yet; for who sends the request, when it is gone.
    unsent: Arc<AtomicU64>,
}

impl http_body::Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        const PART: usize = 64 << 10;
        let length = usize::try_from(self.left).unwrap_or(PART).min(PART);
        if length == 0 {
            return Poll::Ready(None);
        }
        let start = usize::try_from(self.left % (self.block.len() - PART) as u64).unwrap_or(0);
        let part = self.block.slice(start..start + length);
        self.left -= length as u64;
        self.unsent.store(self.left, Ordering::Relaxed);
        self.meter.add(length);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_grow_until_they_take_their_time() {
        for (size, took_ms, expected) in [
            (64 << 10, 500, 64 << 10),
            (64 << 10, 250, 128 << 10),
            (64 << 10, 1, 256 << 10),
            (64 << 10, 0, 256 << 10),
            (64 << 10, 60_000, SMALLEST_UPLOAD),
            (LARGEST_UPLOAD, 100, LARGEST_UPLOAD),
        ] {
            assert_eq!(next_size(size, Duration::from_millis(took_ms)), expected, "{size} {took_ms}");
        }
    }

    #[test]
    fn no_more_is_reserved_than_may_be_moved() {
        let meter = Meter::new(100);
        assert_eq!([60, 60, 60].map(|wanted| meter.reserve(wanted)), [60, 40, 0]);
        assert!(!meter.spent());
    }

    #[test]
    fn an_upload_counts_with_the_part_of_it_that_is_inside() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let meter = Meter::new(u64::MAX);
        for (from, to, bytes) in [(0, 2, 200), (2, 4, 400), (3, 7, 800), (10, 10, 5)] {
            meter.confirm(Confirmed { from: at(from), to: at(to), bytes });
        }
        for (from, to, expected) in [(0, 20, 1_400), (1, 4, 100 + 400 + 200), (5, 6, 200), (8, 9, 0)] {
            assert_eq!(meter.confirmed_between(at(from), at(to)), expected, "{from} to {to}");
        }
    }
}
