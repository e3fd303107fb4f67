use astranetmon_domain::Timestamp;
use astranetmon_storage::FleetRow;
use serde::Serialize;

use crate::format::{self, Moment, UNKNOWN};
use crate::names::{labels, names};

/// From here on a share of a whole is worth a look, in percent.
const HIGH_PERCENT: f64 = 75.0;
/// From here on it is in need of one.
const FULL_PERCENT: f64 = 90.0;

/// A row of the fleet's table as it is shown, with what its columns sort by.
#[derive(Serialize)]
pub(super) struct FleetRowView {
    pub(super) id: String,
    pub(super) status: &'static str,
    /// The name that a person gave, else the host's.
    pub(super) name: String,
    /// The host's name where a person gave another one.
    pub(super) hostname: Option<String>,
    /// `name: value`
    pub(super) labels: Vec<String>,
    pub(super) cpu: Share,
    pub(super) memory: Share,
    pub(super) disk: Share,
    pub(super) receive: String,
    pub(super) transmit: String,
    /// Both together, in bytes a second.
    pub(super) network_sort: Option<i64>,
    pub(super) speedtest: Option<SpeedtestView>,
    pub(super) route_at: Option<Moment>,
    pub(super) route_target: Option<String>,
    /// Seconds since the epoch.
    pub(super) route_sort: Option<i64>,
    pub(super) seen_at: Option<Moment>,
    /// Seconds since the epoch.
    pub(super) seen_sort: Option<i64>,
}

/// A part of a whole.
#[derive(Serialize)]
pub(super) struct Share {
    pub(super) text: String,
    /// 0 to 100, two decimals; the length of its bar.
    pub(super) percent: Option<f64>,
    /// The class of its bar: empty, `warn` or `bad`.
    pub(super) level: &'static str,
}

impl Share {
    fn of(percent: Option<f64>) -> Self {
        let level = match percent {
            Some(percent) if percent >= FULL_PERCENT => "bad",
            Some(percent) if percent >= HIGH_PERCENT => "warn",
            _ => "",
        };
        let text = format::or_unknown(percent, |percent| format!("{percent:.0}\u{a0}%"));
        Self { text, percent: percent.map(|percent| percent.clamp(0.0, 100.0)), level }
    }

    /// The bar's length, as SVG takes it.
    pub(super) fn width(&self) -> String {
        format!("{:.0}%", self.percent.unwrap_or(0.0))
    }
}

/// The newest speed test.
#[derive(Serialize)]
pub(super) struct SpeedtestView {
    /// `↓ 941 ↑ 101 Mbps`, or `failed`.
    pub(super) text: String,
    pub(super) at: Moment,
    /// Download in Mbps; -1 if it failed.
    pub(super) sort: f64,
}

impl FleetRowView {
    pub(super) fn of(row: &FleetRow, now: Timestamp) -> Self {
        let FleetRow { agent, metric, speedtest, route_change } = row;
        let metric = metric.as_ref();
        let (receive, transmit) = (
            metric.and_then(|metric| metric.network_receive_bytes_per_second),
            metric.and_then(|metric| metric.network_transmit_bytes_per_second),
        );
        let (name, hostname) = names(agent);
        Self {
            id: agent.id.to_string(),
            status: agent.status(now).as_str(),
            name,
            hostname,
            labels: labels(agent),
            cpu: Share::of(metric.and_then(|metric| metric.cpu_percent)),
            memory: Share::of(metric.and_then(|metric| metric.memory_percent)),
            disk: Share::of(metric.and_then(|metric| metric.disk_percent)),
            receive: rate(receive),
            transmit: rate(transmit),
            network_sort: receive.or(transmit).map(|_| receive.unwrap_or(0) + transmit.unwrap_or(0)),
            speedtest: speedtest.as_ref().map(|test| {
                let part = |value: Option<f64>| format::or_unknown(value, |value| format!("{value:.0}"));
                let (down, up) = (test.download_mbps, test.upload_mbps);
                let measured = down.or(up).is_some();
                let text = if measured {
                    format!("↓\u{a0}{} ↑\u{a0}{}", part(down), part(up))
                } else {
                    "failed".to_owned()
                };
                SpeedtestView { text, at: Moment::of(test.timestamp, now), sort: down.unwrap_or(-1.0) }
            }),
            route_at: route_change.as_ref().map(|change| Moment::of(change.at, now)),
            route_target: route_change.as_ref().map(|change| change.target.clone()),
            route_sort: route_change.as_ref().map(|change| change.at.as_seconds()),
            seen_at: agent.last_seen_at.map(|at| Moment::of(at, now)),
            seen_sort: agent.last_seen_at.map(Timestamp::as_seconds),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn rate(bytes: Option<i64>) -> String {
    bytes.map_or_else(|| UNKNOWN.to_owned(), |bytes| format::bytes_per_second(bytes as f64))
}
