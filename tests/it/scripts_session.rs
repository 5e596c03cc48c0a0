//! The record of a connection: who owns it, who may take it over, and how that is told from a repetition.

use bytes::Bytes;
use convoke::cluster::scripts::session::*;
use convoke::core::{Kind, Position, ScopeId, StreamId};
use convoke::redis::Redis;

use crate::scripts_world::*;

crate::on_both!(
    what_is_claimed_is_what_was_written,
    only_the_same_user_in_the_same_role_may_claim,
    who_was_taken_over_writes_nothing_any_more,
    a_claim_that_is_repeated_is_one_claim,
    a_lost_record_is_written_anew,
    an_offset_is_poisoned_by_the_second_close_after_it,
    an_ended_record_is_gone,
);

const TTL: u64 = 60_000;

fn session() -> SessionRecord {
    let cursor = Position::new("e_-1", StreamId { ms: 5, seq: 2 });
    SessionRecord {
        sid: "sid".into(),
        namespace: "/".into(),
        user: "ü ser".into(),
        role: "rescuer".into(),
        expires: Some(17),
        told: true,
        parked: true,
        rooms: vec![(ScopeId::new(Kind::of("room"), "a.b").unwrap(), cursor)],
        sent: Bytes::from_static(b"{\"x\":1}"),
    }
}

async fn write(redis: &Redis, pid: &str, node: &str, epoch: u64) -> bool {
    session_write(redis, pid, Owner { node, epoch }, TTL, &session(), None).await.unwrap()
}

async fn claim(redis: &Redis, pid: &str, op: &str, node: &str) -> Claimed {
    match session_claim(redis, pid, op, ("ü ser", "rescuer"), node, TTL, Some("o1")).await.unwrap() {
        SessionClaim::Claimed(claimed) => *claimed,
        other => panic!("{other:?}"),
    }
}

async fn what_is_claimed_is_what_was_written(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 1).await);
    let claimed = claim(&redis, &pid, "op1", "n2.b").await;
    let expected =
        Claimed { epoch: 2, old_node: "n1.a".into(), old_epoch: 1, poisoned: false, unreadable: false, session: session() };
    assert_eq!(claimed, expected);
}

async fn only_the_same_user_in_the_same_role_may_claim(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 1).await);
    for who in [("other", "rescuer"), ("ü ser", "admin"), ("", "")] {
        assert_eq!(session_claim(&redis, &pid, "op", who, "n2.b", TTL, None).await.unwrap(), SessionClaim::Other);
    }
    let unknown = session_claim(&redis, &unique("pid"), "op", ("ü ser", "rescuer"), "n2.b", TTL, None).await.unwrap();
    assert_eq!(unknown, SessionClaim::Missing);
    assert!(write(&redis, &pid, "n1.a", 1).await, "nothing has changed");
}

async fn who_was_taken_over_writes_nothing_any_more(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 1).await);
    claim(&redis, &pid, "op1", "n2.b").await;
    assert!(!write(&redis, &pid, "n1.a", 1).await, "a lower epoch");
    assert!(!write(&redis, &pid, "n3.c", 2).await, "the same epoch of another node");
    assert!(!session_end(&redis, &pid, Owner { node: "n1.a", epoch: 1 }).await.unwrap());
    assert!(write(&redis, &pid, "n2.b", 2).await);
    assert!(write(&redis, &pid, "n2.c", 3).await, "a node under another name, one epoch on");
}

async fn a_claim_that_is_repeated_is_one_claim(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 1).await);
    let first = claim(&redis, &pid, "op1", "n2.b").await;
    assert_eq!(claim(&redis, &pid, "op1", "n2.b").await, first);
    let next = claim(&redis, &pid, "op2", "n3.c").await;
    assert_eq!((next.epoch, next.old_node.as_str(), next.old_epoch), (3, "n2.b", 2));
}

async fn a_lost_record_is_written_anew(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 7).await);
    assert_eq!(claim(&redis, &pid, "op1", "n2.b").await.epoch, 8);
}

async fn an_offset_is_poisoned_by_the_second_close_after_it(redis: Redis) {
    let pid = unique("pid");
    let owner = Owner { node: "n1.a", epoch: 1 };
    let park = async |owner, offset| session_write(&redis, &pid, owner, TTL, &session(), Some(offset)).await.unwrap();
    assert!(park(owner, "o1").await);
    assert!(!claim(&redis, &pid, "op1", "n1.a").await.poisoned, "once is chance");
    assert!(write(&redis, &pid, "n1.a", 2).await);
    assert!(park(Owner { epoch: 2, ..owner }, "o1").await);
    assert!(claim(&redis, &pid, "op2", "n1.a").await.poisoned);
    assert!(park(Owner { epoch: 3, ..owner }, "o2").await);
    assert!(!claim(&redis, &pid, "op3", "n1.a").await.poisoned, "it came further than that");
}

async fn an_ended_record_is_gone(redis: Redis) {
    let pid = unique("pid");
    assert!(write(&redis, &pid, "n1.a", 1).await);
    assert!(session_end(&redis, &pid, Owner { node: "n1.a", epoch: 1 }).await.unwrap());
    let gone = session_claim(&redis, &pid, "op", ("ü ser", "rescuer"), "n2.b", TTL, None).await.unwrap();
    assert_eq!(gone, SessionClaim::Missing);
}
