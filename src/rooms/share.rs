//! Reads that many want at the same time, such as the state of a large room for all who join together. A caller gets a
//! result that was read after it asked, and shares it with all who asked before that read began. So a crowd that comes
//! together costs a few reads, not one for each.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::core::sync::lock;

/// After a read that took so long the next one waits this many times as long: at most a fifth of the time is spent on reads.
const REST: u32 = 4;

/// The read that a caller waited for has ended without a result: it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadEnded;

type Waiting<T, E> = Vec<oneshot::Sender<Result<T, E>>>;

/// Reads by key, one at a time for each.
pub struct Shared<K, T, E>(Mutex<HashMap<K, Waiting<T, E>>>);

impl<K, T, E> Default for Shared<K, T, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, T, E> Shared<K, T, E>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Clone + Send + 'static,
    E: Clone + From<ReadEnded> + Send + 'static,
{
    /// The result of the next read. The first caller starts it at once; the read after it starts no sooner than `pause` later.
    pub async fn get<R, F>(self: &Arc<Self>, key: K, pause: Duration, read: R) -> Result<T, E>
    where
        R: Fn() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let is_first = {
            let mut waiting = lock(&self.0);
            let known = waiting.get_mut(&key);
            let is_first = known.is_none();
            match known {
                Some(waiting) => waiting.push(sender),
                None => drop(waiting.insert(key.clone(), vec![sender])),
            }
            is_first
        };
        if is_first {
            tokio::spawn(Turn { shared: self.clone(), key, ended: false }.serve(pause, read));
        }
        receiver.await.unwrap_or(Err(ReadEnded.into()))
    }
}

/// The task that reads for all. It takes the key with it when it ends, also if a read panics; who waits then is told so.
struct Turn<K: Eq + Hash, T, E> {
    shared: Arc<Shared<K, T, E>>,
    key: K,
    ended: bool,
}

impl<K: Eq + Hash, T: Clone, E: Clone> Turn<K, T, E> {
    async fn serve<R, F>(mut self, pause: Duration, read: R)
    where
        R: Fn() -> F,
        F: Future<Output = Result<T, E>>,
    {
        while let Some(waiting) = self.waiting() {
            let begun = Instant::now();
            let result = read().await;
            for sender in waiting {
                let _ = sender.send(result.clone());
            }
            tokio::time::sleep(pause.max(begun.elapsed() * REST)).await;
        }
    }

    /// Those who wait now. `None` if there are none: the turn is over.
    fn waiting(&mut self) -> Option<Waiting<T, E>> {
        let mut all = lock(&self.shared.0);
        let waiting = all.get_mut(&self.key)?;
        waiting.retain(|sender| !sender.is_closed());
        if waiting.is_empty() {
            all.remove(&self.key);
            self.ended = true;
            return None;
        }
        Some(std::mem::take(waiting))
    }
}

impl<K: Eq + Hash, T, E> Drop for Turn<K, T, E> {
    fn drop(&mut self) {
        // After its end the key belongs to another turn.
        if !self.ended {
            lock(&self.shared.0).remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::sync::Semaphore;

    use super::*;

    const NO_PAUSE: Duration = Duration::ZERO;

    /// Reads that wait for leave, and number themselves as they begin.
    #[derive(Clone, Default)]
    struct Reads {
        begun: Arc<AtomicUsize>,
        leave: Arc<Leave>,
    }

    struct Leave(Semaphore);

    impl Default for Leave {
        fn default() -> Self {
            Self(Semaphore::new(0))
        }
    }

    impl Reads {
        fn read(&self) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = Result<usize, ReadEnded>> + Send>> + Send + 'static {
            let reads = self.clone();
            move || {
                let reads = reads.clone();
                Box::pin(async move {
                    let number = reads.begun.fetch_add(1, SeqCst) + 1;
                    reads.leave.0.acquire().await.expect("open").forget();
                    Ok(number)
                })
            }
        }

        async fn wait_for(&self, begun: usize) {
            while self.begun.load(SeqCst) < begun {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_during_a_read_shares_the_next_one() {
        let (shared, reads) = (Arc::new(Shared::default()), Reads::default());
        let ask = |key| {
            let (shared, read) = (shared.clone(), reads.read());
            tokio::spawn(async move { shared.get(key, NO_PAUSE, read).await })
        };
        let first = ask("a");
        reads.wait_for(1).await;
        let later: Vec<_> = (0..100).map(|_| ask("a")).collect();
        let elsewhere = ask("b");
        reads.wait_for(2).await;
        reads.leave.0.add_permits(3);
        assert_eq!(first.await.unwrap(), Ok(1));
        assert_eq!(elsewhere.await.unwrap(), Ok(2));
        for one in later {
            assert_eq!(one.await.unwrap(), Ok(3));
        }
        assert_eq!(reads.begun.load(SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_read_the_next_one_waits_and_then_nothing_is_left() {
        let (shared, reads) = (Arc::new(Shared::default()), Reads::default());
        reads.leave.0.add_permits(10);
        let pause = Duration::from_millis(250);
        let started = tokio::time::Instant::now();
        assert_eq!(shared.get("a", pause, reads.read()).await, Ok(1));
        assert!(started.elapsed() < pause);
        assert_eq!(shared.get("a", pause, reads.read()).await, Ok(2));
        assert!(started.elapsed() >= pause);
        tokio::time::sleep(2 * pause).await;
        assert!(lock(&shared.0).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_panics_is_told_to_those_who_wait_and_to_nobody_later() {
        let (shared, reads) = (Arc::new(Shared::default()), Reads::default());
        let panics = || -> std::future::Ready<Result<usize, ReadEnded>> { panic!("as asked") };
        assert_eq!(shared.get("a", NO_PAUSE, panics).await, Err(ReadEnded));
        reads.leave.0.add_permits(1);
        assert_eq!(shared.get("a", NO_PAUSE, reads.read()).await, Ok(1));
    }
}
