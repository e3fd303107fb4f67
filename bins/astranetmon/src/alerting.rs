//! The job that evaluates alert rules, beside the server.

use std::sync::Arc;

use astranetmon_alerts::{AlertSettings, Deliverer, Post, PostSettings, run_alerts};
use astranetmon_domain::Clock;
use astranetmon_storage::Storage;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::randomness::seeded_by_system;

/// Alerts that are evaluated and delivered in the background.
pub(crate) struct RunningAlerts {
    job: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

/// The way out for alerts, which a test button uses too.
///
/// # Errors
/// Settings that cannot be used.
pub(crate) fn deliverer(settings: PostSettings, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Deliverer>, Failure> {
    let post = Post::new(settings, Arc::clone(clock)).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Arc::new(post))
}

impl RunningAlerts {
    /// Begins.
    ///
    /// # Errors
    /// A system without random numbers.
    pub(crate) fn start(
        storage: &Arc<dyn Storage>,
        clock: &Arc<dyn Clock>,
        settings: AlertSettings,
        deliverer: Arc<dyn Deliverer>,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = oneshot::channel();
        let rng = seeded_by_system()?;
        let job = run_alerts(Arc::clone(storage), Arc::clone(clock), rng, settings, deliverer, async {
            // A sender that is gone has stopped too.
            let _ = stopped.await;
        });
        Ok(Self { job: tokio::spawn(job), stop })
    }

    /// Lets messages on their way arrive and lets another process take over. The storage stays open.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        // A job that panicked has said so already.
        let _ = self.job.await;
    }
}
