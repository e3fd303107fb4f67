use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use tokio_postgres::{Config, NoTls};
use uuid::Uuid;

/// Names a running cluster to use instead of a new one: a URL that may create databases.
const URL_VARIABLE: &str = "ASTRANETMON_TEST_POSTGRES_URL";

/// The cluster that all tests of this process share.
pub struct TestPostgres;

impl TestPostgres {
    /// A new, empty database in the cluster of `ASTRANETMON_TEST_POSTGRES_URL`, or else in one that is started when
    /// first needed and lives as long as this process.
    ///
    /// # Panics
    /// If no cluster can be reached or started.
    pub async fn fresh_database() -> FreshDatabase {
        FreshDatabase::create(shared_cluster()).await
    }
}

fn shared_cluster() -> &'static str {
    static CLUSTER: OnceLock<(String, Option<OwnCluster>)> = OnceLock::new();
    let (url, _) = CLUSTER.get_or_init(|| match std::env::var(URL_VARIABLE) {
        Ok(url) => (url, None),
        Err(_) => {
            let cluster = OwnCluster::start();
            (cluster.url().to_owned(), Some(cluster))
        }
    });
    url
}

/// A database of one test's own; dropped with it.
#[derive(Debug)]
pub struct FreshDatabase {
    cluster_url: String,
    name: String,
    url: String,
}

impl FreshDatabase {
    async fn create(cluster_url: &str) -> Self {
        let name = format!("test_{}", Uuid::from_u128(rand::random()).simple());
        execute(cluster_url, &format!("CREATE DATABASE {name}")).await.expect("a new database");
        Self { cluster_url: cluster_url.to_owned(), url: with_database(cluster_url, &name), name }
    }

    /// Where it is, in the form that [`PostgresSettings::new`](crate::postgres::PostgresSettings::new) takes.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let (url, statement) =
            (self.cluster_url.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A runtime of its own, since a destructor cannot wait on the test's. A database that stays is no harm: the
        // cluster goes with the tests.
        let dropping = std::thread::spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                let _ = runtime.block_on(execute(&url, &statement));
            }
        });
        let _ = dropping.join();
    }
}

fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
    if query.is_empty() { format!("{server}/{name}") } else { format!("{server}/{name}?{query}") }
}

async fn execute(url: &str, statement: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = url.parse::<Config>()?.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let result = client.batch_execute(statement).await;
    drop(client);
    let _ = driver.await;
    result
}

/// A cluster of one test's own, to be stopped, restarted or frozen. It ends with this value. Its methods block.
#[derive(Debug)]
pub struct OwnCluster {
    url: String,
    process: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl OwnCluster {
    /// Starts one with `testing/postgres`.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that takes connections from `localhost` with TLS only, with the certificate and key of these PEM
    /// files.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_with(&["--tls", certificate, key])
    }

    fn start_with(options: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/postgres");
        let mut command = Command::new(script);
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("testing/postgres starts");
        let words = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut url = String::new();
        answers.read_line(&mut url).expect("testing/postgres prints a URL");
        assert!(url.starts_with("postgres://"), "testing/postgres failed; its errors stand above");
        Self { url: url.trim_end().to_owned(), process, words, answers }
    }

    /// The URL of its database `postgres`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new, empty database in it.
    pub async fn fresh_database(&self) -> FreshDatabase {
        FreshDatabase::create(&self.url).await
    }

    /// Stops it at once, as a crash would.
    pub fn stop(&mut self) {
        self.obey("stop");
    }

    /// Starts it again; returns when it accepts connections.
    pub fn start_again(&mut self) {
        self.obey("start");
    }

    /// Stops it at once and starts it again.
    pub fn restart(&mut self) {
        self.obey("restart");
    }

    /// Stops all its processes in their tracks: connections stay open and nothing answers.
    pub fn freeze(&mut self) {
        self.obey("freeze");
    }

    /// Lets a frozen cluster go on.
    pub fn thaw(&mut self) {
        self.obey("thaw");
    }

    fn obey(&mut self, word: &str) {
        let words = self.words.as_mut().expect("open until dropped");
        writeln!(words, "{word}").and_then(|()| words.flush()).expect("testing/postgres listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("testing/postgres answers");
        assert_eq!(answer.trim_end(), "ok", "{word}");
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        drop(self.words.take());
        let _ = self.process.wait();
    }
}
