use std::path::Path;

use astranetmon_collect::speedtest::{SpeedtestClient, SpeedtestOptions, SpeedtestServer};
use astranetmon_domain::{SpeedtestId, SpeedtestStatus};

use super::figures::FiguresFile;
use super::{Workplace, row};
use crate::Failure;
use crate::configuration::{self, Clear, ServerUrl, Settings};
use crate::enrolment::Enrolment;
use crate::schedule::Schedule;
use crate::server::{has_only_private_addresses, tls};

/// Tests the speed of the line, alone on it.
pub(super) struct SpeedtestMeasurer<'a> {
    place: &'a Workplace<'a>,
    figures: FiguresFile,
    test: Option<Test>,
}

struct Test {
    client: SpeedtestClient,
    server: SpeedtestServer,
    /// Set if the agent's token is sent over plain http.
    private_only: Option<ServerUrl>,
}

impl<'a> SpeedtestMeasurer<'a> {
    pub(super) fn new(
        place: &'a Workplace<'a>,
        settings: &Settings,
        enrolment: &Enrolment,
        state_dir: &Path,
    ) -> Result<Self, Failure> {
        let test = match &settings.speedtest.server {
            None => None,
            Some(server) => Some(Test::new(server, settings, enrolment)?),
        };
        Ok(Self { place, figures: FiguresFile::in_folder(state_dir), test })
    }

    pub(super) async fn run(&mut self, schedule: &Schedule) {
        if self.test.is_none() {
            return std::future::pending().await;
        }
        loop {
            schedule.next(self.place.clock).await;
            self.measure().await;
        }
    }

    pub(super) async fn measure(&mut self) {
        let Some(test) = &mut self.test else { return };
        if let Some(url) = &test.private_only
            && !has_only_private_addresses(url).await
        {
            tracing::warn!("no speed test: {url} is plain http and has no private address or others too");
            return;
        }
        let outcome = {
            let _line = self.place.line.write().await;
            let now = self.place.clock.now();
            let id = SpeedtestId(self.place.new_id(now));
            test.client.run(&test.server, id, &self.place.agent_id, now).await
        };
        let record = &outcome.record;
        if record.status == SpeedtestStatus::Failed {
            tracing::warn!("a speed test failed: {}", record.error.as_deref().unwrap_or("it does not say why"));
        } else {
            tracing::info!(
                download_mbps = record.download_mbps,
                upload_mbps = record.upload_mbps,
                "a speed test ended"
            );
        }
        if let Err(error) = self.figures.keep(&outcome) {
            tracing::warn!("the figures of a speed test are not kept: {error}");
        }
        self.place.keep(&[row::of_speedtest(record)]).await;
    }
}

impl Test {
    fn new(
        server: &configuration::SpeedtestServer,
        settings: &Settings,
        enrolment: &Enrolment,
    ) -> Result<Self, Failure> {
        let wrong = |error: &dyn std::fmt::Display| Failure::usage(format!("speedtest.server: {error}"));
        let mut private_only = None;
        let (url, server) = match server {
            configuration::SpeedtestServer::Own => {
                let url = settings.server.clone().unwrap_or_else(|| enrolment.server.clone());
                if url.clear(settings.insecure_http || enrolment.insecure_http)? == Clear::PrivateOnly {
                    private_only = Some(url.clone());
                }
                let server = SpeedtestServer::astranetmon(&url.to_string(), enrolment.agent_token.reveal());
                (url, server)
            }
            configuration::SpeedtestServer::LibreSpeed(url) => {
                (url.clone(), SpeedtestServer::librespeed(&url.to_string()))
            }
        };
        let options = SpeedtestOptions {
            stream_count: settings.speedtest.streams,
            measured: settings.speedtest.duration,
            ..SpeedtestOptions::default()
        };
        let client = SpeedtestClient::new(tls(&url, &settings.tls)?, options).map_err(|error| wrong(&error))?;
        Ok(Self { client, server: server.map_err(|error| wrong(&error))?, private_only })
    }
}
