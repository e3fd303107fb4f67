use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use astranetmon_storage::Storage;
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{Office, SmallDisk, setting};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/postgres");

/// The kinds of database that everything runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// An empty database of one test's own.
pub(crate) struct Database {
    url: String,
    _folder: Option<TempDir>,
}

impl Database {
    pub(crate) async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::sqlite(),
            Kind::Postgres => Self::postgres().await,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("test.sqlite3").display());
        Self { url, _folder: Some(folder) }
    }

    /// In a cluster that all tests share.
    pub(crate) async fn postgres() -> Self {
        static SHARED: LazyLock<(String, Option<Cluster>)> = LazyLock::new(|| {
            if let Some(url) = setting("ASTRANETMON_TEST_POSTGRES_URL") {
                return (url, None);
            }
            let cluster = Cluster::start();
            (cluster.url.clone(), Some(cluster))
        });
        Self::in_cluster(&SHARED.0).await
    }

    /// In this cluster.
    pub(crate) async fn within(cluster: &Cluster) -> Self {
        Self::in_cluster(&cluster.url).await
    }

    /// In this cluster, on the small disk that it has on this folder.
    pub(crate) async fn on_small_disk(cluster: &Cluster, folder: &Path) -> Self {
        let location = folder.join("tablespace");
        execute(&cluster.url, &format!("CREATE TABLESPACE small LOCATION '{}'", location.display())).await;
        Self::made_in(&cluster.url, " TABLESPACE small").await
    }

    async fn in_cluster(cluster_url: &str) -> Self {
        Self::made_in(cluster_url, "").await
    }

    async fn made_in(cluster_url: &str, options: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("service_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        execute(cluster_url, &format!("CREATE DATABASE {name}{options}")).await;
        let (server, parameters) = cluster_url.split_once('?').unwrap_or((cluster_url, ""));
        let (server, _) = server.rsplit_once('/').expect("a URL with a database");
        let separator = if parameters.is_empty() { "" } else { "?" };
        Self { url: format!("{server}/{name}{separator}{parameters}"), _folder: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The file of an embedded database.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.url.strip_prefix("sqlite://").map(Path::new)
    }

    /// The same PostgreSQL database, in whose URL stands a password that the server does not ask for.
    pub(crate) fn with_password(&self, password: &str) -> Self {
        let (user, rest) = self.url.split_once('@').expect("a URL with a user");
        Self { url: format!("{user}:{password}@{rest}"), _folder: None }
    }

    /// A database that nobody has made, in the same cluster.
    pub(crate) fn away(&self) -> Self {
        let url = match self.url.split_once('?') {
            Some((server, parameters)) => format!("{server}_away?{parameters}"),
            None => format!("{}_away", self.url),
        };
        Self { url, _folder: None }
    }

    /// Opens it, with a current schema. An embedded database is closed before a server opens it.
    pub(crate) async fn office(&self) -> Office {
        let storage: Arc<dyn Storage> = match self.url.strip_prefix("sqlite://") {
            Some(path) => {
                let settings = SqliteSettings { serves: false, ..SqliteSettings::new(Path::new(path)) };
                SqliteStorage::migrate(&settings).expect("migrated");
                Arc::new(SqliteStorage::open(&settings).expect("opened"))
            }
            None => {
                let settings = PostgresSettings::new(&self.url);
                PostgresStorage::migrate(&settings).await.expect("migrated");
                Arc::new(PostgresStorage::connect(&settings).await.expect("connected"))
            }
        };
        Office { storage }
    }
}

/// Executes one statement on a connection of its own.
async fn execute(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    drop(client);
    connection.await.expect("not cancelled").expect("an orderly end");
}

/// A throwaway PostgreSQL cluster that obeys. Ended with the value, and with this process.
#[derive(Clone)]
pub(crate) struct Cluster {
    url: String,
    script: Arc<Mutex<Script>>,
}

struct Script {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// Blocks for a few seconds.
    pub(crate) fn start() -> Self {
        Self::run(Command::new(SCRIPT)).0
    }

    /// With a tablespace named `small` on a small disk, mounted on this folder. Blocks for a few seconds.
    pub(crate) fn start_with_small_disk(folder: &Path) -> (Self, SmallDisk) {
        // The server runs as another user than root, as the script says.
        let prepare = "install -d -m 0700 -o \"$(id -un postgres 2>/dev/null || echo nobody)\" \"$0/tablespace\"";
        let (cluster, process) = Self::run(SmallDisk::command(folder, prepare, &[SCRIPT]));
        (cluster, SmallDisk::of(folder, process))
    }

    fn run(mut command: Command) -> (Self, u32) {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("testing/postgres runs");
        let id = process.id();
        let orders = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut url = String::new();
        answers.read_line(&mut url).expect("a line");
        let url = url.trim_end().to_owned();
        assert!(url.starts_with("postgres://"), "testing/postgres printed {url:?}");
        (Self { url, script: Arc::new(Mutex::new(Script { process, orders, answers })) }, id)
    }

    /// `stop`, `start`, `restart`, `freeze` or `thaw`; returns when it is done.
    pub(crate) async fn order(&self, word: &'static str) {
        let script = Arc::clone(&self.script);
        let obeyed = tokio::task::spawn_blocking(move || {
            let mut script = script.lock().expect("not poisoned");
            writeln!(script.orders.as_mut().expect("open"), "{word}").expect("written");
            let mut answer = String::new();
            script.answers.read_line(&mut answer).expect("a line");
            answer
        });
        assert_eq!(obeyed.await.expect("not cancelled"), "ok\n", "{word}");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.process.wait();
    }
}
