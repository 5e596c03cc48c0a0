//! The memory that clients may use in this process: incomplete request heads, bodies, frames and packets, and the outboxes of
//! clients that do not read.
//!
//! ```text
//! Budget ◄── Hold: what one holder uses now, and how it is closed
//!    full: new clients get 503      over: the largest holders of the subscriber that uses most are closed, until an eighth is
//! free
//! ```
//!
//! Each connection has limits of its own; this limits all of them together.

use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;

use crate::core::sync::lock;
use crate::telemetry::due;

use super::subscriber;

/// How long closed holders may take to free their memory before others are closed.
const LET_GO: Duration = Duration::from_millis(50);
/// A subscriber that uses less than this part of the budget is never closed.
const OFFENCE: usize = 64;

/// See the module. One for a process.
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    holders: Mutex<HashMap<usize, Weak<Holder>>>,
    /// The largest request that was refused since holders were last closed.
    wanted: AtomicUsize,
    is_closing: AtomicBool,
}

/// There is no room for what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Default for Budget {
    /// Without a limit.
    fn default() -> Self {
        Self::with_limit(usize::MAX)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {})", self.used(), self.limit)
    }
}

impl Budget {
    /// `limit` in bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self::with_limit(limit))
    }

    fn with_limit(limit: usize) -> Self {
        let (used, wanted) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { limit, used, holders: Mutex::default(), wanted, is_closing: AtomicBool::new(false) }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that are used now.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// Whether a new client may connect. If not, room is made for later ones.
    pub fn has_room(self: &Arc<Self>) -> bool {
        let has_room = self.used() < self.limit;
        if !has_room {
            self.make_room();
        }
        has_room
    }

    /// Whether even connected clients get no more memory, because closing does not free enough.
    pub fn is_overrun(&self) -> bool {
        self.used() > self.limit.saturating_add(self.limit / 16)
    }

    /// Counts memory that is limited otherwise and cannot be freed by closing, such as that of a session.
    pub fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
    }

    /// Releases what [`Budget::take`] has counted.
    pub fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// A new holder, which uses nothing yet. `close` makes it free its memory, soon but not at once; `what` names it in the
    /// log. A holder without an owner, such as behind a shared proxy, is counted but never closed.
    pub fn hold(self: &Arc<Self>, what: &'static str, owner: Option<IpAddr>, close: impl Fn() + Send + Sync + 'static) -> Hold {
        let holder = Arc::new(Holder {
            budget: self.clone(),
            what,
            owner,
            bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            close: Box::new(close),
        });
        lock(&self.holders).insert(Arc::as_ptr(&holder) as usize, Arc::downgrade(&holder));
        Hold(holder)
    }

    fn make_room(self: &Arc<Self>) {
        if !self.is_closing.swap(true, Relaxed) {
            match tokio::runtime::Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(self.clone().close_offenders())),
                Err(_) => self.is_closing.store(false, Relaxed),
            }
        }
    }

    async fn close_offenders(self: Arc<Self>) {
        loop {
            let offenders = self.offenders();
            if let Some(times) = due("memory budget") {
                let (used, limit, closed) = (self.used(), self.limit, offenders.len());
                let largest = offenders.first().map(|holder| {
                    let owner = holder.owner.map(|owner| owner.to_string()).unwrap_or_default();
                    format!("{} of {owner}, {} bytes", holder.what, holder.bytes.load(Relaxed))
                });
                let text = "MEMORY_BUDGET_BYTES is used up: the largest holders are closed, newcomers are refused";
                tracing::warn!(times, used, limit, closed, largest, "{text}");
            }
            for offender in offenders {
                offender.is_closed.store(true, Relaxed);
                (offender.close)();
            }
            tokio::time::sleep(LET_GO).await;
            if self.used() <= self.limit {
                break;
            }
        }
        self.is_closing.store(false, Relaxed);
        if self.used() > self.limit {
            self.make_room();
        }
    }

    /// Which holders to close so that an eighth of the budget is free: the largest of the subscriber that uses most, and so on.
    fn offenders(&self) -> Vec<Arc<Holder>> {
        let holders: Vec<_> = lock(&self.holders).values().filter_map(Weak::upgrade).collect();
        let needed = self.used().saturating_add(self.wanted.swap(0, Relaxed));
        let mut excess = needed.saturating_sub(self.limit - self.limit / 8);
        let mut by_owner = HashMap::<IpAddr, (usize, Vec<(usize, Arc<Holder>)>)>::new();
        for holder in holders {
            let bytes = holder.bytes.load(Relaxed);
            if holder.is_closed.load(Relaxed) {
                excess = excess.saturating_sub(bytes);
            } else if let Some(owner) = holder.owner
                && bytes > 0
            {
                let (all, of_owner) = by_owner.entry(subscriber(owner)).or_default();
                *all += bytes;
                of_owner.push((bytes, holder));
            }
        }
        let mut owners: BinaryHeap<_> = by_owner.iter().map(|(owner, (all, _))| (*all, *owner)).collect();
        for (_, of_owner) in by_owner.values_mut() {
            of_owner.sort_unstable_by_key(|(bytes, _)| *bytes);
        }
        let mut offenders = Vec::new();
        while excess > 0
            && let Some((all, owner)) = owners.pop()
            && all >= self.limit / OFFENCE
        {
            let largest = by_owner.get_mut(&owner).and_then(|(_, of_owner)| of_owner.pop());
            let Some((bytes, holder)) = largest else { continue };
            excess = excess.saturating_sub(bytes);
            owners.push((all.saturating_sub(bytes), owner));
            offenders.push(holder);
        }
        offenders
    }
}

struct Holder {
    budget: Arc<Budget>,
    what: &'static str,
    owner: Option<IpAddr>,
    bytes: AtomicUsize,
    is_closed: AtomicBool,
    close: Box<dyn Fn() + Send + Sync>,
}

/// What one holder uses of the budget, released when dropped.
pub struct Hold(Arc<Holder>);

impl Hold {
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    /// Sets what it uses. This is never refused, but may close holders, even this one.
    pub fn set(&self, bytes: usize) {
        let Holder { budget, bytes: held, .. } = &*self.0;
        let before = held.swap(bytes, Relaxed);
        if bytes > before {
            budget.used.fetch_add(bytes - before, Relaxed);
            if budget.used() > budget.limit {
                budget.make_room();
            }
        } else if bytes < before {
            budget.used.fetch_sub(before - bytes, Relaxed);
        }
    }

    /// Counts these bytes until the last slice of them is dropped.
    pub fn over(self, bytes: Bytes) -> Bytes {
        self.set(bytes.len());
        Bytes::from_owner(Held { bytes, _hold: self })
    }

    /// Adds so much.
    ///
    /// # Errors
    /// [`Full`] if that would exceed the budget; nothing is added then, and the largest holders are closed.
    pub fn grow(&self, by: usize) -> Result<(), Full> {
        let Holder { budget, bytes, .. } = &*self.0;
        let before = budget.used.fetch_add(by, Relaxed);
        if before.saturating_add(by) > budget.limit {
            budget.used.fetch_sub(by, Relaxed);
            budget.wanted.fetch_max(by, Relaxed);
            budget.make_room();
            return Err(Full);
        }
        bytes.fetch_add(by, Relaxed);
        Ok(())
    }
}

struct Held {
    bytes: Bytes,
    _hold: Hold,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let budget = &self.0.budget;
        lock(&budget.holders).remove(&(Arc::as_ptr(&self.0) as usize));
        budget.used.fetch_sub(self.0.bytes.load(Relaxed), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    struct Stranger {
        hold: Arc<Mutex<Option<Hold>>>,
    }

    impl Stranger {
        /// Lets go as soon as it is closed.
        fn new(budget: &Arc<Budget>, owner: [u8; 4], bytes: usize) -> Self {
            let hold = Arc::<Mutex<Option<Hold>>>::default();
            let own = hold.clone();
            *lock(&hold) = Some(budget.hold("test", Some(owner.into()), move || drop(lock(&own).take())));
            lock(&hold).as_ref().unwrap().set(bytes);
            Self { hold }
        }

        fn is_closed(&self) -> bool {
            lock(&self.hold).is_none()
        }
    }

    #[test]
    fn what_is_held_is_counted_until_it_is_let_go() {
        let budget = Budget::new(100);
        let hold = budget.hold("test", None, || ());
        hold.set(70);
        hold.set(60);
        assert_eq!(hold.grow(40), Ok(()));
        assert!(!budget.has_room());
        assert_eq!(hold.grow(1), Err(Full));
        assert_eq!((hold.bytes(), budget.used()), (100, 100));
        drop(hold);
        assert_eq!(budget.used(), 0);
        assert!(lock(&budget.holders).is_empty());
    }

    #[test]
    fn bytes_count_until_the_last_slice_of_them_is_gone() {
        let budget = Budget::new(100);
        let bytes = budget.hold("test", None, || ()).over(Bytes::from_static(b"0123456789"));
        let slice = bytes.slice(3..5);
        drop(bytes);
        assert_eq!((&slice[..], budget.used()), (&b"34"[..], 10));
        drop(slice);
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_budget_the_largest_of_who_holds_most_is_closed_and_nobody_else() {
        let budget = Budget::new(MIB);
        let honest = Stranger::new(&budget, [1, 1, 1, 1], MIB / 4);
        let small: Vec<_> = (0..9).map(|_| Stranger::new(&budget, [2, 2, 2, 2], MIB / 16)).collect();
        let large = Stranger::new(&budget, [2, 2, 2, 2], MIB / 4);
        tokio::time::sleep(LET_GO).await;
        assert!(large.is_closed() && !honest.is_closed());
        assert!(small.iter().all(|stranger| !stranger.is_closed()));
        assert!(budget.has_room());
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_next_to_nothing_is_no_offender() {
        let budget = Budget::new(MIB);
        budget.take(MIB);
        let honest: Vec<_> = (0..100).map(|host| Stranger::new(&budget, [1, 1, 1, host], 1_000)).collect();
        tokio::time::sleep(4 * LET_GO).await;
        assert!(honest.iter().all(|stranger| !stranger.is_closed()));
        assert!(!budget.has_room());
        budget.give_back(MIB);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_no_owner_counts_and_is_never_closed() {
        let budget = Budget::new(MIB);
        let shared = budget.hold("test", None, || panic!("it is closed"));
        shared.set(MIB / 2);
        let stranger = Stranger::new(&budget, [2, 2, 2, 2], MIB);
        tokio::time::sleep(2 * LET_GO).await;
        assert!(stranger.is_closed() && budget.has_room());
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_closed_as_it_takes_to_make_room() {
        let budget = Budget::new(MIB);
        let strangers: Vec<_> = (0..64).map(|_| Stranger::new(&budget, [2, 2, 2, 2], MIB / 32)).collect();
        tokio::time::sleep(2 * LET_GO).await;
        let closed = strangers.iter().filter(|stranger| stranger.is_closed()).count();
        assert_eq!((closed, budget.used()), (36, MIB - MIB / 8));
    }
}
