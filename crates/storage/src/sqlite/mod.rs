//! The embedded back end: one file, one writer thread with group commit, several reader threads.
//!
//! `docs/adr` says why the connections live on threads of their own.

mod accounts;
mod agent_administration;
mod agents;
mod alerts;
mod api_keys;
mod arrivals;
mod changes;
mod chunks;
mod connection;
pub(crate) mod copying;
mod enrolment;
mod fleet;
mod latest;
mod leases;
mod maintenance;
mod metric_write;
mod metrics;
#[cfg(test)]
mod plan_tests;
mod queries;
mod records;
mod reporting;
mod retention;
mod sessions;
mod setup;
mod speedtests;
mod threads;
mod traceroutes;
mod users;
mod windows;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use astranetmon_domain::AccountId;
use diesel::sqlite::SqliteConnection;

use self::connection::Access;
use self::threads::{Readers, Writer};
use self::windows::Windows;
use crate::StorageError;
use crate::agent_lists::AgentLists;
use crate::data_versions::DataVersions;
use crate::kept_retentions::KeptRetentions;
use crate::shares::Shares;

type Result<T> = std::result::Result<T, StorageError>;

/// Where the database lies and how it is read.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The file; its folder is made if need be. Two more files of the same name with endings lie beside it.
    pub path: PathBuf,
    /// Threads that read, at least 1.
    pub readers: usize,
    /// Whether this process serves: one process at a time may, and its plan windows count. The command line does not.
    pub serves: bool,
}

impl SqliteSettings {
    /// For a process that serves the file at `path`, with four readers.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), readers: 4, serves: true }
    }
}

/// The embedded back end. Cheap to clone.
#[derive(Clone)]
pub struct SqliteStorage {
    threads: Arc<RwLock<Option<Arc<Threads>>>>,
    windows: Arc<Windows>,
    shares: Arc<Shares>,
    agent_lists: Arc<AgentLists>,
    data_versions: Arc<DataVersions>,
    retentions: Arc<KeptRetentions>,
    #[cfg(feature = "testing")]
    sealing: crate::testing::Sealing,
}

struct Threads {
    readers: Readers,
    writer: Writer,
    /// Held while this process serves.
    _service: Option<File>,
}

impl SqliteStorage {
    /// Brings the file's schema up to date, making the file if need be; the names of the migrations that ran. Safe
    /// when several processes do it at once.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if the schema is newer than this program, or if it is older and another process
    /// serves the file.
    pub fn migrate(settings: &SqliteSettings) -> Result<Vec<String>> {
        connection::create_file(&settings.path)?;
        connection::give_space_back(&settings.path)?;
        let mut connection = connection::open(&settings.path, Access::Write)?;
        connection::check_version(&mut connection)?;
        connection::migrate(&mut connection, &settings.path)
    }

    /// Opens a migrated file.
    ///
    /// # Errors
    /// [`StorageError::Unusable`] if the schema is not this program's, or if another process serves the file and this
    /// one is to serve.
    pub fn open(settings: &SqliteSettings) -> Result<Self> {
        connection::must_exist(&settings.path)?;
        let service = settings.serves.then(|| connection::lock_for_service(&settings.path)).transpose()?;
        let mut connection = connection::open(&settings.path, Access::Write)?;
        connection::check_version(&mut connection)?;
        connection::check_schema(&mut connection)?;
        let windows = Arc::new(Windows::default());
        let writer = Writer::start(&settings.path, connection, Arc::clone(&windows))?;
        let readers = Readers::start(&settings.path, settings.readers.max(1))?;
        let threads = Threads { readers, writer, _service: service };
        Ok(Self {
            threads: Arc::new(RwLock::new(Some(Arc::new(threads)))),
            windows,
            shares: Arc::new(Shares::of(settings.readers)),
            agent_lists: Arc::default(),
            data_versions: Arc::default(),
            retentions: Arc::default(),
            #[cfg(feature = "testing")]
            sealing: crate::testing::Sealing::default(),
        })
    }

    /// Seals what is appended when `sealing` says.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn sealing(self, sealing: crate::testing::Sealing) -> Self {
        Self { sealing, ..self }
    }

    fn threads(&self) -> Result<Arc<Threads>> {
        let threads = self.threads.read().unwrap_or_else(PoisonError::into_inner);
        threads.clone().ok_or(StorageError::Unavailable { context: "storage is closed", source: None })
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.threads()?.readers.read(work).await
    }

    /// A read whose cost grows with what is asked for.
    async fn read_share<T: Send + 'static>(
        &self,
        account: AccountId,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = self.shares.enter(account, threads::READ_DEADLINE).await?;
        // The place goes with the work, which a caller may leave behind.
        self.read(move |connection| {
            let _place = place;
            work(connection)
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _writing = self.data_versions.writing();
        self.threads()?.writer.write(work).await
    }
}
