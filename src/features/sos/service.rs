//! What the internal API asks for, as plain functions. Contract § 3 "Internal API".
//!
//! The routes validate by [`requests`](super::requests), call one of these, and shape the answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::core::StreamId;
use crate::features::sos::keys as sos_keys;
use crate::features::sos::scripts::location::{Fix, Track, sos_track};
use crate::features::sos::scripts::presence::presence_read;
use crate::features::sos::scripts::talk::sos_message;
use crate::features::sos::scripts::{
    Actor, Judged, Record, Source, sos_admit, sos_close, sos_create, sos_events, sos_remove, sos_snapshot, sos_status,
};

use crate::rooms::audit::AuditPage;

use super::Sos;
use super::error::{SosError, settle};
use super::wire::incoming::{Admission, Closing, ListQuery, NewMessage, NewSos, Raw, StatusChange, TrackQuery};

/// Bytes of states after which a page of the list ends early.
const LIST_BYTES: usize = 4 * 1024 * 1024;

/// The answer to [`Sos::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// 201 rather than 200.
    pub created: bool,
    /// The state as JSON text.
    pub state: String,
}

/// The answer to [`Sos::set_status`]: `data` of the route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosStatusChange")]
pub struct StatusResult {
    pub sos_id: String,
    pub status: String,
    pub old_status: String,
    pub updated_by: String,
    /// ms since 1970.
    pub timestamp: u64,
}

/// The answer to [`Sos::post_message`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosMessageSent")]
pub struct Posted {
    pub message_id: String,
    /// ms since 1970: when it was sent first.
    pub timestamp: u64,
    /// An earlier request with this `clientMessageId` sent it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A page of [`Sos::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// States as JSON texts, ascending by id.
    pub states: Vec<String>,
    /// Pass as `after` to read on.
    pub next: Option<String>,
}

/// The answer to [`Sos::user_presence`]: `data` of the route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "UserPresence")]
pub struct Presence {
    pub user_id: String,
    pub online: bool,
    /// ms since 1970; null for a user that was not seen within the hour.
    pub last_seen: Option<u64>,
    pub sockets: usize,
}

fn internal<'a>(user: &'a str, role: &'static str) -> Actor<'a> {
    Actor { user, role, named: false, sid: "", source: Source::Internal }
}

impl Sos {
    /// `POST …/init`: makes the state, or fills the null fields of one that stands.
    pub async fn create(self: &Arc<Self>, new: NewSos<'_>) -> Result<Created, SosError> {
        tokio::join!(self.remember(&new.sos_id), self.expect_timers(&new.sos_id));
        let json = |text: &String| Value::from(&**text).to_string();
        let (kind, so_no, fix) =
            (new.kind.as_ref().map(json), new.so_no.as_ref().map(json), new.location.as_ref().map(Fix::from));
        let record = Record {
            citizen: Some(&new.citizen_id),
            kind: kind.as_deref(),
            so_no: so_no.as_deref(),
            address: new.address.map(|Raw(text)| text),
            ..Record::default()
        };
        let op = self.scopes.next_op();
        let (op, timers) = (self.op(&op, ""), self.first_timers());
        let made = sos_create(self.redis(), &new.sos_id, op, record, fix.as_ref(), timers).await?;
        self.made(&new.sos_id, &made).await;
        // If it is gone already, a failover has taken it back.
        let snapshot = sos_snapshot(self.redis(), &new.sos_id).await?.ok_or(SosError::Unconfirmed)?;
        Ok(Created { created: made.created, state: self.state_json(&snapshot) })
    }

    /// `POST …/:sosId/close`. A second close has no effect and is no error.
    pub async fn close(self: &Arc<Self>, sos: &str, closing: Closing) -> Result<(), SosError> {
        let op = self.scopes.next_op();
        let actor = internal(&closing.closed_by, "system");
        let set = settle(sos_close(self.redis(), sos, self.op(&op, ""), actor, closing.reason.as_deref()).await)?;
        self.after(sos, &set.written);
        Ok(())
    }

    /// `POST …/:sosId/status`, authoritative unless `force` is false.
    pub async fn set_status(self: &Arc<Self>, sos: &str, change: StatusChange) -> Result<StatusResult, SosError> {
        let op = self.scopes.next_op();
        let judged = if change.force { Judged::Authoritative } else { Judged::ByTable { old_status: change.old_status } };
        let actor = internal(&change.updated_by, "system");
        let set = settle(sos_status(self.redis(), sos, self.op(&op, ""), actor, judged, change.status, None).await)?;
        self.after(sos, &set.written);
        Ok(StatusResult {
            sos_id: sos.to_owned(),
            status: set.status,
            old_status: set.old_status,
            updated_by: change.updated_by,
            timestamp: set.written.at,
        })
    }

    /// `GET …/:sosId/state`: the state as JSON text.
    pub async fn state(&self, sos: &str) -> Result<String, SosError> {
        let snapshot = sos_snapshot(self.redis(), sos).await?.ok_or(SosError::NotFound)?;
        Ok(self.state_json(&snapshot))
    }

    /// `GET …/:sosId/track`: raw JSON points, ascending by fix time.
    pub async fn track(&self, sos: &str, query: &TrackQuery) -> Result<Track, SosError> {
        let track = sos_track(self.redis(), sos, query.user_id.as_deref(), query.from, query.to, query.limit).await?;
        track.ok_or(SosError::NotFound)
    }

    /// `GET …/:sosId/events`: the audit trail after an entry, ascending.
    pub async fn audit_trail(&self, sos: &str, after: Option<StreamId>, limit: u32) -> Result<AuditPage, SosError> {
        sos_events(self.redis(), sos, after, limit).await?.ok_or(SosError::NotFound)
    }

    /// `POST …/:sosId/messages`
    pub async fn post_message(self: &Arc<Self>, sos: &str, message: NewMessage) -> Result<Posted, SosError> {
        let op = self.scopes.next_op();
        let op = self.op(&op, message.client_message_id.as_deref().unwrap_or_default());
        let actor = internal(message.user_id.as_deref().unwrap_or_default(), message.role);
        let sent = settle(sos_message(self.redis(), sos, op, actor, &message.text).await)?;
        self.after(sos, &sent.written);
        Ok(Posted { message_id: sent.message_id, timestamp: sent.timestamp, duplicate: sent.written.duplicate })
    }

    /// `POST …/:sosId/members`: the user has rights here, with this role; its live sockets follow at once.
    pub async fn admit(self: &Arc<Self>, sos: &str, admission: &Admission) -> Result<(), SosError> {
        let op = self.scopes.next_op();
        let role = admission.role.as_str();
        let window = self.presence_window_ms();
        let moved = settle(sos_admit(self.redis(), sos, self.op(&op, ""), &admission.user_id, role, window).await)?;
        self.after_move(sos, &moved);
        Ok(())
    }

    /// `DELETE …/:sosId/members/:userId`: outranks the user's token until the next admission.
    pub async fn remove(self: &Arc<Self>, sos: &str, user: &str) -> Result<(), SosError> {
        let op = self.scopes.next_op();
        let moved = settle(sos_remove(self.redis(), sos, self.op(&op, ""), user, self.presence_window_ms()).await)?;
        self.after_move(sos, &moved);
        Ok(())
    }

    /// `GET /internal/realtime/sos`: SOSs that stand, those included that have ended and are still kept.
    pub async fn list(&self, query: &ListQuery) -> Result<Listed, SosError> {
        let mut ids = self.rooms().await?;
        ids.sort_unstable();
        let start = query.after.as_ref().map_or(0, |after| ids.partition_point(|id| id <= after));
        let (mut listed, mut bytes) = (Listed::default(), 0);
        for id in &ids[start..] {
            if listed.states.len() >= query.limit as usize || bytes >= LIST_BYTES {
                return Ok(listed);
            }
            // A hint may be older than the truth; the last id looked at is where the next page begins.
            if let Some(snapshot) = sos_snapshot(self.redis(), id).await?
                && query.status.is_none_or(|status| status == snapshot.status)
            {
                let state = self.state_json(&snapshot);
                bytes += state.len();
                listed.states.push(state);
                listed.next = Some(id.clone());
            }
        }
        listed.next = None;
        Ok(listed)
    }

    /// `GET /internal/realtime/users/:userId/presence`, also for unknown users.
    pub async fn user_presence(&self, user: &str) -> Result<Presence, SosError> {
        let presence = presence_read(self.redis(), user).await?;
        let sockets = presence.sockets.iter().filter(|socket| self.is_live(&socket.node)).count();
        Ok(Presence { user_id: user.to_owned(), online: sockets > 0, last_seen: presence.last_seen, sockets })
    }

    /// The ids in `sos:rooms`: a hint, so each may be over or gone.
    pub async fn rooms(&self) -> Result<Vec<String>, SosError> {
        let mut ids = Vec::new();
        let mut cursor = "0".to_owned();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            let page = crate::redis::cmd("SSCAN").arg(sos_keys::ROOMS).arg(&cursor).arg("COUNT").arg(1000).to_owned();
            let value = self.redis().command_on_reader(page, sos_keys::ROOMS).await?;
            let (next, mut found): (Bytes, Vec<String>) = redis::from_redis_value(value).map_err(|_| SosError::Internal)?;
            ids.append(&mut found);
            cursor = String::from_utf8_lossy(&next).into_owned();
            if cursor == "0" {
                ids.sort_unstable();
                ids.dedup();
                return Ok(ids);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(SosError::Unavailable);
            }
        }
    }
}
