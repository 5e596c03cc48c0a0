//! The first step of a start that others can see: it reserves a slot under a new id.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Instant, timeout_at};

use super::Start;
use crate::features::bookings::error::{BookingError, StartRefusal};
use crate::features::bookings::scripts::{Reserved, SlotLimits, slot_reserve};
use crate::features::bookings::{ms, rebuild};
use crate::redis::RedisError;
use crate::telemetry::due;

/// A reserved slot, and what belongs to it.
pub(in crate::features::bookings) struct Slot {
    pub id: String,
    pub room: String,
    /// The user, as it is written in Redis.
    pub user: String,
    /// When the reservation ends, by Redis' clock (ms since 1970). By this a start knows its own reservation from another's.
    pub until_ms: u64,
    /// The same by our own clock; not later than by Redis' clock.
    pub lease_ends: Instant,
    /// For LiveKit and PostgreSQL together.
    pub deadline: Instant,
    /// LiveKit was asked to make the room, whatever it answered.
    room_asked: AtomicBool,
}

impl Slot {
    /// LiveKit is asked to make the room now.
    pub fn ask_for_room(&self) {
        self.room_asked.store(true, Ordering::Relaxed);
    }

    pub fn has_room(&self) -> bool {
        self.room_asked.load(Ordering::Relaxed)
    }
}

impl Start {
    /// A slot under an id that is free in PostgreSQL and in Redis. `None`: no such id was found.
    pub(super) async fn reserve(&self) -> Result<Option<Slot>, StartRefusal> {
        let (bookings, user) = (&self.bookings, self.user.to_string());
        let rules = &bookings.rules;
        let limits = SlotLimits { all: rules.max_concurrent, per_user: rules.max_per_user };
        let cold_until = Instant::now() + rebuild::PATIENCE;
        let mut ids = 0;
        let mut id = bookings.names.draw();
        while ids < rules.id_retries {
            let room = bookings.names.room(&id);
            if !bookings.store.id_is_free(&id, &room).await.map_err(BookingError::from)? {
                ids += 1;
                id = bookings.names.draw();
                continue;
            }
            let asked = Instant::now();
            let reserved = slot_reserve(&bookings.redis, &id, &user, limits, ms(rules.start_lease)).await;
            match reserved.map_err(|error| away("no slot can be reserved", &error))? {
                Reserved::Ok { until_ms } => {
                    return Ok(Some(Slot {
                        id,
                        room,
                        user,
                        until_ms,
                        lease_ends: asked + rules.start_lease,
                        deadline: self.until,
                        room_asked: AtomicBool::new(false),
                    }));
                }
                Reserved::Cold => match timeout_at(cold_until, bookings.rebuild()).await {
                    Ok(rebuilt) => rebuilt?,
                    Err(_) => return Err(StartRefusal::Unavailable),
                },
                Reserved::IdTaken => {
                    ids += 1;
                    id = bookings.names.draw();
                }
                Reserved::UserFull => return Err(self.who_is_in_the_way().await?),
                Reserved::Full => return Err(StartRefusal::CapacityFull { limit: rules.max_concurrent }),
            }
        }
        Ok(None)
    }

    /// Why a user has no slot left: sessions that were committed meanwhile, or starts under way.
    async fn who_is_in_the_way(&self) -> Result<StartRefusal, StartRefusal> {
        let bookings = &self.bookings;
        let standing = bookings.store.standing(self.user).await.map_err(BookingError::from)?;
        Ok(match bookings.judge(&standing) {
            Ok(_) | Err(StartRefusal::CapacityFull { .. }) => {
                StartRefusal::ActiveExists { session: None, limit: bookings.rules.max_per_user }
            }
            Err(refusal) => refusal,
        })
    }
}

fn away(what: &'static str, error: &RedisError) -> StartRefusal {
    if let Some(times) = due(what) {
        tracing::warn!(%error, times, "interview sessions: {what}");
    }
    StartRefusal::Unavailable
}
