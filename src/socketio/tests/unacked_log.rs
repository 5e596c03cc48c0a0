use super::*;
use crate::core::Kind;

fn at(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

fn scope(id: &str) -> ScopeId {
    ScopeId { kind: Kind::of("room"), id: id.into() }
}

fn place(ms: u64) -> Position {
    Position { epoch: "e".into(), id: at(ms) }
}

fn log(unacked: &mut UnackedLog, id: &str, ms: u64) {
    let offset = Offset::of(&scope(id), "e", at(ms)).into();
    unacked.logged(&scope(id), at(ms), &offset);
}

fn direct(unacked: &mut UnackedLog, name: &str) -> Option<String> {
    unacked.direct(&Args::event(name, "{}"))
}

fn after(unacked: &UnackedLog, had: &str) -> (Vec<(String, u64)>, Vec<String>) {
    let sent: SentLog = serde_json::from_str(&serde_json::to_string(&unacked.sent()).unwrap()).unwrap();
    let missed = sent.after(had.parse().ok().as_ref());
    assert!(!missed.incomplete);
    let starts = missed.starts.iter().map(|(scope, id)| (scope.id.to_string(), id.ms)).collect();
    (starts, missed.directs.iter().map(|direct| direct.offset.as_ref().map_or_else(|| name(direct), Offset::to_string)).collect())
}

fn name(direct: &SentDirect) -> String {
    let args: serde_json::Value = serde_json::from_slice(&direct.args.json).unwrap();
    args[0].as_str().unwrap().to_owned()
}

fn is_incomplete(unacked: &UnackedLog, had: &str) -> bool {
    unacked.sent().after(had.parse().ok().as_ref()).incomplete
}

fn in_two() -> UnackedLog {
    let mut unacked = UnackedLog::default();
    unacked.enter(&scope("a"), place(10));
    unacked.enter(&scope("b"), place(20));
    unacked
}

#[test]
fn a_direct_emit_is_counted_from_the_last_offset_or_the_newest_join() {
    let mut unacked = UnackedLog::default();
    assert_eq!(direct(&mut unacked, "x"), None, "in no scope");
    unacked.enter(&scope("a"), place(10));
    assert_eq!(direct(&mut unacked, "x").as_deref(), Some("room:a.e.10-0+1"));
    assert_eq!(direct(&mut unacked, "x").as_deref(), Some("room:a.e.10-0+2"));
    log(&mut unacked, "a", 15);
    assert_eq!(direct(&mut unacked, "x").as_deref(), Some("room:a.e.15-0+1"));
    assert_eq!(
        after(&unacked, "room:a.e.10-0+1"),
        (vec![("a".into(), 10)], vec!["room:a.e.10-0+2".into(), "room:a.e.15-0+1".into()])
    );
    assert_eq!(after(&unacked, "room:a.e.15-0").1, ["room:a.e.15-0+1"]);
    assert_eq!(after(&unacked, "").1.len(), 4);
}

#[test]
fn what_was_emitted_in_no_scope_is_kept_at_its_place() {
    let mut unacked = UnackedLog::default();
    direct(&mut unacked, "before");
    unacked.enter(&scope("a"), place(10));
    direct(&mut unacked, "in a");
    log(&mut unacked, "a", 15);
    unacked.exit(&scope("a"));
    direct(&mut unacked, "between");
    unacked.enter(&scope("b"), place(20));
    log(&mut unacked, "b", 25);
    unacked.exit(&scope("b"));
    direct(&mut unacked, "after");
    let directs = |had: &str| after(&unacked, had).1;
    let all = ["before", "room:a.e.10-0+1", "between", "after"];
    assert_eq!(directs(""), all, "it has had nothing");
    assert_eq!(directs("room:z.e.99-0"), all, "an offset of a connection before this one");
    assert_eq!(directs("room:a.e.10-0+1"), all[2..]);
    assert_eq!(directs("room:a.e.15-0"), all[2..]);
    assert_eq!(directs("room:b.e.25-0"), all[3..]);
    let mut new = UnackedLog::default();
    new.adopt(&unacked.sent());
    assert_eq!(new.sent(), unacked.sent(), "on another node too");
    unacked.mark([]);
    unacked.answered();
    assert!(unacked.sent.is_none(), "the client has had it");
}

#[test]
fn what_was_too_much_to_keep_is_missing_for_those_who_have_not_had_it() {
    let mut unacked = UnackedLog::default();
    unacked.enter(&scope("a"), place(10));
    log(&mut unacked, "a", 11);
    for _ in 0..=MAX_ENTRIES {
        direct(&mut unacked, "x");
    }
    for (had, incomplete) in [("", true), ("room:a.e.11-0", true), ("room:a.e.11-0+1", false), ("room:a.e.11-0+7", false)] {
        assert_eq!(is_incomplete(&unacked, had), incomplete, "{had:?}");
    }
    let mut new = UnackedLog::default();
    new.adopt(&unacked.sent());
    assert!(is_incomplete(&new, ""), "another node knows");
    unacked.mark([]);
    unacked.answered();
    assert!(!is_incomplete(&unacked, ""), "it has arrived");
    unacked.mark([]);
    direct(&mut unacked, &"x".repeat(2 * MAX_BYTES));
    unacked.answered();
    assert!(is_incomplete(&unacked, ""), "that ping was sent before");
}

#[test]
fn the_scope_that_an_offset_does_not_name_begins_where_the_log_says() {
    let mut unacked = in_two();
    for (id, ms) in [("a", 11), ("a", 12), ("b", 21), ("b", 22), ("a", 13), ("b", 23)] {
        log(&mut unacked, id, ms);
    }
    let starts = |had: &str| after(&unacked, had).0;
    assert_eq!(starts("room:a.e.11-0"), [("a".into(), 11)], "b: nothing yet");
    assert_eq!(starts("room:b.e.21-0"), [("a".into(), 12), ("b".into(), 21)]);
    assert_eq!(starts("room:a.e.13-0"), [("b".into(), 22), ("a".into(), 13)]);
    assert_eq!(starts("room:a.e.99-0"), [("a".into(), 99)], "not in this log");
}

#[test]
fn an_answered_ping_confirms_what_was_sent_before_it() {
    let mut unacked = in_two();
    log(&mut unacked, "a", 11);
    direct(&mut unacked, "x");
    unacked.mark([(scope("a"), place(12)), (scope("b"), place(25))]);
    log(&mut unacked, "a", 13);
    unacked.answered();
    let confirmed: Vec<_> = unacked.confirmed().into_iter().map(|(scope, place)| (scope.id, place.id.ms)).collect();
    assert_eq!(confirmed, [("a".into(), 12), ("b".into(), 25)]);
    assert_eq!(unacked.sent().entries.len(), 1, "what came after the ping stays");
    unacked.mark([]);
    unacked.answered();
    assert!(unacked.sent.is_none(), "an idle socket keeps nothing");
    assert_eq!(unacked.confirmed()[0].1.id, at(12), "no mark, no step");
}

#[test]
fn another_log_of_a_scope_takes_the_place_of_the_old_one() {
    let mut unacked = in_two();
    let new = |ms| Position { epoch: "f".into(), id: at(ms) };
    unacked.mark([(scope("a"), new(3))]);
    assert_eq!(unacked.confirmed()[0].1, place(10));
    unacked.answered();
    assert_eq!(unacked.confirmed()[0].1, new(3));
    unacked.enter(&scope("a"), new(9));
    assert_eq!(unacked.confirmed()[0].1, new(3), "goes on");
    unacked.enter(&scope("a"), place(1));
    assert_eq!(unacked.confirmed()[0].1, place(1));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut unacked = in_two();
    for n in 0..5_000 {
        log(&mut unacked, if n % 2 == 0 { "a" } else { "b" }, 100 + n);
        direct(&mut unacked, &"x".repeat(100));
    }
    let sent = unacked.sent.as_ref().unwrap();
    assert!(sent.entries.len() <= MAX_ENTRIES && sent.bytes <= MAX_BYTES);
    let mut one = in_two();
    direct(&mut one, &"x".repeat(2 * MAX_BYTES));
    assert_eq!(one.sent.as_ref().unwrap().bytes, 0, "too large to keep");
}

#[test]
fn another_node_goes_on_with_the_same_offsets() {
    let mut old = in_two();
    log(&mut old, "a", 11);
    direct(&mut old, "x");
    let mut new = in_two();
    new.adopt(&old.sent());
    assert_eq!(new.sent(), old.sent());
    assert_eq!(direct(&mut new, "x").as_deref(), Some("room:a.e.11-0+2"));
}

#[test]
fn what_was_missed_is_unproven_once_a_part_of_it_is_taken_until_a_ping_is_answered() {
    let mut unacked = UnackedLog::default();
    let had: Offset = "room:a.e.10-0".parse().unwrap();
    unacked.recovered_from(Some(&had));
    assert_eq!(unacked.unproven(7), None, "it had missed nothing");
    unacked.replayed(&had, 2);
    assert_eq!(unacked.unproven(2), None, "it was sent the answer to CONNECT only");
    assert_eq!(unacked.unproven(3).as_deref(), Some("room:a.e.10-0"));
    unacked.mark([]);
    unacked.answered();
    assert_eq!(unacked.unproven(9), None);
}
