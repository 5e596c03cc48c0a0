//! A socket that counts the bytes read from it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use super::super::Session;
use crate::net::Hold;

/// Bytes of unfinished messages that are not counted: the size of a reader's first buffer.
pub const UNCOUNTED: usize = 8_192;

/// How many bytes were read from a socket, since fastwebsockets does not tell how many it has buffered. The bytes of incomplete
/// frames count in the memory budget.
#[derive(Default)]
pub struct ReadCount {
    pub bytes: AtomicUsize,
    used: AtomicUsize,
    /// The session for which they count.
    pub session: OnceLock<Arc<Session>>,
    hold: OnceLock<Hold>,
}

impl ReadCount {
    fn add(&self, count: usize) {
        self.bytes.fetch_add(count, Relaxed);
        self.count();
    }

    /// So many bytes belong to complete frames.
    pub fn used(&self, used: usize) {
        self.used.store(used, Relaxed);
        if self.hold.get().is_some() {
            self.count();
        }
    }

    fn count(&self) {
        let unfinished = self.bytes.load(Relaxed).saturating_sub(self.used.load(Relaxed));
        match (self.hold.get(), self.session.get()) {
            (Some(hold), _) => hold.set(unfinished),
            (None, Some(session)) if unfinished > UNCOUNTED => {
                self.hold.get_or_init(|| session.hold("an unfinished frame")).set(unfinished);
            }
            (None, _) => {}
        }
    }
}

pub struct CountedSocket<'a> {
    pub socket: &'a TcpStream,
    pub leftover: Bytes,
    pub taken: &'a ReadCount,
}

impl AsyncRead for CountedSocket<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.leftover.is_empty() {
            let count = self.leftover.len().min(buf.remaining());
            buf.put_slice(&self.leftover.split_to(count));
            self.taken.add(count);
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            // Into uninitialised memory: clearing 8 KiB for each message would cost more than reading it.
            match self.socket.try_read_buf(buf) {
                Ok(count) => {
                    self.taken.add(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
