use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Database, SmallDisk};

const BINARY: &str = env!("CARGO_BIN_EXE_astranetmon");
const START_WITHIN: Duration = Duration::from_secs(30);

/// A `serve` process on a free port. Ended with the value.
pub(crate) struct Server {
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
    addresses: Receiver<String>,
    url: String,
}

impl Server {
    /// A server that serves.
    pub(crate) fn start(database: &Database) -> Self {
        Self::start_with(database, &[])
    }

    /// A server that serves, with more variables.
    pub(crate) fn start_with(database: &Database, variables: &[(&str, &str)]) -> Self {
        let mut server = Self::spawn(database, variables);
        server.wait_until_serving();
        server
    }

    /// A process that may serve soon.
    pub(crate) fn spawn(database: &Database, variables: &[(&str, &str)]) -> Self {
        Self::run(Command::new(BINARY), database.url(), variables)
    }

    /// A server that serves a copy of an embedded database on a small disk.
    pub(crate) fn start_on_small_disk(database: &Database) -> (Self, SmallDisk) {
        let file = database.file().expect("an embedded database");
        let folder = file.with_extension("disk");
        std::fs::create_dir(&folder).expect("a folder");
        let prepare = format!("cp '{}' \"$0/copy.sqlite3\"", file.display());
        let url = format!("sqlite://{}", folder.join("copy.sqlite3").display());
        let mut server = Self::run(SmallDisk::command(&folder, &prepare, &[BINARY]), &url, &[]);
        server.wait_until_serving();
        let disk = SmallDisk::of(&folder, server.process.id());
        (server, disk)
    }

    fn run(mut command: Command, database_url: &str, variables: &[(&str, &str)]) -> Self {
        command
            .arg("serve")
            .env_clear()
            .env("ASTRANETMON_DATABASE_URL", database_url)
            .env("ASTRANETMON_LISTEN", "127.0.0.1:0")
            .env("ASTRANETMON_METRICS_LISTEN", "off")
            .env("ASTRANETMON_LOG_FORMAT", "json")
            // Every caller of every test has the same address.
            .env("ASTRANETMON_LIMITS_ADDRESS_FAILURES_PER_MINUTE", "1000000")
            .env("ASTRANETMON_LIMITS_SIGN_INS_PER_MINUTE", "1000000")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary runs");
        let lines = BufReader::new(process.stderr.take().expect("piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (address, addresses) = channel();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if let Some(url) = serving_at(&line) {
                    let _ = address.send(url);
                }
                kept.lock().expect("not poisoned").push(line);
            }
        });
        Self { process, log, addresses, url: String::new() }
    }

    /// Blocks until the process says that it serves.
    pub(crate) fn wait_until_serving(&mut self) {
        match self.addresses.recv_timeout(START_WITHIN) {
            Ok(url) => self.url = url,
            Err(_) => panic!("does not serve: {:?}\n{}", self.process.try_wait(), self.log().join("\n")),
        }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The address, for connections made by hand.
    pub(crate) fn address(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }

    /// Files and connections that the process has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).expect("it runs").count()
    }

    /// Memory that the process has in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        1_024 * kilobytes.expect("a line").parse::<u64>().expect("a number")
    }

    /// The lines written so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("not poisoned").clone()
    }

    /// Ends the process at once (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Asks the process to end (SIGTERM).
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Asks the process to read its certificate again (SIGHUP).
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} {id}");
    }

    /// The exit status, once the process has ended by itself.
    pub(crate) async fn ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.process.try_wait().expect("it can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "still runs after {within:?}\n{}", self.log().join("\n"));
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, and waits for a clean end.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        let status = self.ended(Duration::from_secs(10)).await;
        assert!(status.success(), "{status}\n{}", self.log().join("\n"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
            let warnings = log.iter().filter(|line| !line.contains("\"level\":\"INFO\"")).take(20);
            eprintln!("log of {}:", self.url);
            warnings.for_each(|line| eprintln!("{line}"));
        }
    }
}

fn serving_at(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == "serving").then(|| line["address"].as_str().map(str::to_owned))?
}
