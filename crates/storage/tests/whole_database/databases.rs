use std::path::{Path, PathBuf};

use astranetmon_storage::copy::{Endpoint, Progress};
use astranetmon_storage::postgres::PostgresSettings;
use astranetmon_storage::testing::{FreshDatabase, TestPostgres};
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

pub(crate) const SEED: u64 = 20_261_125;

/// Nobody watches.
pub(crate) fn silent(_: Progress<'_>) {}

/// Databases of one test.
pub(crate) struct Databases {
    folder: TempDir,
    pub(crate) servers: Vec<FreshDatabase>,
}

impl Databases {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), servers: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that is not there yet.
    pub(crate) fn file(&self, name: &str) -> Endpoint {
        Endpoint::Sqlite(self.path(name))
    }

    /// An empty database.
    pub(crate) async fn server(&mut self) -> Endpoint {
        let database = TestPostgres::fresh_database().await;
        let settings = PostgresSettings::new(database.url());
        self.servers.push(database);
        Endpoint::Postgres(settings)
    }

    /// The names of all files.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

pub(crate) async fn client(database: &FreshDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

pub(crate) fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().expect("text")).expect("a file")
}
