//! What synthetic speed tests find.

use astranetmon_domain::{Speedtest, SpeedtestId, SpeedtestStatus, Timestamp};

use super::fleet::{Role, SyntheticAgent};
use super::noise::Purpose;

impl SyntheticAgent {
    /// The speed test that began at the time `at`; `None` while the agent does not report.
    pub(super) fn speedtest_at(&self, at: Timestamp) -> Option<Speedtest> {
        if !self.is_reporting(at) {
            return None;
        }
        let counter = at.as_seconds();
        let failed = self.noise.unit(Purpose::SpeedFailure, counter) < 0.06;
        let asked = Speedtest {
            id: SpeedtestId(self.record_id(at, 0)),
            agent_id: self.id.clone(),
            timestamp: at,
            status: SpeedtestStatus::Failed,
            error: Some("the test server did not answer within 10 s".to_owned()),
            provider: Some("astranetmon".to_owned()),
            download_mbps: None,
            upload_mbps: None,
            download_bytes: None,
            upload_bytes: None,
            ping_ms: None,
            jitter_ms: None,
            packet_loss_percent: None,
            loaded_latency_ms: None,
            server_name: Some(format!("{} Exchange", self.site.city)),
            server_host: Some(format!("speedtest.{}.example.net", self.site.code)),
            server_location: Some(self.site.city.to_owned()),
            isp: Some(self.site.isp.to_owned()),
            external_ip: Some(self.public_ip()),
            interface_name: Some(if self.role == Role::Gateway { "wan0" } else { "eth0" }.to_owned()),
            duration_ms: Some(10_000 + (self.noise.unit(Purpose::Speed, counter) * 90.0) as i64),
            result_url: None,
        };
        Some(if failed { asked.normalized() } else { self.completed(asked, counter).normalized() })
    }

    fn completed(&self, asked: Speedtest, counter: i64) -> Speedtest {
        let number = |which: i64| self.noise.unit(Purpose::Speed, counter.wrapping_mul(8) + which);
        let (down_line, up_line) = self.line_mbps();
        let evening = self.daylight(asked.timestamp);
        let download = down_line * (0.97 - 0.14 * evening * number(1) - 0.05 * number(2));
        let upload = up_line * (0.96 - 0.09 * number(3));
        let jitter = 0.2 + 1.8 * number(4).powi(2);
        let ping = self.site.base_latency_ms * (1.0 + 0.15 * number(5)) + 0.4;
        // Each direction runs for five seconds.
        let bytes = |mbps: f64| Some((mbps * 1e6 / 8.0 * 5.0) as i64);
        Speedtest {
            status: SpeedtestStatus::Completed,
            error: None,
            download_mbps: Some(download),
            upload_mbps: Some(upload),
            download_bytes: bytes(download),
            upload_bytes: bytes(upload),
            ping_ms: Some(ping),
            jitter_ms: Some(jitter),
            packet_loss_percent: Some(if number(6) < 0.9 { 0.0 } else { 2.0 * number(7) }),
            loaded_latency_ms: Some(ping + 4.0 + 22.0 * evening * number(2)),
            result_url: Some(format!("https://speedtest.example.net/result/{}", asked.id)),
            ..asked
        }
    }

    /// What the line was sold as, down and up.
    const fn line_mbps(&self) -> (f64, f64) {
        match self.role {
            Role::Web | Role::Database => (940.0, 940.0),
            Role::Gateway => (1_000.0, 500.0),
            Role::Backup => (250.0, 40.0),
            Role::Build => (500.0, 100.0),
        }
    }
}
