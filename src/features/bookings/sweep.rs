//! Removes what a crash, a lost write or a lost Redis has left behind. It compares three lists: the rooms in LiveKit, the
//! slots in Redis, the active rows in PostgreSQL. They are read in this order, which is the reverse of a start's order. So a
//! room or a slot that is seen has its session in a later list, unless the session is over.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::metrics::{SESSION_SLOTS, SESSION_SWEPT};
use super::names::Names;
use super::store::{Active, Status};
use super::{Bookings, ms};
use crate::core::error::chain;
use crate::features::bookings::scripts::{ActiveBooking, Orphan, Slots, slots_list, slots_repair};
use crate::telemetry::once_a_minute;

/// An active session, with the values that Redis needs.
pub(super) struct Held {
    id: String,
    user: String,
    ends_ms: u64,
}

impl Held {
    pub fn new(active: &Active) -> Self {
        Self { id: active.id.clone(), user: active.user_id.to_string(), ends_ms: active.ends.as_ms() }
    }

    pub fn session(&self) -> ActiveBooking<'_> {
        ActiveBooking { id: &self.id, user: &self.user, ends_ms: self.ends_ms }
    }
}

/// What is to be put right.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings<'a> {
    /// Sessions without a slot, or with one that ends at another moment.
    unheld: Vec<ActiveBooking<'a>>,
    /// Slots without a session.
    orphans: Vec<Orphan<'a>>,
    /// Rooms without a session.
    rooms: Vec<&'a str>,
}

/// Compares the lists. A slot that ends within a lease may belong to a start under way. It is left alone, as it ends by
/// itself.
fn compare<'a>(rooms: &'a [String], slots: &'a Slots, held: &'a [Held], lease_ms: u64, names: &Names) -> Findings<'a> {
    let slot_ends: HashMap<&str, u64> = slots.slots.iter().map(|(id, ends)| (&**id, *ends)).collect();
    let active: HashSet<&str> = held.iter().map(|held| &*held.id).collect();
    let may_be_a_lease = |ends: u64| ends <= slots.now_ms + lease_ms;
    Findings {
        unheld: held.iter().filter(|held| slot_ends.get(&*held.id) != Some(&held.ends_ms)).map(Held::session).collect(),
        orphans: (slots.slots.iter())
            .filter(|(id, ends)| !active.contains(&**id) && !may_be_a_lease(*ends))
            .map(|(id, ends_ms)| Orphan { id, user: None, ends_ms: *ends_ms })
            .collect(),
        rooms: (rooms.iter().map(|room| &**room))
            .filter(|room| {
                let session = names.session_of(room);
                session.is_some_and(|id| !active.contains(id) && !slot_ends.get(id).is_some_and(|ends| may_be_a_lease(*ends)))
            })
            .collect(),
    }
}

impl Bookings {
    /// One round. What cannot be read now is read in the next one.
    pub(super) async fn sweep(self: &Arc<Self>) {
        let rooms = match &self.livekit {
            Some(livekit) => livekit.rooms_of_owner(&**self, Instant::now() + self.rules.start_deadline).await,
            None => Vec::new(),
        };
        let slots = match slots_list(&self.redis).await {
            Ok(slots) => slots,
            // Without the reservations it is not known which rooms are being made.
            Err(error) => return once_a_minute!(warn, "interview sessions: no sweep without Redis", %error),
        };
        if !slots.ready {
            let _ = self.rebuild().await;
        }
        let held: Vec<_> = match self.store.active().await {
            Ok(active) => active.iter().map(Held::new).collect(),
            Err(error) => return once_a_minute!(warn, "interview sessions: no sweep without PostgreSQL", error = chain(&error)),
        };
        metrics::gauge!(SESSION_SLOTS).set(slots.slots.len() as f64);
        let found = compare(&rooms, &slots, &held, ms(self.rules.start_lease), &self.names);
        if found != Findings::default() {
            tracing::info!(
                unheld = found.unheld.len(),
                orphans = found.orphans.len(),
                rooms = found.rooms.len(),
                "interview sessions: swept"
            );
        }
        let count = |kind, number| metrics::counter!(SESSION_SWEPT, "kind" => kind).increment(number);
        if !(found.unheld.is_empty() && found.orphans.is_empty()) {
            match slots_repair(&self.redis, &found.unheld, &found.orphans).await {
                Ok(removed) => {
                    count("slot_added", found.unheld.len() as u64);
                    count("slot_removed", removed);
                    self.take_back(&found.unheld).await;
                }
                Err(error) => once_a_minute!(warn, "interview sessions: the slots are not repaired", %error),
            }
        }
        // Without LiveKit there were none.
        for (room, livekit) in found.rooms.into_iter().zip(self.livekit.iter().cycle()) {
            count("room_deleted", u64::from(livekit.delete_unneeded(&**self, room).await));
        }
    }

    /// Removes the slots of sessions that ended after their rows were read and before their slots were added: they were
    /// released when they were not there yet.
    async fn take_back(&self, added: &[ActiveBooking<'_>]) {
        if added.is_empty() {
            return;
        }
        let ids: Vec<_> = added.iter().map(|session| session.id.to_owned()).collect();
        let Ok(rows) = self.store.of_ids(&ids).await else { return };
        let active: HashSet<_> = rows.iter().filter(|(_, _, status)| *status == Status::Active).map(|(id, _, _)| &**id).collect();
        let over = added.iter().filter(|session| !active.contains(session.id));
        let over: Vec<_> = over.map(|s| Orphan { id: s.id, user: Some(s.user), ends_ms: s.ends_ms }).collect();
        if !over.is_empty() {
            let _ = slots_repair(&self.redis, &[], &over).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;
    const LEASE: u64 = 30_000;
    const ENDS: u64 = NOW + 1_800_000;

    fn found(rooms: &[&str], slots: &[(&str, u64)], active: &[&str]) -> String {
        let settings = [("SESSION_ID_SEGMENTS", "1"), ("SESSION_ID_CHARS_PER_SEGMENT", "1"), ("ROOM_NAME_PREFIX", "R")];
        let names = Names::new(&crate::features::bookings::settings::tests::rules(&settings));
        let rooms: Vec<_> = rooms.iter().map(|room| (*room).to_owned()).collect();
        let slots = slots.iter().map(|(id, ends)| ((*id).to_owned(), *ends)).collect();
        let slots = Slots { ready: true, now_ms: NOW, slots };
        let held: Vec<_> = active.iter().map(|id| Held { id: (*id).into(), user: "u".into(), ends_ms: ENDS }).collect();
        let found = compare(&rooms, &slots, &held, LEASE, &names);
        let unheld: Vec<_> = found.unheld.iter().map(|session| format!("+{}", session.id)).collect();
        let orphans: Vec<_> = found.orphans.iter().map(|orphan| format!("-{}", orphan.id)).collect();
        [unheld, orphans, found.rooms.iter().map(|room| (*room).to_owned()).collect()].concat().join(" ")
    }

    #[test]
    fn what_belongs_together_is_left_alone() {
        assert_eq!(found(&["R-A"], &[("A", ENDS)], &["A"]), "");
        assert_eq!(found(&[], &[("A", ENDS)], &["A"]), "", "a room that its session does not have is made by the next join");
        assert_eq!(found(&["R-A"], &[("A", NOW + LEASE)], &[]), "", "a start under way");
    }

    #[test]
    fn a_session_has_a_slot_until_its_end() {
        assert_eq!(found(&["R-A"], &[], &["A"]), "+A");
        assert_eq!(found(&["R-A"], &[("A", NOW + LEASE)], &["A"]), "+A", "its start could not confirm it");
    }

    #[test]
    fn a_slot_without_a_session_goes() {
        assert_eq!(found(&[], &[("A", ENDS)], &[]), "-A");
        assert_eq!(found(&[], &[("A", NOW + LEASE + 1), ("B", ENDS)], &["B"]), "-A");
    }

    #[test]
    fn a_room_without_a_session_goes_if_it_is_one_of_ours() {
        assert_eq!(found(&["R-A", "R-B", "live-1", "R-AA", "Q-A"], &[("B", ENDS)], &["B"]), "R-A");
        assert_eq!(found(&["R-A"], &[("A", ENDS)], &[]), "-A R-A", "its session is over");
    }
}
