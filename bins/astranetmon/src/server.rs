//! The HTTP server: the same set-up for `serve`, the demonstration, tests and benchmarks.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer, web};
use astranetmon_http::ApiState;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Failure;

/// Longest wait for the head of a connection's first request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a closed connection may take to say so.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections a worker holds; more wait in the backlog.
const MAX_CONNECTIONS_PER_WORKER: usize = 2_000;
/// Connections the kernel holds until a worker takes them.
const BACKLOG: u32 = 2_048;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Threads that answer; `None`: as many as the machine has processors.
    pub workers: Option<NonZeroUsize>,
    /// Speaks TLS with this, else plain HTTP.
    pub tls: Option<rustls::ServerConfig>,
    /// How long requests in flight may take to finish once it is stopped; whole seconds, rounded up.
    pub shutdown_timeout: Duration,
    /// More services beside the API's: a benchmark's prepared body.
    pub extra: Option<fn(&mut web::ServiceConfig)>,
}

impl ServerSettings {
    /// Plain HTTP at an address, everything else as by default.
    #[must_use]
    pub const fn plain(listen: SocketAddr) -> Self {
        Self { listen, workers: None, tls: None, shutdown_timeout: Duration::from_secs(10), extra: None }
    }
}

/// A server that accepts connections. Dropping it leaves it running; see [`RunningServer::stop`].
pub struct RunningServer {
    /// Where it really listens.
    pub addr: SocketAddr,
    /// Stops it without ceremony.
    pub handle: ServerHandle,
    state: web::Data<ApiState>,
    accepting: JoinHandle<io::Result<()>>,
    background: JoinHandle<()>,
    end_background: oneshot::Sender<()>,
}

impl RunningServer {
    /// Tells load balancers and clients to go elsewhere, stops accepting, lets requests in flight finish within the
    /// shutdown timeout, and writes what was counted. The storage stays open.
    pub async fn stop(self) {
        self.state.drain();
        self.handle.stop(true).await;
        // Their results are those of work that has ended as it was told to.
        let _ = self.accepting.await;
        let _ = self.end_background.send(());
        let _ = self.background.await;
    }
}

/// Starts a server of the API over `state`, and what the process does beside answering.
///
/// # Errors
/// An address that is taken or may not be used.
pub async fn start(settings: ServerSettings, state: web::Data<ApiState>) -> Result<RunningServer, Failure> {
    let extra = settings.extra;
    let served = web::Data::clone(&state);
    let server = HttpServer::new(move || App::new().configure(|services| mount(services, &served, extra)))
        .backlog(BACKLOG)
        .max_connections(MAX_CONNECTIONS_PER_WORKER)
        .client_request_timeout(REQUEST_HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        // Otherwise an answer in slices waits 40 ms for an acknowledgement.
        .tcp_nodelay(true)
        .shutdown_timeout(whole_seconds(settings.shutdown_timeout))
        .disable_signals();
    let server = match settings.workers {
        Some(workers) => server.workers(workers.get()),
        None => server,
    };
    let bound = match settings.tls {
        Some(tls) => server.bind_rustls_0_23(settings.listen, tls),
        None => server.bind(settings.listen),
    };
    let server = bound.map_err(|error| cannot_listen(settings.listen, &error))?;
    let addr = server.addrs().first().copied().unwrap_or(settings.listen);
    let server: Server = server.run();
    let (end_background, ended) = oneshot::channel();
    let background = astranetmon_http::run_background(web::Data::clone(&state).into_inner(), async {
        let _ = ended.await;
    });
    Ok(RunningServer {
        addr,
        handle: server.handle(),
        state,
        accepting: tokio::spawn(server),
        background: tokio::spawn(background),
        end_background,
    })
}

fn mount(services: &mut web::ServiceConfig, state: &web::Data<ApiState>, extra: Option<fn(&mut web::ServiceConfig)>) {
    services
        .service(astranetmon_http::health(web::Data::clone(state)))
        .service(astranetmon_http::api(web::Data::clone(state)));
    if let Some(extra) = extra {
        services.configure(extra);
    }
    services.service(astranetmon_http::anything_else(web::Data::clone(state)));
}

/// Why nobody can listen there, as a sentence.
pub(crate) fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Failure::failed(format!("{address} is taken: stop what listens there or choose another address"))
        }
        _ => Failure::failed(format!("cannot listen on {address}: {error}")),
    }
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
