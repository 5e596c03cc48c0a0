use super::*;

/// The contract's table, once more and in its own order: who may send what.
const WHO: [(&str, &[Role]); 18] = {
    use Role::{Admin, Citizen, Dispatcher, Rescuer};
    const ALL: &[Role] = &[Citizen, Rescuer, Dispatcher, Admin];
    [
        ("sos:init", ALL),
        ("sos:leave", ALL),
        ("sos:close", &[Citizen, Dispatcher, Admin]),
        ("sos:status:update", ALL),
        ("sos:ack", &[Dispatcher, Rescuer]),
        ("sos:watch", &[Dispatcher, Admin]),
        ("sos:unwatch", &[Dispatcher, Admin]),
        ("location:update", &[Citizen, Rescuer]),
        ("location:batch", &[Citizen, Rescuer]),
        ("message:send", ALL),
        ("message:history", ALL),
        ("offer", ALL),
        ("answer", ALL),
        ("iceCandidate", ALL),
        ("signal", ALL),
        ("ping", ALL),
        ("heartbeat", ALL),
        ("auth:refresh", ALL),
    ]
};

const ROLES: [Role; 4] = [Role::Citizen, Role::Rescuer, Role::Dispatcher, Role::Admin];

#[test]
fn each_role_may_send_what_the_table_says_and_nothing_else() {
    assert_eq!(WHO.len(), RULES.len());
    for (event, roles) in WHO {
        for role in ROLES {
            assert_eq!(may(role, event), roles.contains(&role), "{role} {event}");
        }
    }
    assert!(ROLES.into_iter().all(|role| !may(role, "sos:unknown")));
}

#[test]
fn the_events_between_members_are_for_members() {
    let members: Vec<_> = RULES.iter().filter(|rule| rule.members).map(|rule| rule.event).collect();
    let expected = ["sos:leave", "message:send", "message:history", "offer", "answer", "iceCandidate", "signal"];
    assert_eq!(members, expected);
}

#[test]
fn statuses_are_read_in_any_case_and_four_of_them_are_final() {
    assert_eq!(status("EN_Route"), Some("en_route"));
    assert_eq!(status("lost"), None);
    assert_eq!(status(""), None);
    let finals: Vec<_> = STATUSES.into_iter().filter(|status| is_final(status)).collect();
    assert_eq!(finals, ["cancelled", "rejected", "fake", "closed"]);
}

/// The keys of a table in a Lua text, `name = { key = …, }`.
fn lua_keys(text: &'static str, table: &str) -> Vec<&'static str> {
    let start = text.find(table).expect("the table") + table.len();
    let body = text[start..].split_once('}').expect("its end").0;
    let entries = body.split([',', '\n']).filter_map(|entry| entry.split_once('='));
    let mut keys: Vec<_> = entries.map(|(key, _)| key.trim()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_scripts_know_the_same_statuses() {
    let mut statuses = STATUSES.to_vec();
    statuses.sort_unstable();
    let table = include_str!("../../../../lua/sos/lib/status.lua");
    assert_eq!(lua_keys(table, "local NEXT = {"), statuses);
    let is = |ends: bool| statuses.iter().copied().filter(|status| is_final(status) == ends).collect::<Vec<_>>();
    assert_eq!(lua_keys(include_str!("../../../../lua/sos/lib/final.lua"), "local FINAL = {"), is(true));
    assert_eq!(lua_keys(table, "local RANK = {"), is(false), "every other status has a rank");
}
