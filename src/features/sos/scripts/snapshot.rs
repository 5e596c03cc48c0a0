//! An SOS at one moment, and its JSON: `sos:state`, the ack of `sos:init`, `data` of `GET …/state`. Contract § 3 "State".

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use crate::features::sos::rules;
use crate::features::sos::wire::{Member, Responder, State};
use crate::redis::script::reply::number;
use crate::redis::script::{BadReply, Reply};
use crate::rooms::presence::{MemberSocket, MemberState, read_members};

/// State and members, read in one step, and the last locations, read in the same or afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SosSnapshot {
    pub sos_id: String,
    /// Redis' clock at the reading (ms).
    pub at: u64,
    pub citizen_id: Option<String>,
    pub status: String,
    /// The SOS is over.
    pub ended: bool,
    pub provisional: bool,
    pub created_at: u64,
    pub updated_at: u64,
    pub acknowledged_at: Option<u64>,
    pub responders: Vec<Responder>,
    pub locations: Vec<Location>,
    pub members: Vec<MemberState>,
    /// One entry a socket.
    pub sockets: Vec<MemberSocket>,
    acknowledged_by: Option<String>,
    closed_at: Option<u64>,
    closed_by: Option<String>,
    reason: Option<String>,
    kind: Option<String>,
    so_no: Option<String>,
    address: Option<String>,
}

/// A participant's last known position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub fix_time: u64,
    pub timestamp: u64,
    pub role: String,
    /// `"userId":…,"role":…,"latitude":…` …: the broadcast's fields but `sosId` and the times.
    fields: String,
}

impl SosSnapshot {
    /// Reads the three elements with which scripts answer a snapshot: time, state, members. It has no locations yet.
    pub(super) fn read(sos: &str, reply: &mut Reply) -> Result<Self, BadReply> {
        let at = reply.uint()?;
        let (state, members) = (reply.pairs()?, reply.pairs()?);
        let mut snapshot = Self::from_state(sos, at, state).ok_or_else(|| reply.bad("no such state"))?;
        (snapshot.members, snapshot.sockets) = read_members(reply, members)?;
        snapshot.responders.sort_by(|a, b| (a.assigned_at, &a.user_id).cmp(&(b.assigned_at, &b.user_id)));
        Ok(snapshot)
    }

    /// With the last location of each participant, as they are kept.
    pub(super) fn with_locations(mut self, fixes: &[(String, Bytes)]) -> Option<Self> {
        self.locations = fixes.iter().map(|(_, fix)| location(fix)).collect::<Option<_>>()?;
        self.locations.sort_by(|a, b| a.fields.cmp(&b.fields));
        Some(self)
    }

    fn from_state(sos: &str, at: u64, pairs: Vec<(String, Bytes)>) -> Option<Self> {
        let mut responders = Vec::new();
        let mut fields = BTreeMap::new();
        for (field, value) in pairs {
            let text = String::from_utf8(value.into()).ok()?;
            match field.strip_prefix("r:") {
                Some(_) => responders.push(responder(&text)?),
                None => drop(fields.insert(field, text)),
            }
        }
        let mut text = |name: &str| fields.remove(name).filter(|text| !text.is_empty());
        let status = text("status")?;
        let mut time = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            sos_id: sos.to_owned(),
            at,
            created_at: time("createdAt")?,
            updated_at: time("updatedAt")?,
            acknowledged_at: time("ackAt"),
            closed_at: time("closedAt"),
            ended: rules::is_final(&status),
            status,
            provisional: text("prov").is_some(),
            citizen_id: text("citizen"),
            acknowledged_by: text("ackBy"),
            closed_by: text("closedBy"),
            reason: text("reason"),
            kind: text("type"),
            so_no: text("soNo"),
            address: text("address"),
            responders,
            locations: Vec::new(),
            members: Vec::new(),
            sockets: Vec::new(),
        })
    }

    /// The state in the contract's form. `is_live` says whether a node (with incarnation) lives: sockets on dead ones do
    /// not count, even before they are reaped.
    pub fn to_json(&self, is_live: impl Fn(&str) -> bool) -> String {
        self.to_json_within(usize::MAX, is_live)
    }

    /// The same in at most so many bytes: half of them for the members, a quarter for the responders, and what is left for
    /// the locations, those first that came last. What finds no room is left out, and `truncated` says so.
    pub fn to_json_within(&self, most: usize, is_live: impl Fn(&str) -> bool) -> String {
        let mut room = Room { left: most.saturating_sub(FRAME), truncated: false };
        let length = |text: &RawValue| text.get().len();
        let members = self.members_out(&is_live).into_iter().filter_map(|member| to_raw_value(&member).ok());
        let members = room.fill(most / 2, members, |text| length(text));
        let responders = self.responders.iter().filter_map(|responder| to_raw_value(responder).ok());
        let responders = room.fill(most / 4, responders, |text| length(text));
        let located = self.locations.iter().filter_map(|location| Some((location, self.location_json(location)?)));
        let mut located: Vec<_> = located.collect();
        located.sort_by_key(|(location, _)| std::cmp::Reverse(location.timestamp));
        let mut located = room.fill(most, located.into_iter(), |(_, text)| length(text));
        located.sort_by(|(a, _), (b, _)| a.fields.cmp(&b.fields));
        let out = State {
            sos_id: &self.sos_id,
            citizen_id: self.citizen_id.as_deref(),
            status: &self.status,
            kind: raw(self.kind.as_deref()),
            so_no: raw(self.so_no.as_deref()),
            address: raw(self.address.as_deref()),
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_location_update: self.locations.iter().map(|location| location.timestamp).max(),
            acknowledged_by: self.acknowledged_by.as_deref(),
            acknowledged_at: self.acknowledged_at,
            closed_at: self.closed_at,
            closed_by: self.closed_by.as_deref(),
            reason: self.reason.as_deref(),
            provisional: self.provisional.then_some(true),
            truncated: room.truncated.then_some(true),
            responders,
            locations: located.into_iter().map(|(_, text)| text).collect(),
            members,
        };
        serde_json::to_string(&out).unwrap_or_else(|_| "null".to_owned())
    }

    /// The last known locations as `location:broadcast` payloads.
    pub fn location_broadcasts(&self) -> impl Iterator<Item = String> {
        self.locations.iter().map(|location| format!("{}}}", self.location_open(location)))
    }

    fn location_json(&self, location: &Location) -> Option<Box<RawValue>> {
        let age = self.at.saturating_sub(location.fix_time);
        RawValue::from_string(format!("{},\"ageMs\":{age}}}", self.location_open(location))).ok()
    }

    fn location_open(&self, location: &Location) -> String {
        // A scope id needs no escapes.
        format!(
            "{{\"sosId\":\"{}\",{},\"fixTime\":{},\"timestamp\":{}",
            self.sos_id, location.fields, location.fix_time, location.timestamp
        )
    }

    /// The members, with what each has of sockets on live and on dead nodes.
    fn members_out(&self, is_live: impl Fn(&str) -> bool) -> Vec<Member<'_>> {
        let mut sockets: HashMap<&str, (usize, usize)> = HashMap::new();
        for socket in &self.sockets {
            let (live, dead) = sockets.entry(&socket.user_key).or_default();
            *if is_live(&socket.node) { live } else { dead } += 1;
        }
        let members = self.members.iter().map(|member| {
            let (live, dead) = sockets.get(&*super::user_tag(&member.user_id)).copied().unwrap_or_default();
            let online = member.online && (live > 0 || dead == 0);
            Member {
                user_id: member.user_id.as_str().into(),
                role: member.role.as_str().into(),
                online,
                last_seen: member.last_seen,
                sockets: live as u64,
            }
        });
        members.collect()
    }
}

/// Bytes of a state beside its lists: names, addresses, a reason.
const FRAME: usize = 12 * 1024;

/// What is left of a budget of bytes.
struct Room {
    left: usize,
    truncated: bool,
}

impl Room {
    /// As many of the items as there is room for, in at most so many bytes.
    fn fill<T>(&mut self, most: usize, items: impl Iterator<Item = T>, length: impl Fn(&T) -> usize) -> Vec<T> {
        let (mut filled, mut left) = (Vec::new(), most.min(self.left));
        for item in items {
            // And a comma.
            let bytes = length(&item) + 1;
            if bytes > left {
                self.truncated = true;
                break;
            }
            left -= bytes;
            self.left -= bytes;
            filled.push(item);
        }
        filled
    }
}

fn raw(text: Option<&str>) -> Option<Box<RawValue>> {
    let text = text?;
    RawValue::from_string(text.to_owned()).or_else(|_| to_raw_value(text)).ok()
}

fn time(text: &str) -> Option<u64> {
    text.parse().ok().filter(|&time| time > 0)
}

fn responder(text: &str) -> Option<Responder> {
    let mut parts = text.splitn(5, ' ');
    Some(Responder {
        status: parts.next()?.to_owned(),
        assigned_at: time(parts.next()?),
        acknowledged_at: time(parts.next()?),
        arrived_at: time(parts.next()?),
        user_id: parts.next()?.to_owned(),
    })
}

fn location(value: &[u8]) -> Option<Location> {
    let (head, fields) = std::str::from_utf8(value).ok()?.split_once('\n')?;
    let mut parts = head.split(' ');
    Some(Location {
        fix_time: u64::try_from(number(parts.next()?.as_bytes())?).ok()?,
        timestamp: parts.next()?.parse().ok()?,
        role: parts.next()?.to_owned(),
        fields: fields.to_owned(),
    })
}
