//! Leases and death certificates. Contract § 2, design "Nodes come and go".

use convoke::cluster::scripts::node::*;
use convoke::cluster::scripts::scope::{Member, scope_join, scope_reap};
use convoke::core::wire::Form;
use convoke::core::{Kind, ScopeId};
use convoke::features::sos::scripts::*;
use convoke::redis::{Redis, cmd, keys};

use crate::scripts_world::*;

crate::on_both!(
    a_lease_is_renewed_by_its_holder_alone,
    a_lease_says_which_forms_its_node_reads,
    a_node_with_a_lease_cannot_be_declared_dead,
    who_was_declared_dead_is_told_so,
    the_next_of_a_name_declares_the_last_one_dead,
    who_was_reaped_is_forgotten_but_for_the_certificate,
    a_dead_nodes_members_are_lost_and_announced_once,
    a_user_who_is_elsewhere_too_stays,
);

fn lease<'a>(label: &'a str, node: &'a str) -> Lease<'a> {
    let address = Some("127.0.0.1:7946".parse().unwrap());
    Lease {
        node,
        label,
        tag: "tag12345",
        address,
        secret: true,
        started: 5,
        connections: 7,
        draining: false,
        form: Form::NEWEST,
        lease_ms: 10_000,
    }
}

/// A place and a label of one's own, and two incarnations of it.
fn names() -> (String, String, String, String) {
    let (place, label) = (unique("place"), unique("n"));
    let (one, two) = (format!("{label}.one"), format!("{label}.two"));
    (place, label, one, two)
}

async fn expire(redis: &Redis, label: &str, place: &str) {
    let key = keys::cluster_node(label, place);
    redis.command(cmd("DEL").arg(&key).to_owned(), &key).await.unwrap();
}

async fn a_lease_is_renewed_by_its_holder_alone(redis: Redis) {
    let (place, label, one, two) = names();
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Ok);
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Ok);
    assert_eq!(node_renew(&redis, &place, lease(&label, &two)).await.unwrap(), Renewed::Taken(one.clone()));
    let listing = node_list(&redis, &place, &[&label, "nobody"]).await.unwrap();
    assert_eq!(listing.holders, [one.as_str()]);
    let [listed] = &listing.nodes[..] else { panic!("{listing:?}") };
    assert_eq!((&*listed.node, &*listed.tag, listed.secret, listed.draining), (&*one, "tag12345", true, false));
    assert_eq!(listed.address, lease(&label, &one).address);
    assert_eq!(listed.form, Form::NEWEST);
    assert!(listed.renewed_at > 1_600_000_000_000 && listing.certified.is_empty());
    // Without a peer port.
    expire(&redis, &label, &place).await;
    let alone = Lease { address: None, secret: false, draining: true, ..lease(&label, &two) };
    assert_eq!(node_renew(&redis, &place, alone).await.unwrap(), Renewed::Ok);
    let listing = node_list(&redis, &place, &[]).await.unwrap();
    let listed = listing.nodes.iter().find(|listed| listed.node == two).unwrap();
    assert_eq!((listed.address, listed.secret, listed.draining, listed.form), (None, false, true, Form::NEWEST));
    assert_eq!((listing.nodes.len(), listing.holders.len()), (2, 0));
}

/// Of the release before nothing stands behind the address, and a later one may say more.
async fn a_lease_says_which_forms_its_node_reads(redis: Redis) {
    let (place, ..) = names();
    let index = keys::cluster_nodes(&place);
    for (node, value) in
        [("n.before", "5 tag12345 1 0 1.2.3.4:5"), ("n.alone", "5 tag12345 0 0 "), ("n.later", "5 tag12345 1 0 1.2.3.4:5 9 x")]
    {
        redis.command(cmd("HSET").arg(&index).arg(node).arg(value).to_owned(), &index).await.unwrap();
    }
    let mut listed = node_list(&redis, &place, &[]).await.unwrap().nodes;
    listed.sort_unstable_by(|a, b| a.node.cmp(&b.node));
    let address = Some("1.2.3.4:5".parse().unwrap());
    let found: Vec<_> = listed.iter().map(|listed| (&*listed.node, listed.address, listed.form)).collect();
    assert_eq!(found, [("n.alone", None, Form::Json), ("n.before", address, Form::Json), ("n.later", address, Form::Packed)]);
}

async fn a_node_with_a_lease_cannot_be_declared_dead(redis: Redis) {
    let (place, label, one, _) = names();
    node_renew(&redis, &place, lease(&label, &one)).await.unwrap();
    assert!(!node_certify(&redis, &place, &one, &label, false).await.unwrap());
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Ok);
}

async fn who_was_declared_dead_is_told_so(redis: Redis) {
    let (place, label, one, two) = names();
    node_renew(&redis, &place, lease(&label, &one)).await.unwrap();
    expire(&redis, &label, &place).await;
    for _ in 0..2 {
        assert!(node_certify(&redis, &place, &one, &label, false).await.unwrap());
    }
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Dead);
    assert_eq!(node_list(&redis, &place, &[&label]).await.unwrap().certified, [one]);
    assert_eq!(node_renew(&redis, &place, lease(&label, &two)).await.unwrap(), Renewed::Ok);
}

async fn the_next_of_a_name_declares_the_last_one_dead(redis: Redis) {
    let (place, label, one, two) = names();
    node_renew(&redis, &place, lease(&label, &one)).await.unwrap();
    assert!(node_certify(&redis, &place, &one, &label, true).await.unwrap());
    assert_eq!(node_renew(&redis, &place, lease(&label, &two)).await.unwrap(), Renewed::Ok);
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Dead);
    assert!(node_certify(&redis, &place, &one, &label, true).await.unwrap());
    let listing = node_list(&redis, &place, &[&label]).await.unwrap();
    assert_eq!(listing.holders, [two], "the lease of the new one stands");
}

async fn who_was_reaped_is_forgotten_but_for_the_certificate(redis: Redis) {
    let (place, label, one, two) = names();
    node_renew(&redis, &place, lease(&label, &one)).await.unwrap();
    node_forget(&redis, &place, &one).await.unwrap();
    assert_eq!(node_list(&redis, &place, &[]).await.unwrap().nodes.len(), 1, "it is not dead");
    node_certify(&redis, &place, &one, &label, true).await.unwrap();
    let index = keys::cluster_nodes(&place);
    redis.command(cmd("HSET").arg(&index).arg(format!("x:{two}")).arg("1000 500").to_owned(), &index).await.unwrap();
    node_forget(&redis, &place, &one).await.unwrap();
    let listing = node_list(&redis, &place, &[]).await.unwrap();
    assert!(listing.nodes.is_empty());
    assert_eq!(listing.certified, [one.as_str()], "an old certificate goes, a new one stays");
    assert_eq!(node_renew(&redis, &place, lease(&label, &one)).await.unwrap(), Renewed::Dead);
}

async fn a_dead_nodes_members_are_lost_and_announced_once(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    let elsewhere = Joining { connection: Connection { node: "n2.b", ..CONNECTION }, ..JOINING };
    sos_join(&world.redis, &world.id, plain(), rescuer(), elsewhere, 0, true).await.unwrap();
    let scope = world.scope();
    let events = world.names().await.len();
    // By three nodes at the same time.
    let lost_at = 1_600_000_000_000;
    let reap = || scope_reap(&world.redis, &scope, "n2.b", lost_at, None);
    let (a, b, c) = tokio::join!(reap(), reap(), reap());
    assert_eq!(a.unwrap().lost + b.unwrap().lost + c.unwrap().lost, 1);
    for announced in [true, false] {
        let written = sos_presence(&world.redis, &world.id, plain(), 5_000, 0).await.unwrap().written;
        assert_eq!(written.is_some(), announced);
    }
    assert_eq!(world.names().await.len(), events + 1);
    let presence = world.events("presence:update").await.pop().unwrap();
    let rescuer = presence["members"].as_array().unwrap().iter().find(|member| member["userId"] == "res").unwrap().clone();
    assert_eq!((&rescuer["online"], &rescuer["lastSeen"]), (&false.into(), &serde_json::json!(lost_at)));
    // It listens no longer, and the other does.
    let again = world.join(citizen()).await;
    assert_eq!(again.written.listeners, 1);
    // A scope that is gone.
    let nothing = World::nothing(world.redis.clone());
    assert_eq!(scope_reap(&nothing.redis, &nothing.scope(), "n2.b", 0, None).await.unwrap().lost, 0);
}

async fn a_user_who_is_elsewhere_too_stays(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    let second = Actor { sid: "second", ..citizen() };
    sos_join(
        &world.redis,
        &world.id,
        plain(),
        second,
        Joining { connection: Connection { node: "n2.b", ..CONNECTION }, ..JOINING },
        0,
        true,
    )
    .await
    .unwrap();
    assert_eq!(scope_reap(&world.redis, &world.scope(), "n2.b", 0, None).await.unwrap().lost, 1);
    // It has one socket fewer, and is there.
    assert!(sos_presence(&world.redis, &world.id, plain(), 0, 0).await.unwrap().written.is_some());
    let presence = world.events("presence:update").await.pop().unwrap();
    let member = &presence["members"][0];
    assert_eq!((&member["userId"], &member["online"], &member["sockets"]), (&"cit".into(), &true.into(), &1.into()));
    // Also in a scope without rules.
    let scope = ScopeId::new(Kind::of("room"), &unique("w")).unwrap();
    let member = Member { sid: "s", user: "u", role: "admin", node: "n2.b", session_epoch: 3 };
    scope_join(&world.redis, &scope, plain(), member).await.unwrap();
    assert_eq!(scope_reap(&world.redis, &scope, "n1.a", 0, None).await.unwrap().lost, 0);
    assert_eq!(scope_reap(&world.redis, &scope, "n2.b", 0, None).await.unwrap().lost, 1);
}
