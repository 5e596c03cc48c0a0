use super::*;
use crate::core::Kind;

const ROOM: Kind = Kind::of("room");

fn at(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

/// A message from node to node, which needs no member to be seen.
fn envelope(epoch: &str, prev: u64, id: u64) -> Envelope {
    Envelope::parse(&Bytes::from(format!("{epoch} {prev}-0 {id}-0\n! - - -\n[\"{epoch}{id}\"]"))).expect("an envelope")
}

fn log(epoch: &str, last: u64, reset: bool) -> Log {
    Log { epoch: epoch.into(), last: at(last), trimmed: at(0), reset, entries: Vec::new(), more: false }
}

fn scope() -> Arc<LocalScope> {
    let scope = LocalScope::new(ScopeId { kind: ROOM, id: "s".into() });
    scope.begin_attach();
    assert!(scope.fill(scope.begin_read().generation, log("A", 10, false), &mut Outcome::default()));
    scope
}

#[test]
fn what_came_of_a_log_that_is_gone_is_delivered_before_the_new_one() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    assert!(scope.begin_fill());
    scope.receive(envelope("A", 10, 11), &mut outcome);
    scope.receive(envelope("B", 0, 1), &mut outcome);
    assert!(scope.fill(scope.begin_read().generation, log("B", 0, true), &mut outcome));
    assert_eq!(outcome.control, [&br#"["A11"]"#[..], br#"["B1"]"#]);
}

#[test]
fn what_is_said_in_a_scope_that_begins_while_one_joins_is_delivered() {
    let (scope, mut outcome) = (LocalScope::new(ScopeId { kind: ROOM, id: "s".into() }), Outcome::default());
    scope.begin_attach();
    assert!(scope.fill(scope.begin_read().generation, log("", 0, false), &mut outcome));
    assert_eq!(scope.place(), None, "there is no log to stand in");
    scope.receive(envelope("A", 0, 1), &mut outcome);
    scope.receive(envelope("A", 1, 2), &mut outcome);
    assert_eq!(outcome.control, [&br#"["A1"]"#[..], br#"["A2"]"#]);
}

#[test]
fn a_straggler_of_a_log_that_is_gone_does_not_keep_the_scope_reading() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    scope.begin_fill();
    assert!(scope.fill(scope.begin_read().generation, log("B", 5, true), &mut outcome));
    scope.receive(envelope("A", 10, 11), &mut outcome);
    assert!(outcome.must_fill);
    assert!(scope.fill(scope.begin_read().generation, log("B", 5, false), &mut outcome));
    scope.receive(envelope("B", 5, 6), &mut outcome);
    assert_eq!(outcome.control, [&br#"["B6"]"#[..]]);
}

#[test]
fn a_message_of_a_newer_log_than_the_one_read_waits_for_its_own() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    scope.begin_fill();
    let place = scope.begin_read();
    scope.receive(envelope("C", 0, 1), &mut outcome);
    assert!(!scope.fill(place.generation, log("B", 5, true), &mut outcome));
    assert!(scope.fill(scope.begin_read().generation, log("C", 0, true), &mut outcome));
    assert_eq!(outcome.control, [&br#"["C1"]"#[..]]);
}
