//! Events of which only the newest counts: at most one in a window goes out, and the newest that came meanwhile goes out when the
//! window ends. What waits is kept in Redis; a node only holds a timer, which reminds it. Should the node die, the next write
//! or another node's sweep sends what waits.

use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::pending::{Pending, until_done};
use super::scripts::{Told, told};
use crate::cluster::scripts::Op;
use crate::cluster::scripts::scope::head as scope_head;
use crate::core::ScopeId;
use crate::core::sync::lock;
use crate::protocol::event::Args;
use crate::redis::keys;
use crate::redis::script::{BadReply, Eval, Reply, script};

/// Timers that end windows: one for each key on this node.
pub struct Windows<K> {
    open: Arc<Pending<K>>,
    /// The first and the longest wait before an end that failed is tried again, and how often it is tried.
    retry: (Duration, Duration),
    tries: u32,
}

impl<K: Eq + Hash + Clone + Send + Sync + 'static> Windows<K> {
    pub fn new(tries: u32, retry: (Duration, Duration)) -> Self {
        Self { open: Arc::default(), retry, tries }
    }

    /// Keys whose window will be ended by this node.
    pub fn keys(&self) -> Vec<K> {
        self.open.keys()
    }

    /// Calls `end` after `wait`, unless a timer is set for this key. `end` says whether it has done its work; before each call
    /// the key is free, so that what comes meanwhile sets a new timer. What fails to the last is left to others.
    pub fn end_in<F, R>(&self, key: K, wait: Duration, end: F)
    where
        F: Fn(K) -> R + Send + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        if !self.open.add(key.clone()) {
            return;
        }
        let (open, tries, retry) = (self.open.clone(), self.tries, self.retry);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let end = move || {
                open.take(&key);
                end(key.clone())
            };
            until_done(tries, retry, end).await;
        });
    }
}

/// The window of the last event that a connection sent, as far as its node knows: whose it is, and when it ends.
#[derive(Default)]
pub struct LastWindow(Mutex<Option<(Box<str>, Instant)>>);

impl LastWindow {
    /// An event was sent for `scope`; the next one may be sent at `end`, not earlier by Redis' clock.
    pub fn until(&self, scope: &str, end: Instant) {
        match &mut *lock(&self.0) {
            Some((known, at)) if **known == *scope => *at = end,
            window => *window = Some((scope.into(), end)),
        }
    }

    /// How much is left of the window, if one is open. (To sleep for no time at all would cost a round of the timer.)
    pub fn left(&self, scope: &str) -> Option<Duration> {
        let window = lock(&self.0);
        let (_, end) = window.as_ref().filter(|(known, _)| **known == *scope)?;
        end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// An event of which only the newest counts.
#[derive(Clone, Copy, Debug)]
pub struct Newest<'a> {
    /// Whose window it is; clients get at most the newest event of a key. No spaces.
    pub key: &'a str,
    /// At most one in so long.
    pub window: Duration,
    /// A socket that does not get it.
    pub except: Option<&'a str>,
    /// The array of arguments.
    pub args: &'a Args,
}

/// What became of an event, or of one that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coalesced {
    Sent(Told),
    /// It waits, or another one does: to be sent by [`volatile_flush`] so much later.
    Waits(Duration),
    /// Nothing waits.
    Nothing,
}

/// Sends an event (volatile) to a room, at once or when its window ends. What waits is kept in `hash`, a key in the scope's slot.
pub async fn volatile_send<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    hash: &str,
    op: Op<'_>,
    newest: Newest<'_>,
) -> Result<Coalesced, E::Error> {
    let args = scope_head(op, scope).text(newest.key).int(newest.window.as_millis() as u64);
    let args = args.text("*").text(newest.except.unwrap_or("-")).bytes(newest.args.json.clone()).done();
    let at = vec![keys::scope_meta(scope), hash.to_owned()];
    coalesced(Reply::new(SEND.name, redis.eval(&SEND, at, args).await?)?).map_err(Into::into)
}

/// Sends what waits for a key, if its window is over. The first node that comes sends it.
pub async fn volatile_flush<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    hash: &str,
    op: Op<'_>,
    key: &str,
    window: Duration,
) -> Result<Coalesced, E::Error> {
    let args = scope_head(op, scope).text(key).int(window.as_millis() as u64).done();
    let at = vec![keys::scope_meta(scope), hash.to_owned()];
    coalesced(Reply::new(FLUSH.name, redis.eval(&FLUSH, at, args).await?)?).map_err(Into::into)
}

fn coalesced(mut reply: Reply) -> Result<Coalesced, BadReply> {
    let (outcome, told) = told(&mut reply)?;
    let left = reply.wait()?;
    Ok(match (outcome.as_str(), left) {
        ("ok", _) => Coalesced::Sent(told),
        (_, Some(left)) => Coalesced::Waits(left),
        _ => Coalesced::Nothing,
    })
}

script!(SEND = "rooms" / "volatile_send", "scope/lib/scope");
script!(FLUSH = "rooms" / "volatile_flush", "scope/lib/scope");

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_window_ends_once_and_a_failed_end_is_tried_again_so_often() {
        let windows = Windows::new(3, (SECOND, 2 * SECOND));
        let (calls, begun) = (Arc::new(AtomicU32::new(0)), tokio::time::Instant::now());
        let end = |done_at: u32| {
            let calls = calls.clone();
            move |_key| {
                let call = calls.fetch_add(1, SeqCst) + 1;
                std::future::ready(call >= done_at)
            }
        };
        windows.end_in("a", 5 * SECOND, end(2));
        windows.end_in("a", SECOND, end(1));
        assert_eq!(windows.keys(), ["a"]);
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!((calls.load(SeqCst), begun.elapsed()), (2, 20 * SECOND), "the second timer was not set");
        windows.end_in("a", SECOND, end(100));
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!(calls.load(SeqCst), 5, "three tries more");
        assert!(windows.keys().is_empty());
    }

    #[test]
    fn only_the_last_scopes_window_is_known() {
        let window = LastWindow::default();
        window.until("a", Instant::now() + SECOND);
        assert!(window.left("a").is_some() && window.left("b").is_none());
        window.until("b", Instant::now());
        assert!(window.left("a").is_none() && window.left("b").is_none());
    }
}
