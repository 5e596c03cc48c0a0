//! The audit trail of a room: who did what, by which way, and what was refused. A stream of the feature's choice, which its
//! scripts write in the same step as the effect (`lua/rooms/lib/audit.lua`). It keeps the newest 20,000 lines; refusals are
//! at most half of it.

use schemars::JsonSchema;
use serde::Serialize;

use super::scripts::Sender;
use crate::core::{ScopeId, StreamId};
use crate::redis::keys;
use crate::redis::script::{Args, BadReply, Eval, Reply, Script, script};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub id: String,
    /// In the feature's words; `refusal` for what was refused.
    pub event: String,
    pub user_id: Option<String>,
    pub role: Option<String>,
    pub socket: Option<String>,
    /// By which way it came, in the feature's words.
    pub source: String,
    pub time: u64,
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_status: Option<String>,
}

/// A page, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// There is more after the last of them.
    pub more: bool,
}

/// Lines that one script reads, and bytes of notes after which it stops: nobody else is served meanwhile.
const PART: (usize, usize) = (256, 128 * 1024);
/// Bytes of the notes of one page; it ends early then.
const PAGE_BYTES: usize = 1024 * 1024;

/// Reads the lines after an id, in parts, by a script of the feature's own: its arguments are id, limit and bytes, and it
/// answers `{ there is a room, … }` and then as `audit_after` of `lua/rooms/lib/audit_page.lua`. `None`: there is no room.
pub async fn read_page<E: Eval>(
    redis: &E,
    script: &'static Script,
    at: Vec<String>,
    after: Option<StreamId>,
    limit: u32,
) -> Result<Option<AuditPage>, E::Error> {
    let (mut page, mut bytes, limit) = (AuditPage::default(), 0, limit as usize);
    let mut after = after.unwrap_or_default().to_string();
    loop {
        let part = PART.0.min(limit - page.entries.len());
        let args = Args::new().owned(after).int(part as u64).int(PART.1 as u64).done();
        let mut reply = Reply::new(script.name, redis.eval(script, at.clone(), args).await?)?;
        if !reply.flag()? {
            return Ok(None);
        }
        page.more = reply.flag()?;
        while reply.left() > 0 {
            let entry = entry(reply.list()?)?;
            bytes += entry.note.as_ref().map_or(0, String::len);
            page.entries.push(entry);
        }
        if !page.more || page.entries.len() >= limit || bytes >= PAGE_BYTES {
            return Ok(Some(page));
        }
        after = page.entries.last().map(|entry| entry.id.clone()).unwrap_or_default();
    }
}

fn entry(mut list: Reply) -> Result<AuditEntry, BadReply> {
    Ok(AuditEntry {
        id: list.text()?,
        event: list.text()?,
        user_id: list.some()?,
        role: list.some()?,
        socket: list.some()?,
        source: list.text()?,
        time: list.uint()?,
        note: list.some()?,
        status: list.some()?,
        old_status: list.some()?,
    })
}

/// What a line says beside who acted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Line<'a> {
    pub event: &'a str,
    pub note: &'a str,
    pub status: &'a str,
    pub old_status: &'a str,
}

/// Appends a line to the trail `stream` of a room without scripts of its own. With `refused` it says that the event was
/// refused, and why (`note`).
pub async fn room_audit<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    stream: &str,
    sender: Sender<'_>,
    line: Line<'_>,
    refused: bool,
) -> Result<(), E::Error> {
    let args = Args::new().text(sender.user).text(sender.role).text(sender.sid).text(sender.source);
    let args = args.text(line.event).text(line.note).text(line.status).text(line.old_status).flag(refused).done();
    redis.eval(&AUDIT, vec![keys::scope_meta(scope), stream.to_owned()], args).await?;
    Ok(())
}

/// Reads the trail `stream` after an id.
pub async fn room_events<E: Eval>(redis: &E, stream: &str, after: Option<StreamId>, limit: u32) -> Result<AuditPage, E::Error> {
    let page = read_page(redis, &EVENTS, vec![stream.to_owned()], after, limit).await?;
    Ok(page.unwrap_or_default())
}

script!(AUDIT = "rooms" / "room_audit", "scope/lib/scope", "rooms/lib/audit");
script!(EVENTS = "rooms" / "room_events", "rooms/lib/audit_page");
