//! Round trips of requests for nothing, over a connection that is open already.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};

use super::SpeedtestServer;
use super::call::{self, CallError};
use crate::round_trips::{RoundTrips, millis};

/// Between the end of a ping and the start of the next.
const IDLE_SPACING: Duration = Duration::from_millis(50);
const LOADED_SPACING: Duration = Duration::from_millis(200);

/// One request for nothing: from when it is sent to when its answer begins.
async fn ping(client: &Client, server: &SpeedtestServer) -> Result<Duration, CallError> {
    let started = Instant::now();
    let response = call::send(server, call::request(client, server, Method::GET, &server.empty)).await?;
    let after = started.elapsed();
    // Only what is read to its end leaves its connection to the next one.
    response.bytes().await.map_err(|error| CallError::broken(server, &error))?;
    Ok(after)
}

/// Pings while there is no load. The one before, which opens the connection, does not count.
///
/// # Errors
/// A sentence: of the first that fails.
pub(super) async fn idle(client: &Client, server: &SpeedtestServer, count: u32) -> Result<RoundTrips, String> {
    let sentence = |error: CallError| error.sentence;
    ping(client, server).await.map_err(sentence)?;
    let mut trips = RoundTrips::default();
    for _ in 0..count.max(1) {
        tokio::time::sleep(IDLE_SPACING).await;
        trips.sent();
        trips.answered(ping(client, server).await.map_err(sentence)?);
    }
    Ok(trips)
}

/// Pings until it is dropped; tells `answered` of each when it started and how long it took. One that fails is left
/// out: the load shows what is wrong with the line.
pub(super) async fn loaded(client: Client, server: SpeedtestServer, mut answered: impl FnMut(Instant, Duration)) {
    loop {
        let started = Instant::now();
        if let Ok(after) = ping(&client, &server).await {
            answered(started, after);
        }
        tokio::time::sleep(LOADED_SPACING).await;
    }
}

/// The figures of a series.
pub(super) fn figures(trips: &RoundTrips) -> Vec<f64> {
    trips.answered_times().map(millis).map(to_micros).collect()
}

/// To three decimals, as records have them.
pub(super) fn to_micros(millis: f64) -> f64 {
    (millis * 1_000.0).round() / 1_000.0
}
