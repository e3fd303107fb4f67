//! The agent at work: measuring, keeping, sending.

use std::cell::RefCell;
use std::path::Path;
use std::pin::pin;

use astranetmon_collect::HostCollector;
use astranetmon_domain::Clock;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use tokio::sync::{Notify, RwLock};

use crate::Failure;
use crate::configuration::Settings;
use crate::enrolment::Enrolment;
use crate::measuring::{Measurers, Workplace};
use crate::pace::Pace;
use crate::sending::{BatchSender, Heart, Sender};
use crate::server::Server;
use crate::spool::{Spool, SpoolBounds};

/// What an agent needs to work.
pub struct Agent<'a> {
    /// What the operator set.
    pub settings: Settings,
    /// Who it is.
    pub enrolment: Enrolment,
    /// How fast it lives.
    pub pace: Pace,
    /// The wall clock.
    pub clock: &'a dyn Clock,
}

impl Agent<'_> {
    /// Works until `stop` ends. What is not sent by then stays in the spool of `state_dir`.
    ///
    /// # Errors
    /// A spool that cannot be opened or a server that cannot be called; a server that is away is no error.
    pub async fn run(self, state_dir: &Path, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let server = self.server()?;
        let spool = RefCell::new(open_spool(&self.settings, state_dir)?);
        let more = Notify::new();
        let interval_seconds = self.pace.interval_seconds();
        let collector = RefCell::new(HostCollector::new(interval_seconds));
        let id = &self.enrolment.agent_id;
        let place = Workplace {
            agent_id: id.clone(),
            clock: self.clock,
            spool: &spool,
            more: &more,
            line: RwLock::new(()),
            rng: RefCell::new(randomness()?),
        };
        let heart = Heart::new(id.clone(), &collector, interval_seconds, self.pace.heartbeat);
        let batches = BatchSender::new(server, self.enrolment.agent_token.clone());
        let mut sender = Sender::new(&spool, batches, heart, self.clock, &self.pace, randomness()?);
        let (settings, pace) = (&self.settings, &self.pace);
        let mut measurers =
            Measurers::new(settings, &self.enrolment, pace, state_dir, &place, &collector, interval_seconds)?;
        let counts = spool.borrow().counts();
        tracing::info!(
            agent_id = %id, server = %sender.batches.server().url(), rows = counts.waiting, dropped = counts.dropped,
            "the agent works"
        );
        // Sending ends only when it is told.
        let halt = Notify::new();
        let mut sending = pin!(sender.run(&more, &halt));
        tokio::select! {
            () = stop => {}
            () = &mut sending => {}
            () = measurers.run(settings, pace, id) => {}
        }
        halt.notify_one();
        let _ = tokio::time::timeout(self.pace.farewell, sending).await;
        tracing::info!(rows = spool.borrow().counts().waiting, "the agent stops, rows that wait are kept");
        Ok(())
    }

    fn server(&self) -> Result<Server, Failure> {
        server(&self.settings, &self.enrolment, &self.pace)
    }
}

/// Where rows are sent: where the configuration says, else where the agent was enrolled.
pub(crate) fn server(settings: &Settings, enrolment: &Enrolment, pace: &Pace) -> Result<Server, Failure> {
    let url = settings.server.clone().unwrap_or_else(|| enrolment.server.clone());
    let insecure_http = settings.insecure_http || enrolment.insecure_http;
    Server::new(url, &settings.tls, insecure_http, pace.request_timeout)
}

pub(crate) fn open_spool(settings: &Settings, state_dir: &Path) -> Result<Spool, Failure> {
    let spool = Spool::open(&state_dir.join("spool"), SpoolBounds::of(settings.spool.max_bytes));
    spool.map_err(|error| Failure::failed(error.to_string()))
}

/// A generator seeded by the operating system.
pub(crate) fn randomness() -> Result<StdRng, Failure> {
    StdRng::try_from_rng(&mut SysRng)
        .map_err(|error| Failure::caused("the operating system gives no random numbers", &error))
}
