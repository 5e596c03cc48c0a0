//! Interview sessions (contract § 5): who may start one, what a start makes and takes back, and how one ends.
//!
//! ```text
//!  read ─► reserve ─► room, agent ─► one transaction: judge, insert, sign ─► COMMIT ─► confirm ─► answer
//!    │        │            │                        │                          │
//!    no       no           └────── undo: room, slot ┘                          └─ from here on nothing is undone
//! ```
//!
//! Redis is the fast gate and may be wrong; PostgreSQL judges. What a crash leaves behind at any point is found by the sweep
//! of some node ([`sweep`]). Only `end` and time end a session: a webhook never does.

mod check;
mod cleanup;
mod demo;
mod eligibility;
pub mod error;
pub mod feature;
pub mod holder;
mod jobs;
pub mod keys;
mod metrics;
mod names;
mod read;
mod readiness;
mod rebuild;
mod rooms;
pub mod routes;
mod rules;
pub mod scripts;
pub mod settings;
mod start;
pub mod store;
mod sweep;
mod token;
mod undo;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::error::BookingError;
use self::names::Names;
use self::readiness::Readiness;
use self::rebuild::Rebuilding;
use self::settings::Rules;
use self::store::BookingStore;
use crate::core::error::chain;
use crate::livekit::LiveKit;
use crate::redis::Redis;
use crate::store::{Store, StoreError};
use crate::telemetry::once_a_minute;

pub use eligibility::Eligibility;
pub use names::may_be_id;
pub use start::Started;
pub use token::Pass;

/// Starts that are under way on this node at once; more wait their turn.
const STARTS_AT_ONCE: usize = 64;
/// How long an answer waits for what is done after the decision: the slot, the room. After that the answer goes out first.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long starts that are under way may take when the node stops. The sweep of another node takes care of the rest.
const LAST_STARTS: Duration = Duration::from_secs(10);

/// What the feature stands on.
pub struct Parts {
    pub store: Store,
    /// `None`: no session starts, and no token is given out.
    pub livekit: Option<LiveKit>,
    pub redis: Redis,
    pub rules: Rules,
}

/// Interview sessions: what users and services may do with them. A node keeps none of them in memory.
pub struct Bookings {
    store: BookingStore,
    livekit: Option<LiveKit>,
    redis: Redis,
    rules: Rules,
    names: Names,
    readiness: Readiness,
    rebuilding: Rebuilding,
    starts: Arc<Semaphore>,
    /// Starts under way, and other work that outlives its request.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Bookings {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, livekit, redis, rules } = parts;
        Arc::new(Self {
            names: Names::new(&rules),
            store: BookingStore::new(store),
            livekit,
            redis,
            rules,
            readiness: Readiness::default(),
            rebuilding: Rebuilding::default(),
            starts: Arc::new(Semaphore::new(STARTS_AT_ONCE)),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })
    }

    pub fn has_livekit(&self) -> bool {
        self.livekit.is_some()
    }

    /// Whether this node's limits are those of all nodes: those of the row in PostgreSQL.
    pub fn limits_agree(&self) -> bool {
        self.readiness.limits_agree()
    }

    /// Starts nothing more, and waits for the starts that are under way, though not for ever.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.starts.close();
        self.tasks.close();
        if tokio::time::timeout(LAST_STARTS, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "interview sessions: left to the sweep of another node");
        }
    }

    /// Does something that outlives the request, and waits for it for a moment.
    async fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        let _ = tokio::time::timeout(AFTERMATH, task).await;
    }
}

impl From<StoreError> for BookingError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::CommitUnknown(_) => {
                once_a_minute!(warn, "interview sessions: PostgreSQL is away", error = chain(&error));
                Self::Unavailable
            }
            StoreError::Rejected(rejection, _) => {
                once_a_minute!(warn, "interview sessions: PostgreSQL does not take a value", error = chain(&error));
                Self::Rejected(rejection)
            }
            StoreError::Internal(_) => {
                once_a_minute!(error, "interview sessions: PostgreSQL refused", error = chain(&error));
                Self::Internal
            }
        }
    }
}

/// ms, as Redis wants them.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
