//! Emptying the spool into the server: in order, one request in flight, until each row is answered for.

mod batch;
mod heartbeat;
mod suspicion;

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::time::Duration;

use astranetmon_domain::Clock;
use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::pace::Pace;
use crate::spool::{Spool, Window};

pub(crate) use self::batch::{BatchSender, Sent};
pub(crate) use self::heartbeat::Heart;
use self::suspicion::{Suspicion, Verdict};

/// Why nothing can be sent at the moment.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// There was no answer, or one that is none; one sentence.
    NoAnswer(String),
    /// The server answers that it cannot take it now.
    Busy {
        /// What it says.
        complaint: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server says that it failed, for a reason that may lie in the rows; what it says.
    Failed(String),
    /// The token is not valid, or not any more.
    Unauthorized(String),
    /// The spool cannot be read.
    Disk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAnswer(sentence) => f.write_str(sentence),
            Self::Busy { complaint, .. } | Self::Failed(complaint) => write!(f, "the server answered {complaint}"),
            Self::Unauthorized(complaint) => {
                write!(
                    f,
                    "the server does not accept this agent's token ({complaint}): enrol it again, if it was not disabled"
                )
            }
            Self::Disk(error) => write!(f, "the spool cannot be read: {error}"),
        }
    }
}

/// Rows of one window at most, as many as a batch has.
pub(crate) const BATCH_ROWS: usize = 1_000;
/// JSON of one window at most, in bytes.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Sends what waits, and heartbeats in between.
pub(crate) struct Sender<'a> {
    pub(crate) spool: &'a RefCell<Spool>,
    pub(crate) batches: BatchSender,
    pub(crate) heart: Heart<'a>,
    pub(crate) clock: &'a dyn Clock,
    suspicion: Suspicion,
    backoff: Backoff,
    unauthorized_wait: Duration,
    rng: StdRng,
    /// Since when nothing can be sent, and whether the token was the reason.
    away: Option<Away>,
}

struct Away {
    since: Instant,
    unauthorized: bool,
}

impl<'a> Sender<'a> {
    pub(crate) fn new(
        spool: &'a RefCell<Spool>,
        batches: BatchSender,
        heart: Heart<'a>,
        clock: &'a dyn Clock,
        pace: &Pace,
        rng: StdRng,
    ) -> Self {
        let backoff = Backoff::new(pace.backoff_first, pace.backoff_longest);
        let unauthorized_wait = pace.backoff_longest;
        let suspicion = Suspicion::none();
        Self { spool, batches, heart, clock, suspicion, backoff, unauthorized_wait, rng, away: None }
    }

    /// Sends until `halt` is told, and then what still waits, without a second attempt. `more` is told when rows were
    /// added to the spool. A request in flight is waited for: rows that the server took need not go again.
    pub(crate) async fn run(&mut self, more: &Notify, halt: &Notify) {
        let mut halted = pin!(halt.notified());
        loop {
            let (idle, next) = match self.round().await {
                Ok(true) => (false, Instant::now()),
                Ok(false) => (true, self.heart.due()),
                Err(trouble) => {
                    let wait = self.wait_after(&trouble);
                    self.say_away(&trouble, wait);
                    (false, Instant::now() + wait)
                }
            };
            tokio::select! {
                biased;
                () = &mut halted => break,
                () = more.notified(), if idle => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
        let _ = self.drain().await;
    }

    /// Sends a heartbeat.
    pub(crate) async fn beat(&mut self) -> Result<(), Trouble> {
        self.heart.beat(self.batches.server(), self.batches.token(), self.spool, self.clock).await
    }

    /// Sends everything that waits, without a second attempt.
    pub(crate) async fn drain(&mut self) -> Result<Sent, Trouble> {
        let mut sent = Sent::default();
        while let Some(more) = self.window().await? {
            sent.add(more);
        }
        Ok(sent)
    }

    /// One heartbeat, if it is time, and one window of rows: whether there was something to send.
    async fn round(&mut self) -> Result<bool, Trouble> {
        let beat = Instant::now() >= self.heart.due();
        if beat {
            self.beat().await?;
        }
        let sent = self.window().await?.is_some();
        if beat || sent {
            self.say_back();
        }
        Ok(sent)
    }

    async fn window(&mut self) -> Result<Option<Sent>, Trouble> {
        let window = self.spool.borrow_mut().window(self.suspicion.rows(), BATCH_BYTES)?;
        let Some(window) = window else { return Ok(None) };
        let sent = match self.batches.send(&window.rows, self.clock).await {
            Err(Trouble::Failed(complaint)) => self.failed_at(&window, complaint).await?,
            sent => sent?,
        };
        self.suspicion.settled(window.rows.len());
        self.spool.borrow_mut().settle(&window, sent.refused)?;
        Ok(Some(sent))
    }

    /// What becomes of rows at which the server failed: one row alone is refused in the end, if the server answers
    /// heartbeats all the while. A server that does not is unwell as a whole, and waited for.
    async fn failed_at(&mut self, window: &Window, complaint: String) -> Result<Sent, Trouble> {
        self.beat().await?;
        match (self.suspicion.failed(window.rows.len()), window.rows.as_slice()) {
            (Verdict::GiveUp, [row]) => Ok(self.batches.give_up(row, &complaint)),
            _ => Err(Trouble::Failed(complaint)),
        }
    }

    fn wait_after(&mut self, trouble: &Trouble) -> Duration {
        match trouble {
            Trouble::Busy { retry_after, .. } => self.backoff.wait(*retry_after, &mut self.rng),
            Trouble::Unauthorized(_) => self.backoff.wait(None, &mut self.rng).max(self.unauthorized_wait),
            Trouble::NoAnswer(_) | Trouble::Failed(_) | Trouble::Disk(_) => self.backoff.wait(None, &mut self.rng),
        }
    }

    /// Says it once, and again when the reason becomes the token.
    fn say_away(&mut self, trouble: &Trouble, wait: Duration) {
        let unauthorized = matches!(trouble, Trouble::Unauthorized(_));
        let rows = self.spool.borrow().counts().waiting;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        match &mut self.away {
            Some(away) if away.unauthorized == unauthorized => {
                tracing::debug!(rows, wait_ms, "still nothing can be sent: {trouble}");
            }
            Some(away) => {
                away.unauthorized = unauthorized;
                tracing::warn!(rows, "nothing can be sent: {trouble}");
            }
            None => {
                self.away = Some(Away { since: Instant::now(), unauthorized });
                tracing::warn!(rows, "nothing can be sent, rows are kept: {trouble}");
            }
        }
    }

    fn say_back(&mut self) {
        self.backoff.reset();
        if let Some(away) = self.away.take() {
            let rows = self.spool.borrow().counts().waiting;
            tracing::info!(rows, seconds = away.since.elapsed().as_secs(), "the server takes rows again");
        }
    }
}
