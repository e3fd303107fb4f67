use astranetmon_domain::{SpeedtestId, SpeedtestStatus, Timestamp};
use serde_json::Value;

use super::reader::{FieldRule, Part, Reader};
use super::{ForeignRow, content, moment};
use crate::SpeedtestRow;
use crate::identity::derived_id;

macro_rules! rules {
    ($($path:literal => $target:literal $rule:literal;)*) => {
        &[$(FieldRule { path: $path, target: $target, rule: $rule },)*]
    };
}
pub(super) use rules;

pub(super) const FIELDS: &[FieldRule] = rules! {
    "timestamp" => "timestamp" "";
    "download.bandwidth" => "download_mbps" "bytes/s × 8 / 10^6";
    "download.bytes" => "download_bytes" "";
    "download.elapsed" => "duration_ms" "download and upload together";
    "download.latency.iqm" => "loaded_latency_ms" "the greater of download and upload";
    "upload.bandwidth" => "upload_mbps" "bytes/s × 8 / 10^6";
    "upload.bytes" => "upload_bytes" "";
    "upload.elapsed" => "duration_ms" "download and upload together";
    "upload.latency.iqm" => "loaded_latency_ms" "the greater of download and upload";
    "ping.latency" => "ping_ms" "";
    "ping.jitter" => "jitter_ms" "";
    "packetLoss" => "packet_loss_percent" "";
    "isp" => "isp" "";
    "interface.externalIp" => "external_ip" "";
    "interface.name" => "interface_name" "";
    "server.name" => "server_name" "";
    "server.host" => "server_host" "";
    "server.location" => "server_location" "location and country";
    "server.country" => "server_location" "location and country";
    "result.url" => "result_url" "";
    "result.id" => "id" "part of what the id follows from";
    "message" => "error" "";
    "error" => "error" "";
};

const PROGRESS: [&str; 4] = ["testStart", "ping", "download", "upload"];

pub(super) fn looks_like_it(document: &Value) -> bool {
    let kind = document.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| matches!(kind, "result" | "log") || PROGRESS.contains(&kind))
        || document.pointer("/download/bandwidth").is_some()
        || document.pointer("/data/download/bandwidth").is_some()
        || document.get("error").is_some_and(Value::is_string)
}

/// `None` for lines of progress and for what is logged besides errors.
pub(super) fn convert(
    document: &Value,
    reader: &mut Reader,
    at: Option<Timestamp>,
) -> Result<Option<ForeignRow>, String> {
    // Speedtest Tracker keeps the tool's own document inside its own.
    if let Some(data) = document.get("data").filter(|data| looks_like_it(data)) {
        return convert_part(document, Part { value: data, prefix: "data." }, reader, at);
    }
    convert_part(document, Part::of_document(document), reader, at)
}

fn convert_part(
    document: &Value,
    part: Part<'_>,
    reader: &mut Reader,
    at: Option<Timestamp>,
) -> Result<Option<ForeignRow>, String> {
    let kind = part.value.get("type").and_then(Value::as_str).unwrap_or("result");
    let level = part.value.get("level").and_then(Value::as_str);
    if PROGRESS.contains(&kind) || (kind == "log" && level != Some("error")) {
        return Ok(None);
    }
    let error = reader.text(part, "message").or_else(|| reader.text(part, "error"));
    if !matches!(kind, "result" | "log") || (kind == "log" && error.is_none()) {
        return Err(format!("a document of the type {kind:?}, where a result was expected"));
    }
    let timestamp = reader.text(part, "timestamp").and_then(|text| moment(&text)).or(at);
    let timestamp = timestamp.ok_or("no timestamp, for example \"timestamp\": \"2026-11-23T11:26:58Z\"")?;
    let megabits = |bandwidth: Option<f64>| bandwidth.map(|bytes| bytes * 8.0 / 1e6);
    let (down, up) = (reader.measured(part, "download.bandwidth"), reader.measured(part, "upload.bandwidth"));
    if error.is_none() && down.is_none() && up.is_none() {
        return Err("neither download.bandwidth nor upload.bandwidth, for example 12500000".to_owned());
    }
    let elapsed = [reader.whole(part, "download.elapsed"), reader.whole(part, "upload.elapsed")];
    let loaded = [reader.measured(part, "download.latency.iqm"), reader.measured(part, "upload.latency.iqm")];
    let place = [reader.text(part, "server.location"), reader.text(part, "server.country")];
    let result_id = reader.text(part, "result.id");
    let origin = result_id.map_or_else(|| content(document), String::into_bytes);
    let row = SpeedtestRow {
        id: Some(SpeedtestId(derived_id(timestamp, &[b"ookla", &origin]))),
        timestamp: Some(timestamp),
        status: Some(if error.is_some() { SpeedtestStatus::Failed } else { SpeedtestStatus::Completed }),
        error,
        provider: Some("ookla".to_owned()),
        download_mbps: megabits(down),
        upload_mbps: megabits(up),
        download_bytes: reader.whole(part, "download.bytes"),
        upload_bytes: reader.whole(part, "upload.bytes"),
        ping_ms: reader.measured(part, "ping.latency"),
        jitter_ms: reader.measured(part, "ping.jitter"),
        packet_loss_percent: reader.measured(part, "packetLoss"),
        loaded_latency_ms: loaded.into_iter().flatten().reduce(f64::max),
        server_name: reader.text(part, "server.name"),
        server_host: reader.text(part, "server.host"),
        server_location: Some(place.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty()),
        isp: reader.text(part, "isp"),
        external_ip: reader.text(part, "interface.externalIp"),
        interface_name: reader.text(part, "interface.name"),
        duration_ms: elapsed.into_iter().flatten().reduce(i64::saturating_add),
        result_url: reader.text(part, "result.url"),
    };
    Ok(Some(ForeignRow::Speedtest(Box::new(row))))
}
