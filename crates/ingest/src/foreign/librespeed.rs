use astranetmon_domain::{SpeedtestId, SpeedtestStatus, Timestamp};
use serde_json::Value;

use super::ookla::rules;
use super::reader::{FieldRule, Part, Reader};
use super::{ForeignRow, content, moment};
use crate::SpeedtestRow;
use crate::identity::derived_id;

pub(super) const FIELDS: &[FieldRule] = rules! {
    "timestamp" => "timestamp" "";
    "download" => "download_mbps" "Mbit/s; unknown if no byte was received";
    "upload" => "upload_mbps" "Mbit/s; unknown if no byte was sent";
    "bytes_received" => "download_bytes" "";
    "bytes_sent" => "upload_bytes" "";
    "ping" => "ping_ms" "";
    "jitter" => "jitter_ms" "";
    "server.name" => "server_name" "";
    "server.url" => "server_host" "the host of the URL";
    "client.ip" => "external_ip" "";
    "client.org" => "isp" "";
    "share" => "result_url" "";
};

pub(super) fn convert(document: &Value, reader: &mut Reader, at: Option<Timestamp>) -> Result<ForeignRow, String> {
    let part = Part::of_document(document);
    let timestamp = reader.text(part, "timestamp").and_then(|text| moment(&text)).or(at);
    let timestamp = timestamp.ok_or("no timestamp, for example \"timestamp\": \"2026-11-23T12:26:58+01:00\"")?;
    let (received, sent) = (reader.whole(part, "bytes_received"), reader.whole(part, "bytes_sent"));
    // A direction that was not tested has 0 for both.
    let measured = |rate: Option<f64>, bytes: Option<i64>| rate.filter(|&rate| rate > 0.0 || bytes != Some(0));
    let download_mbps = measured(reader.measured(part, "download"), received);
    let upload_mbps = measured(reader.measured(part, "upload"), sent);
    if download_mbps.is_none() && upload_mbps.is_none() {
        return Err("neither download nor upload was measured".to_owned());
    }
    let host = reader.text(part, "server.url").and_then(|url| host_of(&url));
    Ok(ForeignRow::Speedtest(Box::new(SpeedtestRow {
        id: Some(SpeedtestId(derived_id(timestamp, &[b"librespeed", &content(document)]))),
        timestamp: Some(timestamp),
        status: Some(SpeedtestStatus::Completed),
        provider: Some("librespeed".to_owned()),
        download_mbps,
        upload_mbps,
        download_bytes: received.filter(|_| download_mbps.is_some()),
        upload_bytes: sent.filter(|_| upload_mbps.is_some()),
        ping_ms: reader.measured(part, "ping"),
        jitter_ms: reader.measured(part, "jitter"),
        server_name: reader.text(part, "server.name"),
        server_host: host,
        isp: reader.text(part, "client.org"),
        external_ip: reader.text(part, "client.ip"),
        result_url: reader.text(part, "share"),
        ..SpeedtestRow::default()
    })))
}

/// `speed.example:8080` of `https://speed.example:8080/backend/`; some lists leave the scheme out.
fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Some(host.to_owned()).filter(|host| !host.is_empty())
}
