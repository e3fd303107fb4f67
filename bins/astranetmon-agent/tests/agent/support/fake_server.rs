use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use astranetmon_domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::TOKEN;
use super::request::{self, Request};

/// What the server does with a request.
pub(crate) enum Reply {
    /// What a good server does.
    Take,
    /// A status, further header lines, and a body. Nothing is taken.
    Status(u16, &'static str, &'static str),
    /// What a good server does, but the answer comes so much later.
    TakeAndWait(Duration),
    /// The rows are taken, and then this is sent instead of an answer, and the connection closed.
    TakeAndSend(&'static [u8]),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Close,
    /// Takes all rows but refuses those at these positions.
    Refuse(Vec<usize>),
}

type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A server of `/ingest/v1` in this process, on a thread of its own. Gone when it is dropped.
pub(crate) struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

struct Shared {
    script: Mutex<Script>,
    store: Mutex<Store>,
}

/// What it took.
#[derive(Default)]
pub(crate) struct Store {
    /// Path and key of each row in the order of its coming, each once.
    pub(crate) rows: Vec<(String, String)>,
    keys: HashSet<(String, String)>,
    /// Rows that came again.
    pub(crate) known: usize,
    pub(crate) heartbeats: Vec<Value>,
    /// The rows themselves, by kind.
    pub(crate) bodies: BTreeMap<String, Vec<Value>>,
    pub(crate) requests: usize,
    pub(crate) connections: usize,
    /// At this moment, and the most there ever were.
    in_flight: usize,
    pub(crate) most_in_flight: usize,
    /// Rows of each body that was taken.
    pub(crate) batches: Vec<usize>,
    pub(crate) encoded_bytes: usize,
}

impl Store {
    /// The keys of one kind in the order of their coming.
    pub(crate) fn keys_of(&self, kind: &str) -> Vec<&str> {
        let path = format!("/ingest/v1/{kind}");
        self.rows.iter().filter(|(at, _)| *at == path).map(|(_, key)| key.as_str()).collect()
    }
}

impl FakeServer {
    pub(crate) fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a port");
        listener.set_nonblocking(true).expect("set");
        let address = listener.local_addr().expect("bound");
        let shared =
            Arc::new(Shared { script: Mutex::new(Box::new(|_| Reply::Take)), store: Mutex::new(Store::default()) });
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, shared, _stop: stop }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `script` decides.
    pub(crate) fn behave(&self, script: impl FnMut(&Request) -> Reply + Send + 'static) {
        *self.shared.script.lock().expect("whole") = Box::new(script);
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().expect("whole")
    }

    /// Waits until it has so many rows.
    pub(crate) async fn has_rows(&self, count: usize) {
        self.has(|store| store.rows.len() >= count).await;
    }

    pub(crate) async fn has(&self, condition: impl Fn(&Store) -> bool) {
        while !condition(&self.store()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.store.lock().expect("whole").connections += 1;
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    while let Some(request) = request::read(&mut stream).await {
        {
            let mut store = shared.store.lock().expect("whole");
            store.requests += 1;
            store.in_flight += 1;
            store.most_in_flight = store.most_in_flight.max(store.in_flight);
        }
        let reply = (shared.script.lock().expect("whole"))(&request);
        let goes_on = respond(&mut stream, &request, reply, &shared).await;
        shared.store.lock().expect("whole").in_flight -= 1;
        if !goes_on {
            return;
        }
    }
}

async fn respond(stream: &mut TcpStream, request: &Request, reply: Reply, shared: &Shared) -> bool {
    match reply {
        Reply::Take => answer_to_taking(stream, request, shared, &[], Duration::ZERO).await,
        Reply::TakeAndWait(time) => answer_to_taking(stream, request, shared, &[], time).await,
        Reply::Refuse(positions) => answer_to_taking(stream, request, shared, &positions, Duration::ZERO).await,
        Reply::Status(status, headers, body) => {
            request::answer(stream, status, headers, body).await;
            true
        }
        Reply::TakeAndSend(bytes) => {
            take(request, &shared.store, &[]);
            let _ = stream.write_all(bytes).await;
            false
        }
        Reply::Hang => {
            // Until the peer has enough of it.
            let _ = stream.read_u8().await;
            false
        }
        Reply::Close => false,
    }
}

/// Takes rows but those at the refused positions, and says so when some time has passed.
async fn answer_to_taking(
    stream: &mut TcpStream,
    request: &Request,
    shared: &Shared,
    refused: &[usize],
    after: Duration,
) -> bool {
    let (status, body) = take(request, &shared.store, refused);
    tokio::time::sleep(after).await;
    request::answer(stream, status, "", &body.to_string()).await;
    true
}

fn take(request: &Request, store: &Mutex<Store>, refused: &[usize]) -> (u16, Value) {
    let mut store = store.lock().expect("whole");
    let kind = request.path.rsplit('/').next().expect("a name");
    if kind == "enroll" {
        return enroll(request);
    }
    if request.headers.get("authorization").map(String::as_str) != Some(&format!("Bearer {TOKEN}")) {
        return (401, json!({"error": "The token is not valid."}));
    }
    if kind == "heartbeat" {
        store.heartbeats.push(request.body.clone());
        return (200, json!({"server_time": SystemClock.now().to_string(), "agent_id": "test-1"}));
    }
    let rows = request.body[kind].as_array().expect("an envelope");
    let (mut taken, mut known_rows, mut refused_rows) = (0, Vec::new(), Vec::new());
    for (position, row) in rows.iter().enumerate() {
        if refused.contains(&position) {
            refused_rows.push(json!({"row": position, "field": "timestamp", "reason": "is too old"}));
            continue;
        }
        let name = if kind == "metrics" { "timestamp" } else { "id" };
        let key = (request.path.clone(), row[name].as_str().expect("a key").to_owned());
        if store.keys.insert(key.clone()) {
            store.rows.push(key);
            store.bodies.entry(kind.to_owned()).or_default().push(row.clone());
            taken += 1;
        } else {
            store.known += 1;
            known_rows.push(position);
        }
    }
    store.batches.push(rows.len());
    store.encoded_bytes += request.encoded_length;
    let answer = json!({
        "taken": taken, "known": known_rows.len(), "refused": refused_rows.len(),
        "known_rows": known_rows, "refused_rows": refused_rows, "ignored_fields": [],
    });
    (200, answer)
}

fn enroll(request: &Request) -> (u16, Value) {
    if request.body["token"] != "astra_enroll_good" {
        return (401, json!({"error": "The enrolment token is not valid."}));
    }
    let id = request.body["agent_id"].as_str().or(request.body["facts"]["hostname"].as_str()).expect("a name");
    (201, json!({"agent_id": id, "agent_token": TOKEN, "account": "Example Ltd"}))
}
