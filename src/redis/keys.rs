//! The Redis keys of the cluster, and the slot of any key. A feature's keys are built in its folder. The table in the wire
//! contract (§ 2) lists them all.
//!
//! Braces are literal: they enclose the hash tag that puts all keys of one scope into one slot. Scope ids need no escaping
//! (see [`crate::core::ids::is_scope_id`]); user ids may hold any character and are base64url-encoded.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use crc::{CRC_16_XMODEM, Crc, Table};

use crate::core::ScopeId;

/// The number of slots that a Redis Cluster shares out among its masters.
pub const SLOTS: u16 = 16384;

/// Hash: epoch, last id, trimmed-up-to id, nodes that listen, operation ids with their first answers.
pub fn scope_meta(scope: &ScopeId) -> String {
    scoped("scope:meta:", scope)
}

/// Stream: the logged events of a scope.
pub fn scope_log(scope: &ScopeId) -> String {
    scoped("scope:log:", scope)
}

/// Hash: sid → the member, and the node that it is connected to.
pub fn scope_members(scope: &ScopeId) -> String {
    scoped("scope:members:", scope)
}

/// Sorted set: the durable timers of a scope, by when they are due (ms).
pub fn scope_due(scope: &ScopeId) -> String {
    scoped("scope:due:", scope)
}

/// The sharded pub/sub channel of a scope. Redis databases separate keys but not channels, so the channel contains the number
/// of the database unless it is 0: two deployments on two databases do not receive each other's messages.
pub fn scope_channel(scope: &ScopeId, database: u16) -> String {
    match database {
        0 => scoped(CHANNEL, scope),
        database => scoped(&format!("{CHANNEL}{database}:"), scope),
    }
}

/// The scope of a channel, whatever its database; `None` for any other channel.
pub fn parse_channel(channel: &[u8]) -> Option<ScopeId> {
    let rest = std::str::from_utf8(channel).ok()?.strip_prefix(CHANNEL)?;
    let (kind, id) = rest.split_once(":{")?;
    let kind = match kind.split_once(':') {
        Some((database, kind)) => database.parse::<u16>().ok().filter(|database| *database > 0).map(|_| kind)?,
        None => kind,
    };
    ScopeId::new(kind.parse().ok()?, id.strip_suffix('}')?)
}

/// Hash: what the recovery of one connection needs.
pub fn session(pid: &str) -> String {
    format!("session:{{{pid}}}")
}

/// String: how many requests a caller may still send to a route.
pub fn limit(route: &str, caller: &str) -> String {
    format!("limit:{route}:{{{}}}", user_tag(caller))
}

/// Hash: the lease of a node's name on the master in whose slot `place` is a tag.
pub fn cluster_node(label: &str, place: &str) -> String {
    format!("cluster:node:{label}:{{{place}}}")
}

/// Hash: the nodes of the hub that a master knows, and which of them are dead.
pub fn cluster_nodes(place: &str) -> String {
    format!("cluster:nodes:{{{place}}}")
}

/// The key that `convoke check` writes on the master in whose slot `place` is a tag.
pub fn trial(place: &str) -> String {
    format!("scope:trial:{{{place}}}")
}

/// The channel on which `convoke check` publishes. No kind of scope has such a name, so it is no scope's channel.
pub fn trial_channel(place: &str) -> String {
    format!("{CHANNEL}~trial:{{{place}}}")
}

/// How many sets hold the scopes of one node, so that they are spread over the masters.
pub const SCOPE_SETS: u16 = 16;

/// Set: one part of the scopes that a node listens to. A hint for the nodes that clean up after it.
pub fn cluster_scopes(node: &str, part: u16) -> String {
    format!("cluster:scopes:{node}:{{{part}}}")
}

/// Which of these sets a scope belongs in.
pub fn scope_part(scope: &ScopeId) -> u16 {
    slot(scope.id.as_bytes()) % SCOPE_SETS
}

/// How many sorted sets hold the scopes that have timers, so that they are spread over the masters.
pub const TIMER_PARTS: u16 = 64;

/// Sorted set: `kind:id` of the scopes of one part that have timers, by when to look there (ms): a hint.
pub fn timers(part: u16) -> String {
    format!("timers:{{{part}}}")
}

/// Which of these sets a scope belongs in.
pub fn timer_part(scope: &ScopeId) -> u16 {
    slot(scope.id.as_bytes()) % TIMER_PARTS
}

/// A user id in keys and in hash fields: base64url without padding.
pub fn user_tag(user: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(user)
}

/// The slot of a key or sharded channel: the CRC16 of its hash tag, or of the whole key if it has no tag or an empty one.
/// See <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>.
pub fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|&b| b == b'{').and_then(|open| {
        let inner = &key[open + 1..];
        inner.iter().position(|&b| b == b'}').filter(|&len| len > 0).map(|len| &inner[..len])
    });
    CRC.checksum(tag.unwrap_or(key)) % SLOTS
}

/// A hash tag that lies in `slot`, for keys that must live on one particular master. It is searched for, in about
/// 16,000 steps (a millisecond): keep the result.
pub fn tag_in_slot(wanted: u16) -> String {
    (0u64..).map(|n| n.to_string()).find(|tag| slot(tag.as_bytes()) == wanted % SLOTS).unwrap_or_default()
}

const CHANNEL: &str = "scope:channel:";
/// Sixteen lookup tables instead of one: a key is hashed on every call.
static CRC: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

fn scoped(prefix: &str, scope: &ScopeId) -> String {
    format!("{prefix}{}:{{{}}}", scope.kind, scope.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Kind;

    const ROOM: Kind = Kind::of("room");

    #[test]
    fn keys_of_one_scope_share_its_slot() {
        let scope = ScopeId::new(ROOM, "42").unwrap();
        let keys = [
            scope_meta(&scope),
            scope_log(&scope),
            scope_members(&scope),
            scope_due(&scope),
            scope_channel(&scope, 0),
            scope_channel(&scope, 5),
        ];
        assert_eq!(keys[0], "scope:meta:room:{42}");
        assert!(keys.iter().all(|key| slot(key.as_bytes()) == slot(b"42")), "{keys:?}");
    }

    #[test]
    fn slots_are_those_of_redis() {
        // The answers of `CLUSTER KEYSLOT`.
        for (key, expected) in
            [("123456789", 12739), ("foo", 12182), ("a{foo}b", 12182), ("{}foo", 9500), ("a{b", 13340), ("", 0)]
        {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_channel_names_its_scope() {
        for scope in ["room:a.b-c_9", "list:all", "interview:a"].map(|scope| scope.parse::<ScopeId>().unwrap()) {
            for database in [0, 1, 15, u16::MAX] {
                assert_eq!(parse_channel(scope_channel(&scope, database).as_bytes()), Some(scope.clone()), "{database}");
            }
        }
        for other in [
            "scope:channel:room:42",
            "scope:channel:Room:{42}",
            "scope:channel:room:{}",
            "x",
            "scope:channel:room:{a}b",
            "scope:channel:0:room:{a}",
            "scope:channel:x:room:{a}",
            "scope:channel:1:2:room:{a}",
            &trial_channel("42"),
        ] {
            assert_eq!(parse_channel(other.as_bytes()), None, "{other}");
        }
        let first = scope_channel(&ScopeId::new(ROOM, "42").unwrap(), 0);
        assert_eq!(first, "scope:channel:room:{42}", "nodes of earlier releases listen here");
    }

    #[test]
    fn a_tag_is_found_for_any_slot() {
        for wanted in [0, 1, 5461, 16383] {
            assert_eq!(slot(tag_in_slot(wanted).as_bytes()), wanted);
        }
    }
}
