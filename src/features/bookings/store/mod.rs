//! What the feature keeps in PostgreSQL: `public.interview_sessions`, the few columns of `public.users` that are ours to read, and
//! the limits. Each statement stands here with its types; only the transaction of a start judges.
//!
//! Locks are taken in this order, so that no two transactions wait for each other: advisory locks (migration, capacity, a
//! user's), then rows of `public.interview_sessions`, then rows of `public.users`, by id.

mod limits;
mod sessions;
mod start;
mod users;

use uuid::Uuid;

pub use self::limits::{Limits, PrepareError, Written, write_limits};
pub use self::sessions::{Active, Booking, EndReason, Ended, Standing, Status};
use self::sessions::{COMPLETE_ALL_EXPIRED, COMPLETE_EXPIRED_OF, one, session_columns};
pub use self::start::{NewBooking, Verdict};
pub use self::users::User;
use crate::store::{Store, locks};

/// Held by a start from its judgement to its commit: the sessions that were counted are all that there are.
const CAPACITY: (i32, i32) = locks::feature(2);

/// The rows of bookings. Cheap to clone.
#[derive(Clone)]
pub struct BookingStore {
    postgres: Store,
}

impl BookingStore {
    pub fn new(postgres: Store) -> Self {
        Self { postgres }
    }

    pub fn postgres(&self) -> &Store {
        &self.postgres
    }
}

/// The lock of a user's starts. Two users may share one, and then wait for each other; no harm is done.
fn user_lock(id: Uuid) -> i64 {
    let (high, low) = id.as_u64_pair();
    (high ^ low).cast_signed()
}
