//! Looks an SOS without a state up at the SOS service. While the service does not answer, users whose token names the SOS get
//! in with a provisional state, which is completed as soon as there is a record. Contract § 3 "To the SOS service".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::cluster::scripts::scope::scope_publish_after;
use crate::cluster::{Audience, Except, Message};
use crate::core::ids::is_user_id;
use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::{
    LookupTurn, Record as Known, SosMade, lookup_claim, sos_complete, sos_provisional, sos_share, sos_standing, sos_unknown,
};
use crate::protocol::event::Args;

use super::caller::actor;
use super::error::SosError;
use super::kinds::scope;
use super::ports::{LookupError, Record};
use super::wire::incoming::Raw;
use super::{Sos, time};
use super::{payload, rules};
use crate::core::sync::lock;
use crate::protocol::fields::{Bad, Fields};
use crate::telemetry::{due, once_a_minute};

/// How many look-ups run at once: those that a client waits for, and repeated ones.
const PARALLEL_LOOKUPS: usize = 32;
const PARALLEL_REPEATED_LOOKUPS: usize = 8;
/// How long a client waits for the SOS service: long enough for one call, and a little for a place among this node's calls.
const PATIENCE: Duration = Duration::from_secs(3);
/// When to come again for a look-up for which no place was free.
const BUSY: Duration = Duration::from_secs(1);
/// How often the state of a busy room is read again before it is published as it is.
const PUBLISH_TRIES: u32 = 10;

/// A record of the SOS service, in the form that scripts take. Names as in the internal API; snake case counts too.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Read {
    citizen: Option<String>,
    status: Option<&'static str>,
    kind: Option<String>,
    so_no: Option<String>,
    address: Option<String>,
    created_at: Option<u64>,
}

impl Read {
    pub fn new(record: &Record) -> Self {
        let field = |names: [&str; 2]| names.iter().find_map(|name| record.get(*name)).filter(|value| !value.is_null());
        // As strict as the internal API. But a field that does not fit is left out: the incident is not refused for it.
        let given = |names: [&str; 2]| json!({ names[0]: field(names).cloned() }).to_string();
        let kind =
            |names: [&'static str; 2]| Fields::parse(&given(names)).and_then(|fields| or_told(payload::kind(&fields, names[0])));
        let address = given(["address", "address"]);
        let address =
            Fields::parse(&address).and_then(|fields| or_told(payload::address(&fields)).map(|Raw(text)| text.to_owned()));
        let citizen = field(["citizenId", "citizen_id"]).and_then(|value| match value {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        });
        Self {
            citizen: citizen.filter(|id| is_user_id(id)),
            status: field(["status", "status"]).and_then(Value::as_str).and_then(rules::status),
            kind: kind(["type", "type"]),
            so_no: kind(["soNo", "so_no"]),
            address,
            created_at: field(["createdAt", "created_at"]).and_then(time::millis),
        }
    }

    fn known(&self) -> Known<'_> {
        Known {
            citizen: self.citizen.as_deref(),
            status: self.status,
            kind: self.kind.as_deref(),
            so_no: self.so_no.as_deref(),
            address: self.address.as_deref(),
            created_at: self.created_at,
        }
    }
}

/// What the SOS service says of an SOS.
type Found = Result<Arc<Record>, LookupError>;
/// Locked by the task that asks the service. When the last answer came, and what it was.
type Turn = tokio::sync::Mutex<Option<(Instant, Found)>>;

/// Look-ups of this node: one at a time for each SOS, and so many in all.
pub struct Lookups {
    /// The turn of each SOS, and how many wait for it. The last of them removes the entry, answered or dropped.
    turns: Mutex<HashMap<String, (Arc<Turn>, usize)>>,
    /// Places for look-ups that a client waits for, and for repeated ones.
    places: Semaphore,
    repeated: Arc<Semaphore>,
}

impl Default for Lookups {
    fn default() -> Self {
        let (places, repeated) = (Semaphore::new(PARALLEL_LOOKUPS), Arc::new(Semaphore::new(PARALLEL_REPEATED_LOOKUPS)));
        Self { turns: Mutex::default(), places, repeated }
    }
}

/// A task that waits for the turn of an SOS.
struct Waiting<'a> {
    lookups: &'a Lookups,
    sos: &'a str,
    turn: Arc<Turn>,
}

impl<'a> Waiting<'a> {
    fn new(lookups: &'a Lookups, sos: &'a str) -> Self {
        let mut turns = lock(&lookups.turns);
        let (turn, waiting) = turns.entry(sos.to_owned()).or_default();
        *waiting += 1;
        Self { lookups, sos, turn: turn.clone() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut turns = lock(&self.lookups.turns);
        if let Some((_, waiting)) = turns.get_mut(self.sos) {
            *waiting -= 1;
            if *waiting == 0 {
                turns.remove(self.sos);
            }
        }
    }
}

/// A field of a record, if it is one that clients can read.
fn or_told<T>(field: Result<Option<T>, Bad>) -> Option<T> {
    field.unwrap_or_else(|bad| {
        if let Some(times) = due("a field of the SOS service's records does not fit") {
            tracing::warn!(times, field = &*bad.field, why = %bad.why, "a field of the SOS service's records is left out");
        }
        None
    })
}

impl Sos {
    /// Makes sure that there is a state, for a user with rights.
    pub(super) async fn ensure(self: &Arc<Self>, sos: &str, claims: &Claims) -> Result<(), SosError> {
        if !claims.names(sos) && !claims.role.sees_all() {
            return Err(SosError::Forbidden);
        }
        if sos_standing(self.redis(), sos, actor(claims, sos, "")).await?.is_some() {
            return Ok(());
        }
        let found = self.ask_service(sos).await;
        let (op, timers) = (self.scopes.next_op(), self.first_timers());
        let made = match found {
            Ok(record) => {
                tokio::join!(self.remember(sos), self.expect_timers(sos));
                sos_complete(self.redis(), sos, self.op(&op, ""), Read::new(&record).known(), timers).await?
            }
            Err(LookupError::NotFound) => return Err(SosError::NotFound),
            Err(LookupError::Unavailable) if claims.names(sos) => {
                tokio::join!(self.remember(sos), self.expect_timers(sos));
                sos_provisional(self.redis(), sos, self.op(&op, ""), actor(claims, sos, ""), timers).await?
            }
            Err(LookupError::Unavailable) => return Err(SosError::Unavailable),
        };
        self.made(sos, &made).await;
        Ok(())
    }

    /// Asks the service. Those who ask at the same time share one call, and none waits longer than one call may take.
    async fn ask_service(&self, sos: &str) -> Found {
        let asked = Instant::now();
        let waiting = Waiting::new(&self.lookups, sos);
        let found = async {
            let mut last = waiting.turn.lock().await;
            if let Some((came, found)) = &*last
                && *came >= asked
            {
                return found.clone();
            }
            let _permit = self.lookups.places.acquire().await;
            let found = self.ports.service.lookup(sos).await.map(Arc::new);
            *last = Some((Instant::now(), found.clone()));
            found
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or(Err(LookupError::Unavailable))
    }

    /// What follows when a state was made or completed: its timers are set, and the state goes to the members who waited for it.
    pub(super) async fn made(self: &Arc<Self>, sos: &str, made: &SosMade) {
        self.after(sos, &made.written);
        self.timer_set(sos, made.due_in);
        if (made.created || made.completed)
            && let Err(error) = self.publish_state(sos).await
        {
            once_a_minute!(warn, "members did not get the state", sos, %error);
        }
    }

    /// Publishes `sos:state` to the whole room. A state must not be older than an event that a member has had before it: if
    /// something was logged meanwhile, the state is read again.
    async fn publish_state(&self, sos: &str) -> Result<(), SosError> {
        for again in (0..PUBLISH_TRIES).rev() {
            let Some((snapshot, last)) = sos_share(self.redis(), sos).await? else { return Ok(()) };
            // No member waits for it, or the SOS is over and its room is empty.
            if snapshot.sockets.is_empty() {
                return Ok(());
            }
            let args = Args::event("sos:state", &self.state_json(&snapshot));
            let body = Message { audience: Audience::All, except: Except::Nobody, key: None, args }.body();
            let op = self.scopes.next_op();
            let last = (again > 0).then_some(last);
            if let Some(published) = scope_publish_after(self.redis(), &scope(sos), self.op(&op, ""), last, body).await? {
                self.scopes.written(&scope(sos), Some(published.heard), published.listeners);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks a provisional state up, if it is this node's turn. Returns when to come again; `None`: there is nothing to look up any
    /// more.
    pub(super) async fn look_up_again(self: &Arc<Self>, sos: &str) -> Result<Option<Duration>, SosError> {
        let every = self.config.lookup_every;
        if !self.ports.service.is_configured() {
            return Ok(Some(every));
        }
        // The turn is left to a node that has a place for it.
        let Ok(place) = self.lookups.repeated.clone().try_acquire_owned() else { return Ok(Some(BUSY)) };
        match lookup_claim(self.redis(), sos, every.as_millis() as u64).await? {
            LookupTurn::Taken => {}
            LookupTurn::In(wait) => return Ok(Some(wait)),
            LookupTurn::Over => return Ok(None),
        }
        let (feature, sos) = (self.clone(), sos.to_owned());
        tokio::spawn(async move {
            feature.complete(&sos).await;
            drop(place);
        });
        Ok(Some(every))
    }

    /// Asks the service about a provisional state, and notes the answer. What cannot be noted is asked again at the next turn.
    async fn complete(self: &Arc<Self>, sos: &str) {
        let found = self.ports.service.lookup(sos).await;
        let op = self.scopes.next_op();
        match found {
            Ok(record) => {
                let (op, timers) = (self.op(&op, ""), self.first_timers());
                if let Ok(made) = sos_complete(self.redis(), sos, op, Read::new(&record).known(), timers).await {
                    self.made(sos, &made).await;
                }
            }
            Err(error) => {
                let unknown = sos_unknown(self.redis(), sos, self.op(&op, ""), error == LookupError::NotFound).await;
                if let Ok(Some(ended)) = unknown {
                    self.after(sos, &ended);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_kept_for_as_long_as_somebody_waits_for_it() {
        let lookups = Lookups::default();
        let (first, second) = (Waiting::new(&lookups, "s"), Waiting::new(&lookups, "s"));
        assert!(Arc::ptr_eq(&first.turn, &second.turn));
        drop(first);
        assert!(Arc::ptr_eq(&Waiting::new(&lookups, "s").turn, &second.turn));
        drop(second);
        assert!(lock(&lookups.turns).is_empty());
    }

    #[test]
    fn of_a_record_only_what_every_client_can_read_is_taken() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let record = json!({"citizenId": 7, "type": {"_placeholder": true, "num": 0}, "soNo": "SO-1", "address": {"deep": deep}});
        let read = Read::new(record.as_object().expect("an object"));
        let expected = Read { citizen: Some("7".into()), so_no: Some(r#""SO-1""#.into()), ..Read::default() };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_records_type_and_number_are_texts_and_its_address_has_short_fields() {
        let read = |record: Value| Read::new(record.as_object().expect("an object"));
        let (long, most) = ("x".repeat(129), "ä".repeat(128));
        for bad in [json!(5), json!({}), json!(["a"]), json!(true), json!(long)] {
            let read = read(json!({"type": bad, "so_no": bad}));
            assert_eq!((read.kind, read.so_no), (None, None), "{bad}");
        }
        assert_eq!(read(json!({"type": most})).kind, Some(format!("\"{most}\"")));
        for bad in [json!(5), json!({"city": 5}), json!({"city": "x".repeat(201)}), json!(["a"]), json!("x".repeat(201))] {
            assert_eq!(read(json!({"address": bad})).address, None, "{bad}");
        }
        let good = json!({"city": "x".repeat(200), "barangay": null});
        assert_eq!(read(json!({ "address": good })).address, Some(good.to_string()));
    }
}
