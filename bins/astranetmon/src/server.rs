//! The HTTP server: the same set-up for `serve`, the demonstration, tests and benchmarks.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{Service, ServiceFactoryExt, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::dev::{AppConfig, Payload, Server, ServerHandle, ServiceFactory, fn_service};
use actix_web::http::KeepAlive;
use actix_web::{App, HttpMessage, web};
use astranetmon_dashboard::{DashboardState, dashboard};
use astranetmon_http::ApiState;
#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::Failure;
use crate::timed_io::{Exchange, PeerLimits, TimedIo};

/// Longest wait for the head of a connection's first request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a peer may take. actix counts the time of an idle connection anew whenever it looks at it.
const PEER_LIMITS: PeerLimits = PeerLimits { idle: KEEP_ALIVE, active: Duration::from_secs(10) };
/// What the kernel holds of an answer beyond what is on its way, in bytes. By default it may be megabytes, and that
/// there is room again is told only when a third of them is gone: a peer that reads 20 KB/s would seem not to read.
#[cfg(target_os = "linux")]
const MOST_UNSENT: u32 = 16 * 1024;
/// What TLS holds of an answer, in bytes: a peer that reads slowly must take all of it within the limit.
const MOST_ENCRYPTED: usize = 16 * 1024;
/// How long a closed connection may take to say so.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where agents send to.
const WAITED_FOR: [&str; 2] = ["/ingest/", "/prometheus/"];
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
    stopping: watch::Sender<bool>,
    background: JoinHandle<()>,
    end_background: oneshot::Sender<()>,
}

impl RunningServer {
    /// Tells load balancers and clients to go elsewhere, stops accepting, lets requests in flight finish within the
    /// shutdown timeout, and writes what was counted. The storage stays open.
    pub async fn stop(self) {
        self.state.drain();
        self.stopping.send_replace(true);
        self.handle.stop(true).await;
        // Their results are those of work that has ended as it was told to.
        let _ = self.accepting.await;
        let _ = self.end_background.send(());
        let _ = self.background.await;
    }
}

/// Starts a server of the API and the dashboard, and what the process does beside answering.
///
/// # Errors
/// An address that is taken or may not be used.
pub async fn start(settings: ServerSettings, dashboard: DashboardState) -> Result<RunningServer, Failure> {
    let (stopping, stopped) = watch::channel(false);
    let (state, dashboard) = (web::Data::clone(&dashboard.api), web::Data::new(dashboard));
    let edge = Edge { dashboard, extra: settings.extra, stopped };
    let server = Server::build()
        .backlog(BACKLOG)
        .max_concurrent_connections(MAX_CONNECTIONS_PER_WORKER)
        .shutdown_timeout(whole_seconds(settings.shutdown_timeout))
        .disable_signals();
    let server = match settings.workers {
        Some(workers) => server.workers(workers.get()),
        None => server,
    };
    let listener = listen(settings.listen).map_err(|error| cannot_listen(settings.listen, &error))?;
    let addr = listener.local_addr().unwrap_or(settings.listen);
    let bound = match settings.tls {
        Some(mut tls) => {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            server.listen("https", listener, move || {
                let mut acceptor = Acceptor::new(tls.clone());
                acceptor.set_handshake_timeout(HANDSHAKE_TIMEOUT);
                acceptor
                    .map_init_err(|()| ())
                    .map_err(drop)
                    .and_then(async |mut stream: TlsStream<TcpStream>| {
                        stream.get_mut().1.set_buffer_limit(Some(MOST_ENCRYPTED));
                        let peer = prepare(stream.get_ref().0);
                        Ok((TimedIo::new(stream, PEER_LIMITS), Protocol::Http1, peer))
                    })
                    .and_then(edge.service().map_err(drop))
            })
        }
        None => server.listen("http", listener, move || {
            fn_service(async |stream: TcpStream| {
                let peer = prepare(&stream);
                Ok((TimedIo::new(stream, PEER_LIMITS), Protocol::Http1, peer))
            })
            .and_then(edge.service().map_err(drop))
        }),
    };
    let server = bound.map_err(|error| cannot_listen(settings.listen, &error))?.run();
    let (end_background, ended) = oneshot::channel();
    let background = astranetmon_http::run_background(web::Data::clone(&state).into_inner(), async {
        let _ = ended.await;
    });
    Ok(RunningServer {
        addr,
        handle: server.handle(),
        state,
        accepting: tokio::spawn(server),
        stopping,
        background: tokio::spawn(background),
        end_background,
    })
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it. A kernel without it serves too.
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&socket).set_tcp_notsent_lowat(MOST_UNSENT);
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Who is there. Answers in slices must not wait 40 ms for an acknowledgement.
fn prepare(stream: &TcpStream) -> Option<SocketAddr> {
    let _ = stream.set_nodelay(true);
    stream.peer_addr().ok()
}

/// What a worker makes its HTTP service of.
#[derive(Clone)]
struct Edge {
    dashboard: web::Data<DashboardState>,
    extra: Option<fn(&mut web::ServiceConfig)>,
    /// Idle connections end when it says so.
    stopped: watch::Receiver<bool>,
}

impl Edge {
    fn service<T: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
    ) -> impl ServiceFactory<
        (TimedIo<T>, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        InitError = (),
        Error: Debug,
    > + use<T> {
        let Self { dashboard, extra, stopped } = self.clone();
        let app = App::new().configure(|services| mount(services, &dashboard, extra)).wrap_fn(|mut request, next| {
            let has_body = !matches!(request.parts().1, Payload::None);
            let uploads = has_body && WAITED_FOR.iter().any(|prefix| request.path().starts_with(prefix));
            let exchange = request.request().conn_data::<Exchange>().cloned();
            let answering = exchange.as_ref().map(|exchange| match (uploads, has_body) {
                (true, _) => exchange.begin_upload(),
                (false, has_body) => exchange.begin(has_body),
            });
            if let Some(exchange) = exchange.filter(|_| uploads) {
                let body = request.take_payload();
                request.set_payload(exchange.told_when_complete(body));
            }
            let answer = next.call(request);
            async move {
                let _answering = answering;
                answer.await
            }
        });
        HttpService::build()
            .graceful_shutdown_signal(move || {
                let mut stopped = stopped.clone();
                async move {
                    // A sender that is gone has stopped too.
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                }
            })
            .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
            .client_request_timeout(REQUEST_HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .on_connect_ext(|io: &TimedIo<T>, data| {
                data.insert(io.exchange());
            })
            .finish(map_config(app, |()| AppConfig::default()))
    }
}

fn mount(
    services: &mut web::ServiceConfig,
    pages: &web::Data<DashboardState>,
    extra: Option<fn(&mut web::ServiceConfig)>,
) {
    let state = &pages.api;
    services
        .service(astranetmon_http::health(web::Data::clone(state)))
        .service(astranetmon_http::api(web::Data::clone(state)))
        .service(astranetmon_http::prometheus(web::Data::clone(state)))
        .service(astranetmon_http::ingest(web::Data::clone(state)))
        .service(astranetmon_http::auth(web::Data::clone(state)))
        .configure(dashboard(web::Data::clone(pages)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_to_a_connection_leaves_at_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        assert!(!stream.nodelay().expect("known"));
        assert_eq!(prepare(&stream), client.local_addr().ok());
        assert!(stream.nodelay().expect("known"));
    }
}
