//! What one line says.

use astranetmon_domain::{AgentId, SpeedtestId, SpeedtestStatus, Timestamp};

use super::device::{is_physical_interface, is_reading, is_temperature_field, is_whole_disk};
use super::group::Values;
use super::ping::Ping;
use crate::identity::derived_id;
use crate::line_protocol::Point;
use crate::{MetricRow, Refusal, SpeedtestRow};

/// Part of what a line becomes.
#[derive(Debug)]
pub(super) enum Part {
    /// Fields of the metric of its time.
    Metric(Box<MetricRow>),
    /// Counters of an interface: received, sent, errors.
    Network(String, Values),
    /// Counters of a disk: read, written.
    Disk(String, Values),
    /// Thousandths of a degree.
    Sensor(String, Values),
    /// A round trip.
    Ping(Box<Ping>),
    /// A speed test.
    Speedtest(Box<SpeedtestRow>),
    /// Nothing that is kept.
    Nothing,
}

/// Reads a line of a mapped input.
pub(super) fn read(point: &Point<'_>, agent: &AgentId, at: Timestamp) -> Result<Part, Refusal> {
    let tag = |name: &str| point.tag(name).unwrap_or_default();
    let counts = match point.measurement.as_ref() {
        "cpu" => tag("cpu") == "cpu-total",
        "disk" => tag("path") == "/",
        "diskio" => is_whole_disk(tag("name")),
        "net" => is_physical_interface(tag("interface")),
        "temp" => is_reading(tag("sensor")),
        _ => true,
    };
    if !counts {
        return Ok(Part::Nothing);
    }
    match point.measurement.as_ref() {
        "net" => {
            let errors = match (whole(point, "err_in")?, whole(point, "err_out")?) {
                (Some(received), Some(sent)) => received.checked_add(sent),
                _ => None,
            };
            let values = [whole(point, "bytes_recv")?, whole(point, "bytes_sent")?, errors];
            Ok(Part::Network(tag("interface").to_owned(), values))
        }
        "diskio" => {
            let values = [whole(point, "read_bytes")?, whole(point, "write_bytes")?, None];
            Ok(Part::Disk(tag("name").to_owned(), values))
        }
        "temp" => sensor(point, format!("temp {}", tag("sensor")), |name| name == "temp"),
        "sensors" => sensor(point, format!("sensors {} {}", tag("chip"), tag("feature")), is_temperature_field),
        "ping" => ping(point, at),
        "internet_speed" => speedtest(point, agent, at),
        _ => metric(point),
    }
}

/// Inputs whose fields become those of a metric by themselves.
fn metric(point: &Point<'_>) -> Result<Part, Refusal> {
    let mut row = MetricRow::default();
    match point.measurement.as_ref() {
        "cpu" => {
            let waiting = number(point, "usage_iowait")?.unwrap_or(0.0);
            let busy = match (number(point, "usage_idle")?, number(point, "usage_active")?) {
                (Some(idle), _) => Some(100.0 - idle - waiting),
                (None, active) => active.map(|active| active - waiting),
            };
            row.cpu_percent = busy.map(|busy| busy.clamp(0.0, 100.0));
        }
        "system" => {
            row.load_1 = number(point, "load1")?;
            row.load_5 = number(point, "load5")?;
            row.load_15 = number(point, "load15")?;
            row.uptime_seconds = whole(point, "uptime")?;
        }
        "processes" => row.process_count = whole(point, "total")?,
        "mem" => {
            let total = whole(point, "total")?;
            let available = whole(point, "available")?;
            let free = total.zip(available).map(|(total, available)| total.saturating_sub(available).max(0));
            row.memory_total_bytes = total;
            row.memory_used_bytes = free.or(whole(point, "used")?);
            row.memory_percent = percent(row.memory_used_bytes, total);
        }
        "swap" => {
            row.swap_total_bytes = whole(point, "total")?;
            row.swap_used_bytes = whole(point, "used")?;
        }
        "disk" => {
            row.disk_total_bytes = whole(point, "total")?;
            row.disk_used_bytes = whole(point, "used")?;
            row.disk_percent = percent(row.disk_used_bytes, row.disk_total_bytes);
        }
        _ => {}
    }
    Ok(if row == MetricRow::default() { Part::Nothing } else { Part::Metric(Box::new(row)) })
}

fn sensor(point: &Point<'_>, name: String, is_temperature: impl Fn(&str) -> bool) -> Result<Part, Refusal> {
    let Some((field, _)) = point.fields.iter().find(|(field, _)| is_temperature(field)) else {
        return Ok(Part::Nothing);
    };
    let degrees = number(point, field)?.filter(|degrees| degrees.abs() < 1e6);
    #[expect(clippy::cast_possible_truncation, reason = "less than a million")]
    let thousandths = degrees.map(|degrees| (degrees * 1_000.0).round() as i64);
    Ok(Part::Sensor(name, [thousandths, None, None]))
}

fn ping(point: &Point<'_>, at: Timestamp) -> Result<Part, Refusal> {
    let url = point.tag("url").ok_or_else(|| Refusal::of("url", "is missing: a ping line has the tag url"))?;
    Ok(Part::Ping(Box::new(Ping {
        line: point.line,
        at,
        url: url.to_owned(),
        average_ms: number(point, "average_response_ms")?,
        minimum_ms: number(point, "minimum_response_ms")?,
        maximum_ms: number(point, "maximum_response_ms")?,
        deviation_ms: number(point, "standard_deviation_ms")?,
        loss_percent: number(point, "percent_packet_loss")?,
        sent_count: whole(point, "packets_transmitted")?,
        received_count: whole(point, "packets_received")?,
        result_code: whole(point, "result_code")?,
    })))
}

fn speedtest(point: &Point<'_>, agent: &AgentId, at: Timestamp) -> Result<Part, Refusal> {
    let text = |name: &str| match first(point, name) {
        Some(crate::line_protocol::FieldValue::Text(text)) => Some(text.clone().into_owned()),
        _ => None,
    };
    let source = point.tag("source").map(str::to_owned);
    let server = point.tag("server_id").unwrap_or_default();
    let row = SpeedtestRow {
        download_mbps: number(point, "download")?,
        upload_mbps: number(point, "upload")?,
        ping_ms: number(point, "latency")?,
        jitter_ms: number(point, "jitter")?,
        packet_loss_percent: number(point, "packet_loss")?.filter(|&percent| percent >= 0.0),
        server_location: text("location"),
        ..SpeedtestRow::default()
    };
    if row == SpeedtestRow::default() {
        return Ok(Part::Nothing);
    }
    let origin = source.as_deref().unwrap_or_default().as_bytes();
    let parts = [b"telegraf internet_speed", agent.as_str().as_bytes(), origin, server.as_bytes()];
    Ok(Part::Speedtest(Box::new(SpeedtestRow {
        id: Some(SpeedtestId(derived_id(at, &parts))),
        timestamp: Some(at),
        status: Some(SpeedtestStatus::Completed),
        provider: Some("ookla".to_owned()),
        server_host: source,
        ..row
    })))
}

fn first<'a>(point: &'a Point<'_>, name: &str) -> Option<&'a crate::line_protocol::FieldValue<'a>> {
    point.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

fn number(point: &Point<'_>, name: &str) -> Result<Option<f64>, Refusal> {
    let Some(value) = first(point, name) else { return Ok(None) };
    let number = value.as_number();
    number.map(Some).ok_or_else(|| Refusal::of(name.to_owned(), "must be a number, such as 97.5 or 42i"))
}

fn whole(point: &Point<'_>, name: &str) -> Result<Option<i64>, Refusal> {
    let Some(value) = first(point, name) else { return Ok(None) };
    match value.as_whole() {
        Some(whole) if whole >= 0 => Ok(Some(whole)),
        _ => Err(Refusal::of(name.to_owned(), "must be a number from 0, such as 42i")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "two decimals of a ratio need far less than 53 bits")]
fn percent(part: Option<i64>, total: Option<i64>) -> Option<f64> {
    let (part, total) = (part?, total.filter(|&total| total > 0)?);
    Some((100.0 * part as f64 / total as f64).clamp(0.0, 100.0))
}
