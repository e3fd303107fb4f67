//! What agents measured.

use astranetmon_domain::{
    AccountId, AgentId, MetricSample, RecordPosition, Speedtest, SpeedtestId, SpeedtestStatus, Timestamp, Traceroute,
    TracerouteId, TracerouteProtocol, TracerouteStatus,
};
use diesel::prelude::*;
use uuid::Uuid;

use super::{Result, foreign, json, time};
use crate::counts::RecordKind;
use crate::measured::{Measured, Packed};
use crate::schema::{metric_sample, speedtest, traceroute};

/// A row of a table of records, and the record that it keeps.
pub(crate) trait RecordRow: Sized {
    type Record;
    /// As what it is counted.
    const KIND: RecordKind;

    /// The row of a record, which it brings into the form that is stored; its sequence is left open.
    fn new(account_id: AccountId, record: Self::Record, received_at: Timestamp) -> Self;

    /// Whose record it is.
    fn agent_of(record: &Self::Record) -> &AgentId;

    /// Where a record stands in lists.
    fn position_of(record: &Self::Record) -> RecordPosition;

    fn set_sequence(&mut self, sequence: i64);

    fn sequence(&self) -> i64;

    /// Whether it came in no later than that sequence.
    fn is_up_to(&self, sequence: i64) -> bool {
        self.sequence() <= sequence
    }

    fn into_record(self) -> Result<Self::Record>;

    fn id(&self) -> &[u8];

    fn agent_id(&self) -> &str;

    /// In microseconds.
    fn timestamp(&self) -> i64;
}

/// What answers need of a metric row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = metric_sample)]
pub(crate) struct MetricReadRow {
    pub(crate) agent_id: String,
    pub(crate) timestamp: i64,
    pub(crate) measured: Measured,
}

impl MetricReadRow {
    pub(crate) fn into_sample(self) -> Result<MetricSample> {
        let agent_id = AgentId::parse(&self.agent_id).map_err(|_| foreign("a metric's agent"))?;
        Ok(MetricSample::from_fixed_values(agent_id, time(self.timestamp), &self.measured.0))
    }
}

/// What summaries need of a metric row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = metric_sample)]
pub(crate) struct PackedMetricRow {
    pub(crate) timestamp: i64,
    pub(crate) measured: Packed,
}

macro_rules! speedtest_rows {
    ($($name:ident: $type:ty,)*) => {
        #[derive(Queryable, Selectable, Insertable)]
        #[diesel(table_name = speedtest, treat_none_as_default_value = false)]
        pub(crate) struct SpeedtestRow {
            account_id: i64,
            pub(crate) id: Vec<u8>,
            pub(crate) agent_id: String,
            pub(crate) timestamp: i64,
            received_at: i64,
            sequence: i64,
            status: String,
            $($name: $type,)*
        }

        impl RecordRow for SpeedtestRow {
            type Record = Speedtest;
            const KIND: RecordKind = RecordKind::Speedtest;

            fn agent_of(record: &Speedtest) -> &AgentId {
                &record.agent_id
            }

            fn position_of(record: &Speedtest) -> RecordPosition {
                record.position()
            }

            fn set_sequence(&mut self, sequence: i64) {
                self.sequence = sequence;
            }

            fn sequence(&self) -> i64 {
                self.sequence
            }

            fn id(&self) -> &[u8] {
                &self.id
            }

            fn agent_id(&self) -> &str {
                &self.agent_id
            }

            fn timestamp(&self) -> i64 {
                self.timestamp
            }

            fn new(account_id: AccountId, speedtest: Speedtest, received_at: Timestamp) -> Self {
                let speedtest = speedtest.normalized();
                Self {
                    account_id: account_id.0,
                    id: speedtest.id.0.as_bytes().to_vec(),
                    agent_id: speedtest.agent_id.as_str().to_owned(),
                    timestamp: speedtest.timestamp.as_micros(),
                    received_at: received_at.as_micros(),
                    sequence: 0,
                    status: speedtest.status.as_str().to_owned(),
                    $($name: speedtest.$name,)*
                }
            }

            fn into_record(self) -> Result<Speedtest> {
                Ok(Speedtest {
                    id: SpeedtestId(record_uuid(&self.id)?),
                    agent_id: AgentId::parse(&self.agent_id).map_err(|_| foreign("a speed test's agent"))?,
                    timestamp: time(self.timestamp),
                    status: SpeedtestStatus::from_name(&self.status).ok_or_else(|| foreign("a speed test's status"))?,
                    $($name: self.$name,)*
                })
            }
        }
    };
}

speedtest_rows! {
    error: Option<String>,
    provider: Option<String>,
    download_mbps: Option<f64>,
    upload_mbps: Option<f64>,
    download_bytes: Option<i64>,
    upload_bytes: Option<i64>,
    ping_ms: Option<f64>,
    jitter_ms: Option<f64>,
    packet_loss_percent: Option<f64>,
    loaded_latency_ms: Option<f64>,
    server_name: Option<String>,
    server_host: Option<String>,
    server_location: Option<String>,
    isp: Option<String>,
    external_ip: Option<String>,
    interface_name: Option<String>,
    duration_ms: Option<i64>,
    result_url: Option<String>,
}

fn record_uuid(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| foreign("a record's id"))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = traceroute, treat_none_as_default_value = false)]
pub(crate) struct TracerouteRow {
    pub(crate) account_id: i64,
    pub(crate) id: Vec<u8>,
    pub(crate) agent_id: String,
    pub(crate) timestamp: i64,
    received_at: i64,
    sequence: i64,
    pub(crate) target: String,
    target_ip: Option<String>,
    ip_version: Option<i64>,
    pub(crate) protocol: String,
    status: String,
    error: Option<String>,
    reached: bool,
    rtt_ms: Option<f64>,
    packet_loss_percent: Option<f64>,
    pub(crate) path_hash: String,
    pub(crate) path_changed: Option<bool>,
    duration_ms: Option<i64>,
    hops: String,
}

/// What overviews need of a traceroute.
#[derive(Queryable, Selectable)]
#[diesel(table_name = traceroute)]
pub(crate) struct RouteChangeRow {
    pub(crate) agent_id: String,
    pub(crate) timestamp: i64,
    pub(crate) target: String,
}

impl RecordRow for TracerouteRow {
    type Record = Traceroute;
    const KIND: RecordKind = RecordKind::Traceroute;

    fn agent_of(record: &Traceroute) -> &AgentId {
        &record.agent_id
    }

    fn position_of(record: &Traceroute) -> RecordPosition {
        record.position()
    }

    fn set_sequence(&mut self, sequence: i64) {
        self.sequence = sequence;
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn id(&self) -> &[u8] {
        &self.id
    }

    fn agent_id(&self) -> &str {
        &self.agent_id
    }

    fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Its `path_changed` is left open, too.
    fn new(account_id: AccountId, traceroute: Traceroute, received_at: Timestamp) -> Self {
        let traceroute = traceroute.normalized();
        Self {
            account_id: account_id.0,
            id: traceroute.id.0.as_bytes().to_vec(),
            agent_id: traceroute.agent_id.as_str().to_owned(),
            timestamp: traceroute.timestamp.as_micros(),
            received_at: received_at.as_micros(),
            sequence: 0,
            path_hash: traceroute.path_hash(),
            target: traceroute.target,
            target_ip: traceroute.target_ip,
            ip_version: traceroute.ip_version.map(i64::from),
            protocol: traceroute.protocol.as_str().to_owned(),
            status: traceroute.status.as_str().to_owned(),
            error: traceroute.error,
            reached: traceroute.reached,
            rtt_ms: traceroute.rtt_ms,
            packet_loss_percent: traceroute.packet_loss_percent,
            path_changed: None,
            duration_ms: traceroute.duration_ms,
            hops: json(&traceroute.hops),
        }
    }

    fn into_record(self) -> Result<Traceroute> {
        let protocol = TracerouteProtocol::from_name(&self.protocol);
        let status = TracerouteStatus::from_name(&self.status);
        Ok(Traceroute {
            id: TracerouteId(record_uuid(&self.id)?),
            agent_id: AgentId::parse(&self.agent_id).map_err(|_| foreign("a traceroute's agent"))?,
            timestamp: time(self.timestamp),
            target: self.target,
            target_ip: self.target_ip,
            ip_version: self.ip_version.and_then(|version| u8::try_from(version).ok()),
            protocol: protocol.ok_or_else(|| foreign("a traceroute's protocol"))?,
            status: status.ok_or_else(|| foreign("a traceroute's status"))?,
            error: self.error,
            reached: self.reached,
            rtt_ms: self.rtt_ms,
            packet_loss_percent: self.packet_loss_percent,
            path_changed: self.path_changed,
            duration_ms: self.duration_ms,
            hops: serde_json::from_str(&self.hops).map_err(|_| foreign("a traceroute's hops"))?,
        })
    }
}
