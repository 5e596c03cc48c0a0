//! Reads the bodies of requests, with limits on size and time, and counts their memory.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::Patience;
use super::budget::{Budget, Full, Hold};

/// Bytes that are not counted: an answer takes as much.
const UNCOUNTED: usize = 4_096;

/// A body that is too large is read and dropped up to so many bytes, and for so long: a client that is still sending when the
/// connection closes never sees the answer.
const DISCARDED: usize = 8 << 20;
const DISCARD: Duration = Duration::from_secs(10);

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// More bytes than allowed.
    TooLarge,
    /// No byte for too long, or not all of them in time.
    TooSlow,
    /// The client went away, or sent invalid HTTP.
    Broken,
    /// The memory budget is used up.
    NoMemory,
}

/// A body in memory. It is counted until it is dropped.
pub struct Read {
    pub bytes: Bytes,
    _hold: Option<Hold>,
}

/// How a body is read.
pub struct Reader<'a> {
    /// The most bytes that it may have.
    pub limit: usize,
    pub patience: Patience,
    pub budget: &'a Arc<Budget>,
    /// The client's address.
    pub address: IpAddr,
}

impl Reader<'_> {
    /// Reads a body to its end. `received` is called for each part that arrives.
    ///
    /// # Errors
    /// [`BodyError`]; the rest of the body is unread then.
    pub async fn read<B>(&self, body: &mut B, mut received: impl FnMut()) -> Result<Read, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let read = self.read_within_limit(body, &mut received).await;
        if matches!(read, Err(BodyError::TooLarge)) {
            let _ = timeout(DISCARD, discard(body)).await;
        }
        read
    }

    async fn read_within_limit<B>(&self, body: &mut B, received: &mut impl FnMut()) -> Result<Read, BodyError>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let told = body.size_hint();
        if told.lower() > self.limit as u64 {
            return Err(BodyError::TooLarge);
        }
        let most = told.exact().map_or(self.limit, |exact| exact as usize);
        let mut whole = Whole { reader: self, bytes: Vec::new(), most, hold: None, closed: Arc::default() };
        let end = Instant::now() + self.patience.body;
        loop {
            let due = end.min(Instant::now() + self.patience.body_pause);
            let closed = whole.closed.clone();
            let frame = tokio::select! {
                frame = timeout_at(due, body.frame()) => frame.map_err(|_| BodyError::TooSlow)?,
                () = closed.notified() => return Err(BodyError::NoMemory),
            };
            match frame {
                None => return Ok(Read { bytes: whole.bytes.into(), _hold: whole.hold }),
                Some(Err(_)) => return Err(BodyError::Broken),
                Some(Ok(frame)) => {
                    // Copied: a slice, however small, would keep the whole buffer of its connection alive.
                    if let Some(part) = frame.data_ref() {
                        whole.append(part)?;
                        received();
                    }
                }
            }
        }
    }
}

async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut discarded = 0;
    while let Some(Ok(frame)) = body.frame().await
        && discarded <= DISCARDED
    {
        discarded += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// The part of a body that has arrived.
struct Whole<'a> {
    reader: &'a Reader<'a>,
    bytes: Vec<u8>,
    /// Its size, if the client has sent `Content-Length`.
    most: usize,
    hold: Option<Hold>,
    /// Cancelled when the budget needs the memory.
    closed: Arc<Notify>,
}

impl Whole<'_> {
    fn append(&mut self, part: &[u8]) -> Result<(), BodyError> {
        let len = self.bytes.len() + part.len();
        if len > self.reader.limit {
            return Err(BodyError::TooLarge);
        }
        if len > self.bytes.capacity() {
            let capacity = len.max(2 * self.bytes.capacity()).min(self.most.max(len));
            self.count(capacity).map_err(|Full| BodyError::NoMemory)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn count(&mut self, capacity: usize) -> Result<(), Full> {
        if capacity <= UNCOUNTED {
            return Ok(());
        }
        let Reader { budget, address, .. } = self.reader;
        let closed = &self.closed;
        let hold = self.hold.get_or_insert_with(|| {
            let closed = closed.clone();
            budget.hold("a request body", Some(*address), move || closed.notify_one())
        });
        hold.grow(capacity - hold.bytes())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// A body whose parts come one after the other, each after its pause in seconds.
    fn slow(parts: Vec<(u64, usize)>) -> impl Body<Data = Bytes, Error = ()> + Unpin {
        StreamBody::new(Box::pin(futures_util::stream::unfold(parts.into_iter(), |mut parts| async {
            let (pause, len) = parts.next()?;
            tokio::time::sleep(Duration::from_secs(pause)).await;
            Some((Ok(Frame::data(Bytes::from(vec![b'x'; len]))), parts))
        })))
    }

    fn reader(budget: &Arc<Budget>) -> Reader<'_> {
        Reader { limit: 100_000, patience: Patience::default(), budget, address: [1, 1, 1, 1].into() }
    }

    async fn read(budget: &Arc<Budget>, parts: Vec<(u64, usize)>) -> Result<usize, BodyError> {
        reader(budget).read(&mut slow(parts), || ()).await.map(|read| read.bytes.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_takes_as_long_as_it_gets_on_and_two_minutes_at_most() {
        let budget = Budget::new(1 << 20);
        assert_eq!(read(&budget, vec![(1, 8_000); 12]).await, Ok(96_000));
        assert_eq!(read(&budget, vec![(9, 1); 13]).await, Ok(13));
        assert_eq!(read(&budget, vec![(9, 1); 14]).await, Err(BodyError::TooSlow));
        assert_eq!(read(&budget, vec![(0, 1), (11, 1)]).await, Err(BodyError::TooSlow));
        assert_eq!(read(&budget, vec![(0, 60_000), (0, 60_000)]).await, Err(BodyError::TooLarge));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_counts_with_what_has_come_of_it_until_it_is_dropped() {
        let budget = Budget::new(150_000);
        let one = reader(&budget).read(&mut slow(vec![(0, 80_000)]), || ()).await.unwrap_or_else(|_| panic!("there is room"));
        assert_eq!(budget.used(), 80_000);
        assert_eq!(read(&budget, vec![(0, 80_000)]).await, Err(BodyError::NoMemory));
        assert_eq!(read(&budget, vec![(0, 10)]).await, Ok(10));
        drop(one);
        assert_eq!(budget.used(), 0);
        assert_eq!(read(&budget, vec![(0, 80_000)]).await, Ok(80_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_largest_of_those_who_hang_is_given_up_when_memory_runs_out() {
        let budget = Budget::new(100_000);
        let hanging = |len| {
            let budget = budget.clone();
            tokio::spawn(async move { read(&budget, vec![(0, len), (9, 1), (9, 1)]).await })
        };
        let (large, small) = (hanging(60_000), hanging(20_000));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(budget.used(), 80_000);
        assert_eq!(read(&budget, vec![(0, 30_000)]).await, Err(BodyError::NoMemory));
        assert_eq!(large.await.unwrap(), Err(BodyError::NoMemory));
        assert_eq!(small.await.unwrap(), Ok(20_002));
    }
}
