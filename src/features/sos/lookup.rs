//! An SOS without a state: the SOS service is asked; while it does not answer, whoever has a token for the SOS gets in with
//! a provisional one, which is completed as soon as there is a record. Contract § 3 "To the SOS service".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::auth::Claims;
use crate::cluster::{Audience, Except, Message};
use crate::ids::is_user_id;
use crate::protocol::event::Args;
use crate::redis::scripts::scope::{Durability, scope_publish};
use crate::redis::scripts::snapshot::SosSnapshot;
use crate::redis::scripts::sos::{Record as Known, SosMade, sos_complete, sos_provisional, sos_snapshot, sos_standing};

use super::caller::actor;
use super::error::SosError;
use super::fields::is_sound;
use super::join::scope;
use super::rules;
use super::seam::{LookupError, Record};
use super::{Sos, time};
use crate::sync::lock;

/// The most that a field of a record may hold, as JSON (bytes).
const MAX_FIELD: usize = 4096;

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
        let raw = |names| field(names).map(Value::to_string).filter(|text| text.len() <= MAX_FIELD && is_sound(text));
        let citizen = field(["citizenId", "citizen_id"]).and_then(|value| match value {
            Value::String(id) => Some(id.clone()),
            Value::Number(id) => Some(id.to_string()),
            _ => None,
        });
        Self {
            citizen: citizen.filter(|id| is_user_id(id)),
            status: field(["status", "status"]).and_then(Value::as_str).and_then(rules::status),
            kind: raw(["type", "type"]),
            so_no: raw(["soNo", "so_no"]),
            address: raw(["address", "address"]),
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

/// One look-up at a time for each SOS; the entry goes with the last who waits for one, be they answered or dropped.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

struct Flight<'a> {
    flights: &'a Flights,
    sos: &'a str,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Flight<'a> {
    fn new(flights: &'a Flights, sos: &'a str) -> Self {
        let turn = lock(&flights.0).entry(sos.to_owned()).or_default().clone();
        Self { flights, sos, turn }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flights.0);
        // Two: this one's and the map's.
        if Arc::strong_count(&self.turn) <= 2 {
            flights.remove(self.sos);
        }
    }
}

impl Sos {
    /// Makes sure that there is a state, for somebody with rights. One look-up at a time for each SOS.
    pub(super) async fn ensure(self: &Arc<Self>, sos: &str, claims: &Claims) -> Result<(), SosError> {
        if !claims.names(sos) && !claims.role.sees_all() {
            return Err(SosError::Forbidden);
        }
        let flight = Flight::new(&self.flights, sos);
        let _alone = flight.turn.lock().await;
        self.look_up(sos, claims).await
    }

    async fn look_up(self: &Arc<Self>, sos: &str, claims: &Claims) -> Result<(), SosError> {
        if sos_standing(self.redis(), sos, actor(claims, sos, "")).await?.is_some() {
            return Ok(());
        }
        let found = {
            let _permit = self.lookups.acquire().await;
            self.directory.lookup(sos).await
        };
        let op = self.scopes.next_op();
        let made = match found {
            Ok(record) => {
                self.remember(sos).await;
                sos_complete(self.redis(), sos, self.op(&op, ""), Read::new(&record).known()).await?
            }
            Err(LookupError::NotFound) => return Err(SosError::NotFound),
            Err(LookupError::Unavailable) if claims.names(sos) => {
                self.remember(sos).await;
                sos_provisional(self.redis(), sos, self.op(&op, ""), actor(claims, sos, "")).await?
            }
            Err(LookupError::Unavailable) => return Err(SosError::Unavailable),
        };
        self.made(sos, &made).await;
        Ok(())
    }

    /// What follows on a state that was made, completed or touched: timers, and the state itself for those who waited for it.
    pub(super) async fn made(self: &Arc<Self>, sos: &str, made: &SosMade) {
        self.after(sos, &made.written);
        if made.snapshot.provisional {
            self.look_up_again(sos);
        }
        if made.created && !made.snapshot.ended {
            self.ask_for_acknowledgement(sos, self.config.ack_after);
        }
        let news = made.created || made.completed && !made.snapshot.ended;
        if news && !made.snapshot.sockets.is_empty() {
            self.publish_state(sos, &made.snapshot).await;
        }
    }

    /// `sos:state` for the whole room.
    async fn publish_state(&self, sos: &str, snapshot: &SosSnapshot) {
        let args = Args::event("sos:state", &self.state_json(snapshot));
        let body = Message { audience: Audience::All, except: Except::Nobody, key: None, args }.body();
        let op = self.scopes.next_op();
        match scope_publish(self.redis(), &scope(sos), self.op(&op, ""), "", Durability::Logged, body).await {
            Ok(published) => self.scopes.written(&scope(sos), Some(published.heard), published.listeners),
            Err(error) => tracing::warn!(sos, %error, "members did not get the state"),
        }
    }

    /// A provisional state is looked up again, as long as it has members here.
    pub(super) fn look_up_again(self: &Arc<Self>, sos: &str) {
        if !self.directory.is_configured() || !self.repeats.add(sos.to_owned()) {
            return;
        }
        let (weak, sos, every) = (Arc::downgrade(self), sos.to_owned(), self.config.lookup_every);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let Some(feature) = weak.upgrade() else { return };
                if !matches!(feature.complete(&sos).await, Ok(false)) {
                    feature.repeats.take(&sos);
                    return;
                }
            }
        });
    }

    /// True when there is nothing left to do here.
    async fn complete(self: &Arc<Self>, sos: &str) -> Result<bool, SosError> {
        if self.scopes.members(&scope(sos)).is_empty() {
            return Ok(true);
        }
        match sos_snapshot(self.redis(), sos).await {
            Ok(Some(snapshot)) if snapshot.provisional && !snapshot.ended => {}
            Ok(_) => return Ok(true),
            Err(_) => return Ok(false),
        }
        let found = {
            let _permit = self.lookups.acquire().await;
            self.directory.lookup(sos).await
        };
        // Also what the service does not know (yet) may be known to it later.
        let Ok(record) = found else { return Ok(false) };
        let op = self.scopes.next_op();
        let Ok(made) = sos_complete(self.redis(), sos, self.op(&op, ""), Read::new(&record).known()).await else {
            return Ok(false);
        };
        self.made(sos, &made).await;
        Ok(true)
    }

    /// Tells watchers and the SOS service, once, if nobody acknowledges in time.
    pub(super) fn ask_for_acknowledgement(self: &Arc<Self>, sos: &str, wait: Duration) {
        let (weak, sos) = (Arc::downgrade(self), sos.to_owned());
        tokio::spawn(async move {
            let mut wait = wait;
            loop {
                tokio::time::sleep(wait).await;
                let Some(feature) = weak.upgrade() else { return };
                // What fails here is the sweep's.
                match feature.check_acknowledgement(&sos).await {
                    Ok(Some(next)) => wait = next,
                    Ok(None) | Err(_) => return,
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_record_only_what_every_client_can_read_is_taken() {
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        let record = json!({"citizenId": 7, "type": {"_placeholder": true, "num": 0}, "soNo": "SO-1", "address": {"deep": deep}});
        let read = Read::new(record.as_object().expect("an object"));
        let expected = Read { citizen: Some("7".into()), so_no: Some(r#""SO-1""#.into()), ..Read::default() };
        assert_eq!(read, expected);
    }
}
