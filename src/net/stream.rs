//! The TCP connection of one client while HTTP is spoken on it: what it holds is counted, and it ends when nobody reads.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::Hold;

/// What a connection takes as such: hyper's state, its first read buffer, and the task.
pub const HTTP_CONNECTION: usize = 12 << 10;
/// The longest request head, in bytes. What hyper buffers of a connection is bounded by the same.
pub const LONGEST_HEAD: usize = 32 << 10;
/// As much of a head as the first read buffer takes.
const FIRST_BUFFER: usize = 8 << 10;

/// Bytes that have come since the last request was whole. Shared with the code that answers requests, which sets it back.
#[derive(Clone, Default)]
pub struct HeadBytes(Arc<AtomicUsize>);

impl HeadBytes {
    pub fn is_whole(&self) {
        self.0.store(0, Relaxed);
    }
}

/// See the module.
pub struct Stream {
    socket: TcpStream,
    hold: Hold,
    head: HeadBytes,
    /// What hyper's buffers may hold.
    buffered: usize,
    unsent: usize,
    patience: Duration,
    /// Runs while the client does not take what is to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    /// `hold` is this connection's; `patience` is how long a write may wait without a byte being taken.
    pub fn new(socket: TcpStream, hold: Hold, head: HeadBytes, patience: Duration) -> Self {
        hold.set(HTTP_CONNECTION);
        Self { socket, hold, head, buffered: 0, unsent: 0, patience, stalled: None }
    }

    /// The bare socket. It no longer counts.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn has_read(&mut self, bytes: usize) {
        let head = self.head.0.fetch_add(bytes, Relaxed) + bytes;
        let buffered = head.saturating_sub(FIRST_BUFFER).min(LONGEST_HEAD);
        // It stays as it is once it has grown.
        if buffered > self.buffered {
            self.buffered = buffered;
            self.count();
        }
    }

    fn count(&self) {
        self.hold.set(HTTP_CONNECTION + self.buffered + self.unsent);
    }

    fn has_written(&mut self, all: usize, outcome: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let taken = if let Poll::Ready(Ok(taken)) = outcome { taken } else { 0 };
        if self.unsent != all - taken {
            self.unsent = all - taken;
            self.count();
        }
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.socket).poll_read(cx, buf);
        let count = buf.filled().len() - before;
        if count > 0 {
            self.has_read(count);
        }
        outcome
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.has_written(buf.len(), outcome, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.has_written(bufs.iter().map(|buf| buf.len()).sum(), outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
