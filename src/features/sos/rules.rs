//! The rules of an SOS that need no Redis: roles, statuses, and who may send what. Contract § 3.
//!
//! What depends on an incident's state (transitions, admissions, membership) is decided by the scripts, in the same step
//! as the effect; what is here is refused before a script runs.

pub use crate::features::sos::auth::Role;

/// Every status, in no order of rank.
pub const STATUSES: [&str; 11] = [
    "active",
    "assigned",
    "en_route",
    "arrived",
    "responding",
    "resolved",
    "completed",
    "cancelled",
    "rejected",
    "fake",
    "closed",
];

/// A status in any case, as it is written: lower case. `None` if there is no such status.
pub fn status(text: &str) -> Option<&'static str> {
    STATUSES.into_iter().find(|status| status.eq_ignore_ascii_case(text))
}

/// Whether a status ends its SOS.
pub fn is_final(status: &str) -> bool {
    matches!(status, "cancelled" | "rejected" | "fake" | "closed")
}

/// Who may send an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub event: &'static str,
    /// The roles that may send it; which of them has rights on an SOS is another question.
    pub roles: &'static [Role],
    /// Only for members of the room.
    pub members: bool,
}

const EVERYBODY: &[Role] = &[Role::Citizen, Role::Rescuer, Role::Dispatcher, Role::Admin];
const STAFF: &[Role] = &[Role::Dispatcher, Role::Admin];
const FIELD: &[Role] = &[Role::Citizen, Role::Rescuer];

/// The column "who" of the contract's table, line by line. Finer rules (its citizen, cancelling only) are the scripts'.
pub const RULES: [Rule; 18] = [
    Rule { event: "sos:init", roles: EVERYBODY, members: false },
    Rule { event: "sos:leave", roles: EVERYBODY, members: true },
    // The script adds: of the citizens only the one whose SOS it is.
    Rule { event: "sos:close", roles: &[Role::Citizen, Role::Dispatcher, Role::Admin], members: false },
    // The script adds: of the citizens only the one whose SOS it is, and only `cancelled`.
    Rule { event: "sos:status:update", roles: EVERYBODY, members: false },
    Rule { event: "sos:ack", roles: &[Role::Dispatcher, Role::Rescuer], members: false },
    Rule { event: "sos:watch", roles: STAFF, members: false },
    Rule { event: "sos:unwatch", roles: STAFF, members: false },
    Rule { event: "location:update", roles: FIELD, members: false },
    Rule { event: "location:batch", roles: FIELD, members: false },
    Rule { event: "message:send", roles: EVERYBODY, members: true },
    Rule { event: "message:history", roles: EVERYBODY, members: true },
    Rule { event: "offer", roles: EVERYBODY, members: true },
    Rule { event: "answer", roles: EVERYBODY, members: true },
    Rule { event: "iceCandidate", roles: EVERYBODY, members: true },
    Rule { event: "signal", roles: EVERYBODY, members: true },
    Rule { event: "ping", roles: EVERYBODY, members: false },
    Rule { event: "heartbeat", roles: EVERYBODY, members: false },
    Rule { event: "auth:refresh", roles: EVERYBODY, members: false },
];

/// The rule of an event; `None`: there is no such event.
pub fn rule(event: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.event == event)
}

/// Whether a role may send an event at all.
pub fn may(role: Role, event: &str) -> bool {
    rule(event).is_some_and(|rule| rule.roles.contains(&role))
}

/// Whether a role may ask for this status at all: a rescuer sets no final one, a citizen only cancels.
pub fn may_set(role: Role, status: &str) -> bool {
    match role {
        Role::Citizen => status == "cancelled",
        Role::Rescuer => !is_final(status),
        Role::Dispatcher | Role::Admin => true,
    }
}

#[cfg(test)]
#[path = "tests/rules.rs"]
mod tests;
