//! One direction under load: streams, pings beside them, and the measured part of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::JoinSet;

use super::transfer::{self, Meter};
use super::{DirectionFigures, SpeedtestOptions, SpeedtestServer, pings};
use crate::round_trips::{RoundTrips, millis};

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Download,
    Upload,
}

/// How often the meter is read.
const TICK: Duration = Duration::from_millis(20);
/// How long the last uploads are waited for.
const LAST_UPLOADS: Duration = Duration::from_secs(5);

/// Connections for streams, and one for pings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clients<'a> {
    pub(super) streams: &'a Client,
    pub(super) pings: &'a Client,
}

/// Moves bytes for the warm-up and the measured time. Dropping the future closes the connections.
///
/// # Errors
/// A sentence.
pub(super) async fn measure(
    direction: Direction,
    clients: Clients<'_>,
    server: &SpeedtestServer,
    options: &SpeedtestOptions,
) -> Result<DirectionFigures, String> {
    let meter = Arc::new(Meter::new(options.max_bytes));
    let mut streams = JoinSet::new();
    let stream_count = options.stream_count.clamp(1, SpeedtestOptions::MAX_STREAMS);
    for _ in 0..stream_count {
        let (client, server, meter) = (clients.streams.clone(), server.clone(), Arc::clone(&meter));
        match direction {
            Direction::Download => streams.spawn(transfer::download(client, server, meter)),
            Direction::Upload => streams.spawn(transfer::upload(client, server, meter)),
        };
    }
    let round_trips = Arc::new(Mutex::new(Vec::new()));
    let mut pinging = JoinSet::new();
    let answered = Arc::clone(&round_trips);
    pinging.spawn(pings::loaded(clients.pings.clone(), server.clone(), move |started, after| {
        answered.lock().unwrap_or_else(PoisonError::into_inner).push((started, after));
    }));

    let watched = watch(&meter, &mut streams, options).await?;
    drop(pinging);
    meter.stop();
    if direction == Direction::Upload {
        let last = async { while streams.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_UPLOADS, last).await;
    }
    drop(streams);

    let measured = watched.to.saturating_duration_since(watched.from);
    let measured_bytes = match direction {
        Direction::Download => watched.bytes,
        Direction::Upload => meter.confirmed_between(watched.from, watched.to),
    };
    if measured_bytes == 0 {
        let way = if direction == Direction::Download { "came from" } else { "arrived at" };
        return Err(format!("Nothing {way} {} in {:.1} seconds.", server.host(), measured.as_secs_f64()));
    }
    let mut loaded = RoundTrips::default();
    for &(started, after) in &*round_trips.lock().unwrap_or_else(PoisonError::into_inner) {
        if started >= watched.from {
            loaded.sent();
            loaded.answered(after);
        }
    }
    Ok(DirectionFigures {
        stream_count,
        warm_up_ms: pings::to_micros(millis(watched.from.saturating_duration_since(watched.started))),
        measured_ms: pings::to_micros(millis(measured)),
        measured_bytes,
        total_bytes: meter.bytes(),
        bytes_by_second: watched.bytes_by_second,
        loaded_pings_ms: pings::figures(&loaded),
        loaded_latency_ms: loaded.median_ms().map(pings::to_micros),
        broken_request_count: meter.broken_count(),
    })
}

/// The measured part.
struct Watched {
    started: Instant,
    from: Instant,
    to: Instant,
    bytes: u64,
    bytes_by_second: Vec<u64>,
}

/// Reads the meter until the measured time is over, or all bytes that may be moved are.
async fn watch(
    meter: &Meter,
    streams: &mut JoinSet<Result<(), String>>,
    options: &SpeedtestOptions,
) -> Result<Watched, String> {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut from = None;
    let mut bytes_by_second = Vec::new();
    let mut counted = 0;
    loop {
        tokio::select! {
            Some(ended) = streams.join_next() => match ended {
                Ok(Ok(())) => {}
                // One refused stream is enough: with fewer than were asked for, another thing would be measured.
                Ok(Err(sentence)) => return Err(sentence),
                Err(_) => return Err("The speed test broke off.".to_owned()),
            },
            _ = ticks.tick() => {
                let (now, bytes) = (Instant::now(), meter.bytes());
                let elapsed = now.saturating_duration_since(started);
                // Streams end by themselves when they have moved all that they may.
                let spent = meter.spent() || streams.is_empty();
                let from = match from {
                    None if elapsed >= options.warm_up => *from.insert((now, bytes)),
                    None if spent => {
                        return Err(format!(
                            "All of the {} bytes that a speed test may move were moved before the warm-up was over: \
                             allow more of them, or a shorter warm-up.",
                            options.max_bytes
                        ));
                    }
                    None => (now, bytes),
                    Some(from) => from,
                };
                let over = elapsed >= options.warm_up + options.measured || spent;
                if over || elapsed.as_secs() > bytes_by_second.len() as u64 {
                    bytes_by_second.push(bytes - counted);
                    counted = bytes;
                }
                if over {
                    return Ok(Watched { started, from: from.0, to: now, bytes: bytes - from.1, bytes_by_second });
                }
            }
        }
    }
}
