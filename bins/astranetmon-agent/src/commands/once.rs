use std::cell::RefCell;
use std::time::Duration;

use astranetmon_collect::HostCollector;
use astranetmon_domain::SystemClock;
use tokio::sync::{Notify, RwLock};

use super::Site;
use crate::Failure;
use crate::agent::{open_spool, randomness, server};
use crate::measuring::{Measurers, Workplace};
use crate::pace::Pace;
use crate::sending::{BatchSender, Heart, Sender};

/// Between the two readings of which a rate is made.
const BETWEEN_READINGS: Duration = Duration::from_secs(1);

/// Measures everything once and sends it, with what had waited before.
pub(super) async fn once(site: &Site) -> Result<(), Failure> {
    let enrolment = site.enrolment()?;
    crate::log::start(&site.settings)?;
    let pace = Pace::of(&site.settings);
    let server = server(&site.settings, &enrolment, &pace)?;
    let spool = RefCell::new(open_spool(&site.settings, &site.state_dir)?);
    let (clock, more) = (&SystemClock, Notify::new());
    let id = enrolment.agent_id.clone();
    let place = Workplace {
        agent_id: id.clone(),
        clock,
        spool: &spool,
        more: &more,
        line: RwLock::new(()),
        rng: RefCell::new(randomness()?),
    };
    // The row covers the second between the two readings.
    let collector = RefCell::new(HostCollector::new(1));
    let _ = collector.borrow_mut().sample(&id, astranetmon_domain::Clock::now(clock));
    tokio::time::sleep(BETWEEN_READINGS).await;
    Measurers::new(&site.settings, &enrolment, &pace, &site.state_dir, &place, &collector, 1)?.once().await;

    let heart = Heart::new(id.clone(), &collector, pace.interval_seconds(), pace.heartbeat);
    let batches = BatchSender::new(server, enrolment.agent_token);
    let mut sender = Sender::new(&spool, batches, heart, clock, &pace, randomness()?);
    let drained = match sender.beat().await {
        Ok(()) => sender.drain().await,
        Err(trouble) => Err(trouble),
    };
    let waiting = spool.borrow().counts().waiting;
    match drained {
        Ok(sent) => {
            println!(
                "{id}: {} rows sent, {} taken, {} known, {} refused.",
                sent.taken + sent.known + sent.refused,
                sent.taken,
                sent.known,
                sent.refused
            );
            if sent.refused > 0 {
                return Err(Failure::failed(format!("{} rows were refused for good", sent.refused)));
            }
            Ok(())
        }
        Err(trouble) => Err(Failure::failed(format!("{trouble}; {waiting} rows wait in the spool"))),
    }
}
