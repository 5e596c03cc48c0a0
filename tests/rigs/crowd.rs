//! A thousand in one incident, and large rooms side by side: what a crowd that comes together costs, and that everybody's list is
//! right in the end, whatever breaks meanwhile.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::cmd;
use serde_json::json;

use convoke::features::sos::kinds;
use convoke::redis::keys;

use super::{alone, say};
use crate::support::attendee::{Attendee, Read, clock};
use crate::support::cluster::Nodes;
use crate::support::redis::Server;
use crate::support::roster::Roster;
use crate::support::sever::sever;

const MEMBERS: usize = 1_000;
/// How long they take to come.
const ARRIVAL: Duration = Duration::from_secs(2);
/// Bytes of one member in an announcement, at most.
const MEMBER_BYTES: usize = 160;
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two positions of a citizen: none waits for a window's end.
const EVERY: Duration = Duration::from_secs(2);

/// The logged announcements of who is there: when (ms), and the payload.
fn announcements(redis: &Server, sos: &str) -> Vec<(u64, String)> {
    let key = keys::scope_log(&kinds::scope(sos));
    let entries: Vec<(String, Vec<String>)> = redis.ask(cmd("XRANGE").arg(key).arg("-").arg("+"));
    let read = |(id, fields): &(String, Vec<String>)| {
        let payload = fields[1].split_once("[\"presence:update\",")?.1;
        Some((id.split('-').next()?.parse().ok()?, payload.strip_suffix(']')?.to_owned()))
    };
    entries.iter().filter_map(read).collect()
}

/// Most announcements within any second.
fn most_in_a_second(told: &[(u64, String)]) -> usize {
    told.iter()
        .enumerate()
        .map(|(at, (from, _))| told[at..].iter().take_while(|(ms, _)| ms - from < 1_000).count())
        .max()
        .unwrap_or(0)
}

async fn all_agree(nodes: &Nodes, sos: &str, members: &[Attendee], users: usize) {
    let started = Instant::now();
    let mut read = Read::default();
    loop {
        let truth = Roster::of(&nodes.state(sos).await);
        let wrong: Vec<_> = members.iter().filter(|member| member.roster(&mut read).members() != truth.members()).collect();
        if wrong.is_empty() && truth.members().len() == users && truth.members().values().all(|member| member.1) {
            return;
        }
        if started.elapsed() > PATIENCE {
            let first = wrong.first().map(|member| member.roster(&mut read));
            let differs = |list: &Roster| {
                let all = truth.members().iter().filter(|(user, is)| list.members().get(*user) != Some(is));
                all.map(|(user, is)| format!("{user} is {is:?}, not {:?}", list.members().get(user))).take(5).collect::<Vec<_>>()
            };
            panic!(
                "{} of {} lists are wrong; {} users; {:?}; {:?}",
                wrong.len(),
                members.len(),
                truth.members().len(),
                first.as_ref().map(differs),
                first.map(|list| list.members().len())
            );
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_join_within_two_seconds_hear_of_each_other_at_a_bounded_cost() {
    let _alone = alone().await;
    let redis = Server::start(&[]);
    let nodes =
        Nodes::start(2, &|_| redis.url(), &[("LOG_LEVEL", "warn,convoke::app=info"), ("PRESENCE_OFFLINE_SECONDS", "60")]).await;
    nodes.create_sos("crowd", "c").await;
    let addresses: Arc<Vec<String>> = Arc::new(nodes.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect());
    let started = Instant::now();
    let arrivals = (0..MEMBERS).map(|number| {
        let (addresses, token) = (addresses.clone(), nodes.token("rescuer", &format!("u{number:04}"), &["crowd"]));
        tokio::spawn(async move {
            tokio::time::sleep(ARRIVAL.mul_f64(number as f64 / MEMBERS as f64)).await;
            let member = Attendee::come(&addresses[number % 2], &token).await;
            if number % 50 != 7 {
                return member;
            }
            // In the middle of it, it changes the network, and comes to the other node.
            let (member, recovered) = member.move_to(&addresses[(number + 1) % 2]).await;
            assert!(recovered, "u{number:04} was not recovered");
            member
        })
    });
    let cut = async {
        tokio::time::sleep(ARRIVAL / 2).await;
        nodes.nodes[1].hub().map(|hub| sever(hub.pid(), &redis))
    };
    let (members, cut) = tokio::join!(join_all(arrivals), cut);
    let mut members: Vec<Attendee> = members.into_iter().map(|member| member.expect("a member")).collect();
    let took = started.elapsed();
    all_agree(&nodes, "crowd", &members, MEMBERS).await;
    assert!(cut.is_some_and(|connections| connections > 0), "the second node was cut off Redis for a moment");

    let told = announcements(&redis, "crowd");
    let bytes: usize = told.iter().map(|(_, payload)| payload.len()).sum();
    let most = most_in_a_second(&told);
    let received: usize = members.iter().map(|member| member.seen().told.len()).sum();
    say!(
        "{MEMBERS} joined in {took:?}: {} announcements, {most} within a second at most, {bytes} bytes; {received} events received",
        told.len()
    );
    assert!(most <= 8, "{most} announcements within a second");
    // Those who joined, and twice those who moved, and while the room was small its whole list.
    assert!(bytes < (MEMBERS + MEMBERS / 25) * MEMBER_BYTES + told.len() * 100 + 50 * 50 * MEMBER_BYTES, "{bytes} bytes");
    assert!(members.iter().all(|member| member.seen().closed.is_none()), "nobody is dropped");
    let heard = |member: &Attendee| member.seen().told.iter().filter(|(name, _)| *name == "presence:update").count();
    assert!(members.iter().all(|member| heard(member) <= told.len()), "and nobody hears anything twice");

    // The node that has to announce a leave is killed; those who were there come to the other one.
    members[2].emit("sos:leave", json!({"sosId": "crowd"}));
    members[4].emit("sos:leave", json!({"sosId": "crowd"}));
    let gone = [members.remove(4), members.remove(2)];
    members[0].wait("a leave", |seen| seen.told.last().is_some_and(|(_, text)| text.contains("u0002"))).await;
    // Both have left; what was announced of the second one is for the window's end.
    while Roster::of(&nodes.state("crowd").await).members().contains_key("u0004") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    nodes.nodes[0].kill();
    drop(gone);
    let moves = members.into_iter().map(|member| {
        let address = addresses[1].clone();
        async move { member.move_to(&address).await }
    });
    let moved = join_all(moves).await;
    let recovered = moved.iter().filter(|(_, recovered)| *recovered).count();
    let members: Vec<Attendee> = moved.into_iter().map(|(member, _)| member).collect();
    say!("{recovered} of {} were recovered at the node that is left", members.len());
    all_agree(&nodes, "crowd", &members, MEMBERS - 2).await;
}

/// `CONVOKE_CROWD=10x505` is the full size.
fn size() -> (usize, usize) {
    let text = std::env::var("CONVOKE_CROWD").unwrap_or_else(|_| "3x110".into());
    let (rooms, members) = text.split_once('x').expect("CONVOKE_CROWD is rooms x members");
    (rooms.parse().expect("rooms"), members.parse().expect("members"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_go_on_in_large_rooms_while_the_last_of_each_join() {
    let _alone = alone().await;
    let (rooms, size) = size();
    let last = 100.min(size / 2);
    let redis = Server::start(&[]);
    let nodes = Nodes::start(2, &|_| redis.url(), &[("LOG_LEVEL", "warn,convoke::app=info")]).await;
    let addresses: Vec<String> = nodes.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    for room in 0..rooms {
        nodes.create_sos(&format!("room-{room}"), &format!("c{room}")).await;
    }
    let join = async |numbers: std::ops::Range<usize>| {
        let (nodes, addresses) = (&nodes, &addresses);
        let gate = tokio::sync::Semaphore::new(64);
        let gate = &gate;
        join_all(numbers.flat_map(|number| (0..rooms).map(move |room| (room, number))).map(|(room, number)| async move {
            let _permit = gate.acquire().await.expect("open");
            let (role, user) =
                if number == 0 { ("citizen", format!("c{room}")) } else { ("rescuer", format!("r{room}-{number}")) };
            let token = nodes.token(role, &user, &[&format!("room-{room}")]);
            let member = Attendee::come(&addresses[number % 2], &token).await;
            (room, member)
        }))
        .await
    };
    let mut members = join(0..size - last).await;
    members.iter().for_each(|(_, member)| member.seen().latencies.clear());
    let speaking = async {
        let citizens: Vec<_> = members.iter().take(rooms).collect();
        let mut timer = tokio::time::interval(EVERY.div_f64(rooms as f64));
        for turn in 0.. {
            timer.tick().await;
            let (room, citizen) = citizens[turn % rooms];
            let fix = json!({"sosId": format!("room-{room}"), "latitude": 14.5, "longitude": 121.0, "accuracy": clock()});
            citizen.emit("location:update", fix);
        }
    };
    let started = Instant::now();
    let newcomers = async {
        // Some positions before them, and some after.
        tokio::time::sleep(EVERY).await;
        let newcomers = join(size - last..size).await;
        tokio::time::sleep(EVERY).await;
        newcomers
    };
    let more = tokio::select! {
        more = newcomers => more,
        () = speaking => unreachable!("it goes on"),
    };
    let took = started.elapsed() - 2 * EVERY;
    let mut latencies: Vec<u32> = members.iter().flat_map(|(_, member)| member.seen().latencies.clone()).collect();
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
    members.extend(more);
    let closed: Vec<String> = members.iter().filter_map(|(_, member)| member.seen().closed.clone()).collect();
    assert!(closed.is_empty(), "{} were dropped: {}", closed.len(), closed[0]);
    for room in 0..rooms {
        let of_room = members.extract_if(.., |(of, _)| *of == room).map(|(_, member)| member).collect::<Vec<_>>();
        all_agree(&nodes, &format!("room-{room}"), &of_room, size).await;
    }
    say!(
        "{rooms} rooms of {size}: while the last {last} of each joined, in {took:?}, {} positions came after {} ms (median), {} ms (p99), {} ms (most)",
        latencies.len(),
        at(0.5),
        at(0.99),
        latencies.last().copied().unwrap_or_default()
    );
    assert!(latencies.len() >= rooms * (size - last), "positions came all the while");
}
