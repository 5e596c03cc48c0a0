//! What the feature keeps with each of its sockets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use crate::features::sos::auth::{Claims, Role};
use crate::features::sos::scripts::{Actor, Source};
use crate::socketio::Socket;

use crate::core::sync::lock;
use crate::rooms::coalesce::LastWindow;
use crate::rooms::expiry::ExpiryTimer;

/// A connected client: who it is, and where it is a member.
pub struct Caller {
    claims: ArcSwap<Claims>,
    /// The token has expired. Only the SOSs that it names are open, and only until each is final.
    grace: AtomicBool,
    gone: AtomicBool,
    /// The SOSs that it is a member of, with the role that counts there.
    rooms: Mutex<BTreeMap<Box<str>, Role>>,
    watching: AtomicBool,
    /// When `lastSeen` was written (ms by this node's clock).
    touched: AtomicU64,
    /// The timer of its token's end.
    pub expiry: ExpiryTimer,
    /// The window of its last broadcast location.
    pub window: LastWindow,
}

impl Caller {
    pub fn new(claims: Claims, grace: bool) -> Self {
        Self {
            claims: ArcSwap::from_pointee(claims),
            grace: AtomicBool::new(grace),
            gone: AtomicBool::new(false),
            rooms: Mutex::default(),
            watching: AtomicBool::new(false),
            touched: AtomicU64::new(0),
            expiry: ExpiryTimer::default(),
            window: LastWindow::default(),
        }
    }

    pub fn claims(&self) -> Arc<Claims> {
        self.claims.load_full()
    }

    /// Takes a new token. Its rights replace the old ones, and the grace is over.
    pub fn renew(&self, claims: Claims) {
        self.claims.store(Arc::new(claims));
        self.grace.store(false, Ordering::Release);
    }

    pub fn in_grace(&self) -> bool {
        self.grace.load(Ordering::Acquire)
    }

    pub fn begin_grace(&self) {
        self.grace.store(true, Ordering::Release);
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Notes that the socket has ended, and stops its timer.
    pub fn end(&self) {
        self.gone.store(true, Ordering::Release);
        self.expiry.end();
    }

    /// Notes that it is a member, with this role. For a role that this version does not know the token's role is noted.
    pub fn entered(&self, sos: &str, role: &str) {
        let role = role.parse().unwrap_or_else(|()| self.claims.load().role);
        lock(&self.rooms).insert(sos.into(), role);
    }

    /// The role that counts in an SOS that it is a member of.
    pub fn role_in(&self, sos: &str) -> Option<Role> {
        lock(&self.rooms).get(sos).copied()
    }

    /// True if it was a member.
    pub fn left(&self, sos: &str) -> bool {
        lock(&self.rooms).remove(sos).is_some()
    }

    pub fn rooms(&self) -> Vec<Box<str>> {
        lock(&self.rooms).keys().cloned().collect()
    }

    /// Sets whether it watches every SOS; returns whether it did.
    pub fn watch(&self, watching: bool) -> bool {
        self.watching.swap(watching, Ordering::AcqRel)
    }

    pub fn is_watching(&self) -> bool {
        self.watching.load(Ordering::Acquire)
    }

    /// How many SOSs it is a member of.
    pub fn room_count(&self) -> usize {
        lock(&self.rooms).len()
    }

    /// Whether `lastSeen` is older than `every_ms`; if so it counts as written now.
    pub fn touch(&self, now_ms: u64, every_ms: u64) -> bool {
        let touched = self.touched.load(Ordering::Acquire);
        let due = now_ms.saturating_sub(touched) >= every_ms;
        due && self.touched.compare_exchange(touched, now_ms, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// The caller behind a socket of this feature's namespace.
pub fn caller(socket: &Socket) -> Option<&Caller> {
    socket.data()
}

/// The user of a token, as the scripts know it.
pub fn actor<'a>(claims: &'a Claims, sos: &str, sid: &'a str) -> Actor<'a> {
    Actor { user: &claims.user_id, role: claims.role.as_str(), named: claims.names(sos), sid, source: Source::Socket }
}
