use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A connection whose peer must go on: within `limit` of the answer before, a request must begin; within `limit` of its
/// first byte, it must be whole and be answered; and whenever an answer waits for the peer to read, some of it must be
/// taken within `limit`. Otherwise the connection fails with [`io::ErrorKind::TimedOut`].
///
/// actix bounds the head of a connection's first request only, and no answer.
pub(crate) struct TimedIo<T> {
    io: T,
    limit: Duration,
    /// When something last happened that the peer may take `limit` to follow up.
    progress_at: Instant,
    /// Whether bytes of a request have come since the last byte of an answer went.
    request_begun: bool,
    /// Runs behind `progress_at` and is moved only when it fires, so that reading and writing cost no timer.
    deadline: Pin<Box<Sleep>>,
}

impl<T> TimedIo<T> {
    pub(crate) fn new(io: T, limit: Duration) -> Self {
        let now = Instant::now();
        let deadline = Box::pin(sleep_until(now + limit));
        Self { io, limit, progress_at: now, request_begun: false, deadline }
    }

    fn read(&mut self) {
        if !self.request_begun {
            self.request_begun = true;
            self.progress_at = Instant::now();
        }
    }

    fn written(&mut self) {
        self.request_begun = false;
        self.progress_at = Instant::now();
    }

    /// Pending until the peer has let its time go by.
    fn poll_deadline<R>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<R>> {
        loop {
            ready!(self.deadline.as_mut().poll(context));
            let deadline = self.progress_at + self.limit;
            if Instant::now() >= deadline {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.deadline.as_mut().reset(deadline);
        }
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
                if buffer.filled().len() > before {
                    self.read();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(context),
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(context, bytes) {
            Poll::Ready(result) => {
                self.written();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write_vectored(context, slices) {
            Poll::Ready(result) => {
                self.written();
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_deadline(context),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_deadline(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(context) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll_deadline(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{sleep, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);
    const PAUSE: Duration = Duration::from_millis(100);
    /// A machine under load wakes late.
    const AT_LAST: Duration = Duration::from_secs(3);

    fn connected() -> (TimedIo<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(16);
        (TimedIo::new(ours, LIMIT), theirs)
    }

    async fn fails_in_time<T: std::fmt::Debug>(work: impl Future<Output = io::Result<T>>) {
        let start = Instant::now();
        let error = timeout(AT_LAST, work).await.expect("ends").expect_err("fails");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() >= LIMIT - PAUSE, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn a_silent_peer_is_given_up() {
        let (mut server, _peer) = connected();
        fails_in_time(server.read_u8()).await;
    }

    #[tokio::test]
    async fn a_request_in_drips_is_given_up_whatever_came_before() {
        let (mut server, mut peer) = connected();
        for _ in 0..4 {
            sleep(PAUSE).await;
            peer.write_all(b"GET").await.expect("sent");
            server.read_exact(&mut [0; 3]).await.expect("received");
            server.write_all(b"200").await.expect("answered");
            peer.read_exact(&mut [0; 3]).await.expect("received");
        }
        let dripping = tokio::spawn(async move {
            while peer.write_u8(b'x').await.is_ok() {
                sleep(PAUSE).await;
            }
        });
        fails_in_time(async { server.read_exact(&mut [0; 1_000]).await }).await;
        drop(server);
        dripping.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_given_up_and_a_slow_one_is_not() {
        let (mut server, mut peer) = connected();
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                sleep(PAUSE).await;
                peer.read_exact(&mut [0; 16]).await.expect("received");
            }
            peer
        });
        server.write_all(&[0; 160]).await.expect("taken in time");
        let _peer = reading.await.expect("no panic");
        fails_in_time(async { server.write_all(&[0; 17]).await }).await;
    }

    #[tokio::test]
    async fn an_answer_may_be_made_without_hurry_while_nothing_is_read() {
        let (mut server, mut peer) = connected();
        peer.write_all(b"GET").await.expect("sent");
        server.read_exact(&mut [0; 3]).await.expect("received");
        sleep(2 * LIMIT).await;
        server.write_all(b"200").await.expect("answered");
    }
}
