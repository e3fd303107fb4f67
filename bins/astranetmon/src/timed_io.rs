use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use futures_util::stream::poll_fn;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a peer that does not read fast enough must take within the limit, in bytes.
const LEAST_TAKEN: usize = 4 * 1024;

/// What a peer that uploads must send within the limit, in bytes: 3.2 KiB a second of the ten that it has.
const LEAST_UPLOADED: usize = 32 * 1024;

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerLimits {
    /// From the last byte of an answer to the first one of a request.
    pub(crate) idle: Duration,
    /// From a request's first byte to its last one; for the next 32 KiB of an upload; from an answer to the end of a body that nobody read; for the next
    /// 4 KiB of an answer that waits.
    pub(crate) active: Duration,
}

/// A connection whose peer must go on within the limits. Otherwise it fails with [`io::ErrorKind::TimedOut`], or ends as
/// if the peer had hung up if that was idle. A request without a body is the server's affair as soon as its head has
/// come, for as long as its answer takes to be made.
///
/// actix bounds the head of a connection's first request only, and no answer.
pub(crate) struct TimedIo<T> {
    io: T,
    limits: PeerLimits,
    exchange: Exchange,
    /// When something last happened that gave the peer time.
    progress_at: Instant,
    /// Whether bytes of a request have come since the last byte of an answer went.
    request_begun: bool,
    /// Whether an answer waits for the peer to read, and what it has read since `progress_at`.
    waiting: Option<usize>,
    /// What has come of an upload since `progress_at`.
    uploaded: usize,
    /// Runs behind `progress_at` and is moved only when it fires, so that reading and writing cost no timer.
    deadline: Pin<Box<Sleep>>,
}

/// What the peer of one connection is expected to do, told by those who see its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange(Rc<Cell<Stage>>);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    /// To send a request.
    #[default]
    Request,
    /// To send the body of the last request, be it answered or not.
    Body,
    /// To send the body of the last request, which may be long and is being read.
    Upload,
    /// Nothing: its request is being answered.
    Answer,
}

impl Exchange {
    /// The answer to a request whose head has come begins to be made, until the value is dropped.
    pub(crate) fn begin(&self, body_follows: bool) -> Answering {
        self.0.set(if body_follows { Stage::Body } else { Stage::Answer });
        Answering(self.clone())
    }

    /// The same for a request whose body may take long to come.
    pub(crate) fn begin_upload(&self) -> Answering {
        self.0.set(Stage::Upload);
        Answering(self.clone())
    }

    /// The body of an upload. Once all of it has come it is no longer the peer's turn.
    pub(crate) fn told_when_complete(self, body: Payload) -> Payload {
        let told = body.chain(poll_fn(move |_| {
            if self.0.get() == Stage::Upload {
                self.0.set(Stage::Answer);
            }
            Poll::Ready(None)
        }));
        let body: Pin<Box<dyn Stream<Item = _>>> = Box::pin(told);
        body.into()
    }
}

/// An answer in the making.
#[must_use]
pub(crate) struct Answering(Exchange);

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(Exchange(stage)) = self;
        match stage.get() {
            Stage::Answer => stage.set(Stage::Request),
            // Answered before all of it had come: the rest is read by nobody.
            Stage::Upload => stage.set(Stage::Body),
            Stage::Request | Stage::Body => {}
        }
    }
}

impl<T> TimedIo<T> {
    pub(crate) fn new(io: T, limits: PeerLimits) -> Self {
        let now = Instant::now();
        Self {
            io,
            limits,
            exchange: Exchange::default(),
            progress_at: now,
            request_begun: false,
            waiting: None,
            uploaded: 0,
            deadline: Box::pin(sleep_until(now + limits.active)),
        }
    }

    /// What those who see this connection's requests tell it by.
    pub(crate) fn exchange(&self) -> Exchange {
        self.exchange.clone()
    }

    fn received(&mut self, bytes: usize) {
        if self.exchange.0.get() == Stage::Upload && self.waiting.is_none() {
            self.uploaded += bytes;
            if self.uploaded >= LEAST_UPLOADED {
                self.uploaded = 0;
                self.progress_at = Instant::now();
            }
        }
        if !self.request_begun {
            self.request_begun = true;
            // Neither the rest of a body nor another request makes up for what else the peer has to do.
            if self.waiting.is_none() && !matches!(self.exchange.0.get(), Stage::Body | Stage::Upload) {
                self.progress_at = Instant::now();
            }
        }
    }

    fn sent(&mut self, bytes: usize) {
        self.request_begun = false;
        if let Some(taken) = &mut self.waiting {
            *taken += bytes;
            if *taken < LEAST_TAKEN {
                return;
            }
            *taken = 0;
        }
        self.progress_at = Instant::now();
    }

    /// The peer has taken what there was.
    fn flushed(&mut self) {
        if self.waiting.take().is_some() {
            self.progress_at = Instant::now();
        }
    }

    /// Pending until the peer has not read for too long.
    fn poll_waiting<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        if self.waiting.is_none() {
            self.waiting = Some(0);
            self.progress_at = Instant::now();
        }
        self.poll_deadline(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Pending until the peer has let its time go by.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.deadline.as_mut().poll(context));
            let now = Instant::now();
            let soonest = now + self.limits.active;
            let deadline = self.allowed().map_or(soonest, |allowed| self.progress_at + allowed);
            if now >= deadline {
                return Poll::Ready(());
            }
            // Whatever begins from now on has this long at least, so nothing is noticed late.
            self.deadline.as_mut().reset(deadline.min(soonest));
        }
    }

    /// What the peer may take from `progress_at` on; `None` if it is not its turn.
    fn allowed(&self) -> Option<Duration> {
        if self.is_idle() {
            return Some(self.limits.idle);
        }
        let answers = self.waiting.is_none() && self.exchange.0.get() == Stage::Answer;
        (!answers).then_some(self.limits.active)
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_none() && !self.request_begun && self.exchange.0.get() == Stage::Request
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(context, buffer) {
            Poll::Ready(result) => {
                let bytes = buffer.filled().len() - before;
                if bytes > 0 {
                    self.received(bytes);
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(self.poll_deadline(context));
                Poll::Ready(if self.is_idle() { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) })
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(context, bytes) {
            Poll::Ready(result) => Poll::Ready(result.inspect(|bytes| self.sent(*bytes))),
            Poll::Pending => self.poll_waiting(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write_vectored(context, slices) {
            Poll::Ready(result) => Poll::Ready(result.inspect(|bytes| self.sent(*bytes))),
            Poll::Pending => self.poll_waiting(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(context) {
            Poll::Ready(result) => {
                self.flushed();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_waiting(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_waiting(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);
    const LIMITS: PeerLimits = PeerLimits { idle: Duration::from_millis(900), active: Duration::from_millis(300) };
    /// A machine under load wakes late.
    const AT_LAST: Duration = Duration::from_secs(3);

    fn connected(buffer: usize) -> (TimedIo<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(buffer);
        (TimedIo::new(ours, LIMITS), theirs)
    }

    /// How long the work goes on until the peer is given up.
    async fn given_up<T: std::fmt::Debug>(work: impl Future<Output = io::Result<T>>) -> Duration {
        let start = Instant::now();
        let error = timeout(AT_LAST, work).await.expect("ends").expect_err("fails");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed()
    }

    /// One byte after the other, until nobody takes them.
    fn drip(mut peer: DuplexStream) {
        tokio::spawn(async move {
            while peer.write_u8(b'x').await.is_ok() {
                sleep(PAUSE).await;
            }
        });
    }

    async fn exchange(server: &mut TimedIo<DuplexStream>, peer: &mut DuplexStream) {
        peer.write_all(b"GET").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        server.write_all(b"200").await.expect("answered");
        server.flush().await.expect("answered");
        peer.read_exact(&mut [0; 3]).await.expect("received");
    }

    #[tokio::test]
    async fn an_idle_peer_has_hung_up() {
        let (mut server, mut peer) = connected(16);
        exchange(&mut server, &mut peer).await;
        let start = Instant::now();
        let read = timeout(AT_LAST, server.read(&mut [0])).await.expect("ends").expect("the end");
        assert_eq!(read, 0);
        assert!(start.elapsed() >= LIMITS.idle - PAUSE, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_request_in_drips_is_given_up_whatever_came_before() {
        let (mut server, mut peer) = connected(16);
        for _ in 0..4 {
            sleep(PAUSE).await;
            exchange(&mut server, &mut peer).await;
        }
        drip(peer);
        let took = given_up(async { server.read_exact(&mut [0; 1_000]).await }).await;
        assert!(took >= LIMITS.active - PAUSE && took < LIMITS.idle, "{took:?}");
    }

    #[tokio::test]
    async fn an_upload_goes_on_as_long_as_enough_of_it_comes() {
        let (mut server, mut peer) = connected(LEAST_UPLOADED);
        peer.write_all(b"PUT").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        let _answering = server.exchange().begin_upload();
        let sending = tokio::spawn(async move {
            for _ in 0..8 {
                sleep(PAUSE).await;
                peer.write_all(&[0; LEAST_UPLOADED]).await.expect("taken");
            }
            peer
        });
        server.read_exact(&mut [0; 8 * LEAST_UPLOADED]).await.expect("received in time");
        drip(sending.await.expect("no panic"));
        let took = given_up(async { server.read_exact(&mut [0; 1_000]).await }).await;
        assert!(took >= LIMITS.active - PAUSE && took < LIMITS.idle, "{took:?}");
    }

    #[tokio::test]
    async fn once_an_upload_is_complete_its_answer_may_be_made_without_hurry() {
        let (mut server, mut peer) = connected(16);
        peer.write_all(b"PUT").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        let exchange = server.exchange();
        let answering = exchange.begin_upload();
        let mut body = exchange.told_when_complete(Payload::None);
        assert!(body.next().await.is_none());
        timeout(2 * LIMITS.idle, server.read_u8()).await.expect_err("it waits");
        drop(answering);
        server.write_all(b"200").await.expect("answered");
        timeout(LIMITS.active, server.read_u8()).await.expect_err("it is idle");
    }

    #[tokio::test]
    async fn an_answer_may_be_made_without_hurry() {
        let (mut server, mut peer) = connected(16);
        peer.write_all(b"GET").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        let answering = server.exchange().begin(false);
        timeout(2 * LIMITS.idle, server.read_u8()).await.expect_err("it waits");
        drop(answering);
        server.write_all(b"200").await.expect("answered");
        timeout(LIMITS.active, server.read_u8()).await.expect_err("it is idle");
    }

    #[tokio::test]
    async fn a_body_that_nobody_read_is_given_up_though_it_drips() {
        let (mut server, mut peer) = connected(16);
        peer.write_all(b"PUT").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        drop(server.exchange().begin(true));
        server.write_all(b"405").await.expect("answered");
        sleep(2 * PAUSE).await;
        drip(peer);
        let took = given_up(async { server.read_exact(&mut [0; 1_000]).await }).await;
        assert!(took < LIMITS.active, "{took:?}");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up_and_a_slow_one_is_not() {
        let (mut server, mut peer) = connected(LEAST_TAKEN);
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                sleep(PAUSE).await;
                peer.read_exact(&mut [0; LEAST_TAKEN]).await.expect("received");
            }
            peer
        });
        server.write_all(&[0; 10 * LEAST_TAKEN]).await.expect("taken in time");
        let peer = reading.await.expect("no panic");
        drip(peer);
        given_up(async { server.write_all(&[0; LEAST_TAKEN + 1]).await }).await;
    }

    #[tokio::test]
    async fn a_peer_that_reads_next_to_nothing_is_given_up() {
        let (mut server, mut peer) = connected(16);
        tokio::spawn(async move {
            while peer.read_exact(&mut [0; 16]).await.is_ok() {
                sleep(PAUSE).await;
            }
        });
        let took = given_up(async { server.write_all(&[0; 10_000]).await }).await;
        assert!(took < LIMITS.idle, "{took:?}");
    }
}
