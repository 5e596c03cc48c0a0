//! A file on its way to a client: read piece by piece, as fast as the client takes it. So a client that reads slowly holds one piece,
//! which counts as what waits for its connection, and nobody else waits for it.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::core::error::chain;
use crate::telemetry::once_a_minute;

/// Bytes that are read at once.
const PIECE: u64 = 128 << 10;
/// For one piece.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pieces that are read at the same moment: each occupies a thread.
const AT_ONCE: usize = 32;

/// Why a piece did not come. The connection is cut then: its client has been told how long the file is.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Store(#[from] object_store::Error),
    #[error("no piece in time")]
    TimedOut,
    #[error("the file has become shorter")]
    Short,
}

/// What all files that are sent share.
#[derive(Clone)]
pub struct Files {
    pub store: Arc<dyn ObjectStore>,
    turns: Arc<Semaphore>,
}

impl Files {
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// A part of a file.
    pub fn part(&self, path: Path, part: Range<u64>) -> Piecewise {
        Piecewise { files: self.clone(), path, rest: part, reading: None }
    }

    async fn piece(self, path: Path, piece: Range<u64>) -> Result<Bytes, Broken> {
        let length = piece.end - piece.start;
        let read = async {
            let _turn = self.turns.acquire().await;
            self.store.get_range(&path, piece).await
        };
        let bytes = timeout(DEADLINE, read).await.map_err(|_| Broken::TimedOut)??;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(Broken::Short) }
    }
}

/// See the module.
pub struct Piecewise {
    files: Files,
    path: Path,
    rest: Range<u64>,
    reading: Option<BoxFuture<'static, Result<Bytes, Broken>>>,
}

impl Body for Piecewise {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Self { files, path, rest, reading } = &mut *self;
        if rest.is_empty() {
            return Poll::Ready(None);
        }
        let end = rest.end.min(rest.start + PIECE);
        let piece = reading.get_or_insert_with(|| Box::pin(files.clone().piece(path.clone(), rest.start..end)));
        let bytes = ready!(piece.as_mut().poll(cx));
        *reading = None;
        *rest = if bytes.is_ok() { end..rest.end } else { 0..0 };
        if let Err(error) = &bytes {
            once_a_minute!(warn, "audio cannot be read", error = chain(error));
        }
        Poll::Ready(Some(bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.end - self.rest.start)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use object_store::memory::InMemory;

    use super::*;

    async fn files(bytes: Vec<u8>) -> Files {
        let store = InMemory::new();
        store.put(&Path::from("a"), bytes.into()).await.unwrap();
        Files::new(Arc::new(store))
    }

    #[tokio::test]
    async fn a_part_comes_whole_in_pieces_and_says_how_long_it_is() {
        let whole: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        let files = files(whole.clone()).await;
        for part in [0..300_000, 7..8, 131_072..262_144, 131_071..262_145, 299_999..300_000, 5..5] {
            let mut body = files.part(Path::from("a"), part.clone());
            assert_eq!(body.size_hint().exact(), Some(part.end - part.start));
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                let piece = frame.unwrap().into_data().unwrap();
                assert!(piece.len() as u64 <= PIECE);
                bytes.extend(piece);
            }
            assert_eq!(bytes, whole[part.start as usize..part.end as usize]);
            assert!(body.is_end_stream());
        }
    }

    #[tokio::test]
    async fn a_file_that_has_become_shorter_breaks_off() {
        let files = files(vec![1; 100]).await;
        assert!(files.part(Path::from("a"), 50..101).collect().await.is_err());
        assert!(files.part(Path::from("b"), 0..1).collect().await.is_err());
    }
}
