//! The threads that own connections: one writer with group commit, and several readers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::connection::{Access, open};
use super::windows::Windows;
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

/// Calls that may wait for a thread; beyond it the service is overloaded and says so.
const QUEUE: usize = 1_024;
/// Calls that one commit may cover.
const GROUP: usize = 256;
/// How long a caller waits for its answer.
pub(super) const READ_DEADLINE: Duration = Duration::from_secs(2);
const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How often plan windows are written; what a kill may forget.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

fn unavailable(context: &'static str) -> StorageError {
    StorageError::Unavailable { context, source: None }
}

fn panicked() -> StorageError {
    StorageError::Internal { context: "a query panicked", source: None }
}

type Read = Box<dyn FnOnce(&mut SqliteConnection) + Send>;
/// Tells a waiting caller how its write ended, once the commit that covers it has succeeded or failed.
type Answer = Box<dyn FnOnce(bool) + Send>;
type Write = Box<dyn FnOnce(&mut SqliteConnection) -> Answer + Send>;

/// The pool of reader threads. Each read is a transaction of its own: it sees one state of the database.
pub(super) struct Readers {
    queue: Sender<Read>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path, threads: usize) -> Result<Self> {
        let (queue, reads) = bounded::<Read>(QUEUE);
        let threads = (0..threads)
            .map(|number| {
                let connection = open(path, Access::Read)?;
                let (path, reads) = (path.to_owned(), reads.clone());
                spawn(format!("sqlite-read-{number}"), move || read_loop(connection, &path, &reads))
            })
            .collect::<Result<_>>()?;
        Ok(Self { queue, threads })
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if !answer.is_closed() {
                let _ = answer.send(connection.transaction(work));
            }
        });
        self.queue.try_send(read).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("too many reads wait"),
            TrySendError::Disconnected(_) => unavailable("storage is closed"),
        })?;
        match tokio::time::timeout(READ_DEADLINE, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(panicked())),
            Err(_) => Err(unavailable("a read took too long")),
        }
    }

    /// Ends the threads after the reads that wait.
    pub(super) fn stop(self) {
        drop(self.queue);
        self.threads.into_iter().for_each(join);
    }
}

fn read_loop(mut connection: SqliteConnection, path: &Path, reads: &Receiver<Read>) {
    for read in reads {
        if catch_unwind(AssertUnwindSafe(|| read(&mut connection))).is_err() {
            tracing::error!("a read panicked");
            // Its transaction may be open: the connection is not to be used again.
            match open(path, Access::Read) {
                Ok(fresh) => connection = fresh,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a reader thread ends");
                    return;
                }
            }
        }
    }
}

/// The one thread that writes. Calls that wait together share a commit; each has a savepoint of its own, so that one
/// that fails takes nothing of the others with it. Nobody is answered before the commit.
pub(super) struct Writer {
    queue: Sender<Write>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(path: &Path, connection: SqliteConnection, windows: Arc<Windows>) -> Result<Self> {
        let (queue, writes) = bounded::<Write>(QUEUE);
        let path = path.to_owned();
        let thread = spawn("sqlite-write".to_owned(), move || WriteLoop { connection, path, windows, writes }.run())?;
        Ok(Self { queue, thread })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
            let result = connection.transaction(work);
            Box::new(move |committed| {
                let _ = answer.send(if committed { result } else { Err(unavailable("a commit failed")) });
            })
        });
        self.queue.try_send(write).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("too many writes wait"),
            TrySendError::Disconnected(_) => unavailable("storage is closed"),
        })?;
        match tokio::time::timeout(WRITE_DEADLINE, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(panicked())),
            Err(_) => Err(unavailable("a write took too long")),
        }
    }

    /// Ends the thread after the writes that wait and a last flush of the plan windows.
    pub(super) fn stop(self) {
        drop(self.queue);
        join(self.thread);
    }
}

struct WriteLoop {
    connection: SqliteConnection,
    path: PathBuf,
    windows: Arc<Windows>,
    writes: Receiver<Write>,
}

impl WriteLoop {
    fn run(mut self) {
        let mut flushed_at = Instant::now();
        loop {
            let first = self.writes.recv_timeout(FLUSH_EVERY.saturating_sub(flushed_at.elapsed()));
            match first {
                Ok(first) => self.commit_group(first),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if flushed_at.elapsed() >= FLUSH_EVERY {
                self.flush_windows();
                flushed_at = Instant::now();
            }
        }
        self.flush_windows();
        // Leaves one file behind instead of three.
        let _ = self.connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);");
    }

    fn commit_group(&mut self, first: Write) {
        let writes: Vec<Write> = std::iter::once(first).chain(self.writes.try_iter().take(GROUP - 1)).collect();
        let mut answers: Vec<Answer> = Vec::with_capacity(writes.len());
        let connection = &mut self.connection;
        let committed = catch_unwind(AssertUnwindSafe(|| {
            connection.immediate_transaction(|connection| {
                answers.extend(writes.into_iter().map(|write| write(connection)));
                Ok::<_, diesel::result::Error>(())
            })
        }));
        let succeeded = match committed {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a commit failed");
                false
            }
            Err(_) => {
                tracing::error!("a write panicked");
                self.reopen();
                false
            }
        };
        for answer in answers {
            answer(succeeded);
        }
    }

    /// After a panic the open transaction goes with its connection.
    fn reopen(&mut self) {
        match open(&self.path, Access::Write) {
            Ok(fresh) => self.connection = fresh,
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "the writer cannot reopen"),
        }
    }

    fn flush_windows(&mut self) {
        let changed = self.windows.take_changed();
        if changed.is_empty() {
            return;
        }
        let written = self.connection.immediate_transaction(|connection| Windows::write(connection, &changed));
        if let Err(error) = written {
            tracing::error!(error = &error as &dyn std::error::Error, "plan windows were not written");
            self.windows.put_back(&changed);
        }
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name)
        .spawn(work)
        .map_err(|error| StorageError::Unavailable { context: "starting a thread", source: Some(Box::new(error)) })
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a storage thread panicked");
    }
}
