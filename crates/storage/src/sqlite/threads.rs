//! The threads that own connections: one writer with group commit, and several readers.

use std::collections::VecDeque;
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
/// How the commit of a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Commit {
    Done,
    /// There was no room on the disk.
    Full,
    Failed,
}

/// Tells a waiting caller how its write ended, once the commit that covers it has succeeded or failed.
type Answer = Box<dyn FnOnce(Commit) + Send>;
/// Writes, and says besides whether the disk was full.
type Write = Box<dyn FnOnce(&mut SqliteConnection) -> (Answer, bool) + Send>;

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

/// Does `work` in a savepoint. What it failed with is told even if SQLite has ended the whole transaction by then, as it
/// does on a full disk, so that there is no savepoint to go back to.
fn attempt<T>(connection: &mut SqliteConnection, work: impl FnOnce(&mut SqliteConnection) -> Result<T>) -> Result<T> {
    let mut failure = None;
    let result = connection.transaction(|connection| {
        work(connection).map_err(|error| {
            failure = Some(error);
            diesel::result::Error::RollbackTransaction
        })
    });
    result.map_err(|error: diesel::result::Error| failure.unwrap_or_else(|| error.into()))
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
        let thread = spawn("sqlite-write".to_owned(), move || {
            WriteLoop { connection: Some(connection), path, windows, writes, windows_wait: false }.run()
        })?;
        Ok(Self { queue, thread })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |connection| {
            let result = attempt(connection, work);
            let full = matches!(result, Err(StorageError::Full { .. }));
            let answer: Answer = Box::new(move |commit| {
                let _ = answer.send(match commit {
                    Commit::Done => result,
                    Commit::Full => result.and_then(|_| Err(StorageError::Full { context: "a commit", source: None })),
                    Commit::Failed => result.and_then(|_| Err(unavailable("a commit failed"))),
                });
            });
            (answer, full)
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
    /// None after a panic, until it can be opened again.
    connection: Option<SqliteConnection>,
    path: PathBuf,
    windows: Arc<Windows>,
    writes: Receiver<Write>,
    /// Whether the last flush of plan windows failed, and somebody has been told.
    windows_wait: bool,
}

impl WriteLoop {
    fn run(mut self) {
        let mut flushed_at = Instant::now();
        loop {
            let first = self.writes.recv_timeout(FLUSH_EVERY.saturating_sub(flushed_at.elapsed()));
            match first {
                Ok(first) => {
                    let mut writes: VecDeque<Write> =
                        std::iter::once(first).chain(self.writes.try_iter().take(GROUP - 1)).collect();
                    while !writes.is_empty() {
                        self.commit_group(&mut writes);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if flushed_at.elapsed() >= FLUSH_EVERY {
                self.flush_windows();
                flushed_at = Instant::now();
            }
        }
        self.flush_windows();
        if let Some(connection) = &mut self.connection {
            // Leaves one file behind instead of three.
            let _ = connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE);");
        }
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        if self.connection.is_none() {
            self.connection = Some(open(&self.path, Access::Write)?);
        }
        self.connection.as_mut().ok_or_else(|| unavailable("the writer has no connection"))
    }

    /// Runs the writes in one transaction and answers them. Those behind one that ended the transaction (a full disk
    /// makes SQLite roll everything back) stay for the next group.
    fn commit_group(&mut self, writes: &mut VecDeque<Write>) {
        let connection = match self.connection() {
            Ok(connection) => connection,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the writer cannot open the database");
                // Dropping a write tells its caller.
                writes.clear();
                return;
            }
        };
        let mut answers: Vec<Answer> = Vec::with_capacity(writes.len());
        let mut full = false;
        let committed = catch_unwind(AssertUnwindSafe(|| {
            connection.immediate_transaction(|connection| {
                while let Some(write) = writes.pop_front() {
                    let (answer, was_full) = write(connection);
                    answers.push(answer);
                    full |= was_full;
                    if !in_transaction(connection) {
                        return Err(diesel::result::Error::RollbackTransaction);
                    }
                }
                Ok(())
            })
        }));
        let commit = match committed {
            Ok(Ok(())) => Commit::Done,
            Ok(Err(error)) => {
                let error = StorageError::from(error);
                tracing::error!(error = &error as &dyn std::error::Error, full, "a commit failed");
                // A busy or full database: those that wait would only find the same.
                if answers.is_empty() {
                    writes.clear();
                }
                full |= matches!(error, StorageError::Full { .. });
                if full { Commit::Full } else { Commit::Failed }
            }
            Err(_) => {
                tracing::error!("a write panicked");
                // The open transaction, and its lock, go with the connection.
                self.connection = None;
                Commit::Failed
            }
        };
        if commit != Commit::Done && self.connection.as_mut().is_some_and(|connection| !is_idle(connection)) {
            // Its transaction could not be ended.
            self.connection = None;
        }
        for answer in answers {
            answer(commit);
        }
    }

    fn flush_windows(&mut self) {
        let changed = self.windows.take_changed();
        if changed.is_empty() {
            return;
        }
        let written = self.connection().and_then(|connection| {
            Ok(connection.immediate_transaction(|connection| Windows::write(connection, &changed))?)
        });
        // Once, not each second as long as a disk is full.
        match (&written, self.windows_wait) {
            (Err(error), false) => {
                tracing::error!(error = error as &dyn std::error::Error, "plan windows cannot be written and wait");
            }
            (Ok(()), true) => tracing::info!("plan windows are written again"),
            _ => {}
        }
        self.windows_wait = written.is_err();
        if written.is_err() {
            self.windows.put_back(&changed);
            if self.connection.as_mut().is_some_and(|connection| !is_idle(connection)) {
                self.connection = None;
            }
        }
    }
}

/// Transactions and savepoints that are open, if that can be told.
fn depth(connection: &mut SqliteConnection) -> Option<u32> {
    use diesel::connection::{AnsiTransactionManager, TransactionManager};
    let status =
        <AnsiTransactionManager as TransactionManager<SqliteConnection>>::transaction_manager_status_mut(connection);
    status.transaction_depth().ok().map(|depth| depth.map_or(0, |depth| depth.get()))
}

fn in_transaction(connection: &mut SqliteConnection) -> bool {
    depth(connection) == Some(1)
}

fn is_idle(connection: &mut SqliteConnection) -> bool {
    depth(connection) == Some(0)
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

#[cfg(test)]
mod tests {
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::sqlite::{SqliteSettings, SqliteStorage};

    fn fresh() -> (tempfile::TempDir, SqliteStorage) {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = SqliteSettings::new(folder.path().join("d.sqlite3"));
        SqliteStorage::migrate(&settings).expect("a schema");
        let storage = SqliteStorage::open(&settings).expect("a database");
        (folder, storage)
    }

    fn insert(name: &'static str) -> impl FnOnce(&mut SqliteConnection) -> Result<usize> + Send + 'static {
        move |connection| {
            let insert = format!("INSERT INTO setting (name, value) VALUES ('{name}', x'00')");
            Ok(diesel::sql_query(insert).execute(connection)?)
        }
    }

    #[tokio::test]
    async fn a_write_that_panics_or_fails_takes_nothing_of_the_others_with_it() {
        let (_folder, storage) = fresh();
        assert_eq!(storage.write(insert("a")).await.expect("written"), 1);
        assert!(storage.write(|_| -> Result<()> { panic!("on purpose") }).await.is_err());
        assert_eq!(storage.write(insert("b")).await.expect("written after a panic"), 1);
        assert!(storage.write(insert("b")).await.is_err());
        assert!(storage.read(|_| -> Result<()> { panic!("on purpose") }).await.is_err());
        let count = |connection: &mut SqliteConnection| {
            Ok(diesel::select(diesel::dsl::sql::<BigInt>("(SELECT COUNT(*) FROM setting)"))
                .get_result::<i64>(connection)?)
        };
        assert_eq!(storage.read(count).await.expect("read after a panic"), 2);
    }

    #[tokio::test]
    async fn a_write_that_ends_the_transaction_of_its_group_fails_alone() {
        let (_folder, storage) = fresh();
        let ending = |connection: &mut SqliteConnection| {
            // What SQLite does by itself when the disk is full.
            connection.batch_execute("ROLLBACK").map_err(StorageError::from)
        };
        let (before, ended, after) =
            tokio::join!(storage.write(insert("before")), storage.write(ending), storage.write(insert("after")));
        assert!(ended.is_err());
        let names = |connection: &mut SqliteConnection| {
            Ok(crate::schema::setting::table.select(crate::schema::setting::name).load::<String>(connection)?)
        };
        let names = storage.read(names).await.expect("read");
        for (name, written) in [("before", before), ("after", after)] {
            assert_eq!(written.is_ok(), names.iter().any(|known| known == name), "{name}");
        }
    }

    /// Puts a value of that size under a name.
    fn put(name: String, bytes: usize) -> impl FnOnce(&mut SqliteConnection) -> Result<usize> + Send + 'static {
        move |connection| {
            let insert = format!("INSERT INTO setting (name, value) VALUES ('{name}', zeroblob({bytes}))");
            Ok(diesel::sql_query(insert).execute(connection)?)
        }
    }

    #[tokio::test]
    async fn a_full_database_says_so_and_takes_writes_again_once_there_is_room() {
        let (_folder, storage) = fresh();
        let pages = |count: u32| {
            move |connection: &mut SqliteConnection| {
                Ok(connection.batch_execute(&format!("PRAGMA max_page_count = {count}"))?)
            }
        };
        // No more than it has.
        storage.write(pages(1)).await.expect("bounded");
        let mut written = Vec::new();
        for round in 0..5 {
            let puts = (0..8).map(|n| {
                let name = format!("{round}-{n}");
                let write = storage.write(put(name.clone(), 100_000));
                async move { (name, write.await) }
            });
            for (name, put) in futures_util::future::join_all(puts).await {
                match put {
                    Ok(_) => written.push(name),
                    Err(error) => assert!(matches!(error, StorageError::Full { .. }), "{error:?}"),
                }
            }
        }
        assert!(written.len() < 40, "there is a bound");
        let names = |connection: &mut SqliteConnection| {
            let big = diesel::dsl::sql::<diesel::sql_types::Bool>("length(value) = 100000");
            let names = crate::schema::setting::table.filter(big).select(crate::schema::setting::name);
            Ok(names.order(crate::schema::setting::name.asc()).load::<String>(connection)?)
        };
        assert_eq!(storage.read(names).await.expect("reads go on"), written);
        storage.write(pages(1 << 20)).await.expect("there is room");
        storage.write(put("z".to_owned(), 100_000)).await.expect("writes go on");
        written.push("z".to_owned());
        assert_eq!(storage.read(names).await.expect("read"), written, "what was told and nothing else");
    }
}
