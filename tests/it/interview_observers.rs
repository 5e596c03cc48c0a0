//! Those who observe an interview: what was told before they came and what is told from then on make one sequence.

use serde_json::{Value, json};

use crate::interviews_world::{MANY_ADDRESSES, NAMESPACE, ORG, begin, connect, create, join_interview, observe, recruiter, text};
use crate::support::booking::World;
use crate::support::client::Client;

/// What an observer was told, by name and what tells one from another: history first, then live.
fn told(history: &Value, live: &Client) -> Vec<String> {
    let line = |event: &str, data: &Value| {
        format!("{event} {} {}", data["type"].as_str().unwrap_or(""), data["trustScore"].as_u64().unwrap_or(0))
    };
    let past = history["events"].as_array().expect("events").iter().map(|past| line(&text(&past["event"]), &past["data"]));
    let of_observers = |name: &str| !matches!(name, "connected" | "observation-started" | "heartbeat-ack");
    let live = live.events();
    let live = live.iter().filter(|event| of_observers(&event.name)).map(|event| line(&event.name, &event.args[0]));
    past.chain(live).collect()
}

async fn notice(candidate: &Client, number: usize) {
    // Each type once: repeats of one within a second are one event.
    let kind = match number {
        0 => "tab-switch".to_owned(),
        4 => "fullscreen-exit".to_owned(),
        8 => "suspicious-activity".to_owned(),
        _ => format!("kind-{number}"),
    };
    loop {
        let reply = candidate.ask("proctor-event", json!({"type": kind, "severity": "high"})).await;
        match reply["code"].as_str() {
            Some("RATE_LIMITED") => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            _ => return assert_eq!(reply["ok"], true, "{reply}"),
        }
    }
}

#[tokio::test]
async fn history_and_what_comes_live_have_no_gap_and_nothing_twice() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let mut observers = Vec::new();
    for number in 0..16 {
        notice(&candidate, number).await;
        if number % 3 == 0 {
            // In the middle of what is told: the next report is on its way when the observer joins.
            let next = notice(&candidate, number + 100);
            let joins = async {
                let client = connect(&world, number % 2, &recruiter("interviewer", "i-1", Some(ORG))).await;
                let history = client.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
                (client, history)
            };
            observers.push(tokio::join!(next, joins).1);
        }
    }
    notice(&candidate, 999).await;
    let mut sequences = Vec::new();
    for (client, history) in &mut observers {
        client.wait_for("proctor-alert", |alert| alert["type"] == "kind-999").await;
        sequences.push(told(history, client));
    }
    let whole = &sequences[0];
    assert!(whole[0].starts_with("candidate-joined") && whole[1].starts_with("interview-started"), "{whole:?}");
    assert_eq!(whole.iter().filter(|line| line.starts_with("proctor-alert")).count(), 16 + 6 + 1, "{whole:?}");
    for sequence in &sequences {
        assert_eq!(sequence, whole);
    }

    // Who knows a part already gets the rest; who asks once more gets nothing that came live.
    let (client, history) = &observers[3];
    let known = text(&history["events"][2]["id"]);
    let again = client.ask_ok("observe-interview", json!({"interviewId": interview.id, "after": known})).await;
    assert_eq!(again["events"].as_array().expect("events")[..], history["events"].as_array().expect("events")[3..]);
    let late = connect(&world, 1, &recruiter("recruiter", "r-2", Some(ORG))).await;
    let rest = late.ask_ok("observe-interview", json!({"interviewId": interview.id, "after": known})).await;
    assert_eq!(told(&rest, &late)[..], whole[3..]);
    assert_eq!((&rest["isLive"], &rest["session"]["isActive"]), (&json!(true), &json!(true)));
    assert_eq!(rest["session"]["progress"]["currentQuestion"], 1);
}

#[tokio::test]
async fn an_observer_is_not_told_the_candidates_address_and_sees_only_what_is_in_sight() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let observer = connect(&world, 0, &recruiter("observer", "o-1", Some(ORG))).await;
    let seen = observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    assert_eq!(seen["interview"], json!({"id": interview.id, "candidateName": "Ada Lovelace", "status": "SCHEDULED"}));
    assert_eq!((&seen["events"], &seen["nextAfter"]), (&json!([]), &Value::Null));
    for (user, org) in [("r-9", Some("org-9")), ("r-9", None)] {
        let stranger = connect(&world, 0, &recruiter("recruiter", user, org)).await;
        let refused = stranger.ask("observe-interview", json!({"interviewId": interview.id})).await;
        assert_eq!(
            (&refused["code"], &refused["message"]),
            (&json!("INTERVIEW_NOT_FOUND"), &json!("Interview not found or invalid token"))
        );
    }
    let candidate = connect(&world, 0, &interview.token).await;
    join_interview(&candidate, &interview).await;
    observer.wait_count("candidate-joined", 1).await;
}

/// A link that breaks is found again with everything that was told meanwhile; a token of another organization loses the place.
#[tokio::test]
async fn an_observer_gets_back_what_was_told_meanwhile_if_the_interview_is_still_in_its_sight() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    for (org, is_back) in [(ORG, true), ("org-9", false)] {
        let observer = observe(&world, 0, &interview).await;
        join_interview(&candidate, &interview).await;
        observer.wait_count("candidate-joined", 1).await;
        let pid = observer.connect_reply()["pid"].clone();
        let offset = crate::support::returning::last_offset(&observer).expect("an offset");
        drop(observer);
        join_interview(&candidate, &interview).await;
        let auth = json!({"token": recruiter("recruiter", "r-1", Some(org)), "pid": pid, "offset": offset});
        let back = Client::builder(&world.hubs[1].url()).namespace(NAMESPACE).query("recovery=1").auth(auth).connect().await;
        assert_eq!(back.connect_reply()["pid"] == pid, is_back);
        if is_back {
            back.wait_count("candidate-joined", 1).await;
            assert!(back.received("connected").is_empty(), "not repeated");
        } else {
            back.wait_count("connected", 1).await;
            join_interview(&candidate, &interview).await;
            back.settle().await;
            assert!(back.received("candidate-joined").is_empty());
        }
    }
}

#[tokio::test]
async fn a_long_history_is_read_in_pages_without_a_gap_and_nothing_twice() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let log = format!("interview:log:{{{}}}", interview.id);
    let data = json!({"type": "long", "message": "x".repeat(20_000)}).to_string();
    for _ in 0..40 {
        let entry = [log.as_str(), "*", "e", "proctor-alert", "d", &data, "t", "1769851800000"];
        world.redis.ask::<String>(redis::cmd("XADD").arg(&entry));
    }
    notice(&candidate, 0).await;
    let observer = connect(&world, 0, &recruiter("recruiter", "r-1", Some(ORG))).await;
    let (mut pages, mut ids, mut after) = (0, Vec::new(), Value::Null);
    loop {
        let page = observer.ask_ok("observe-interview", json!({"interviewId": interview.id, "after": after})).await;
        ids.extend(page["events"].as_array().expect("events").iter().map(|event| text(&event["id"])));
        pages += 1;
        after = page["nextAfter"].clone();
        if after.is_null() {
            break;
        }
        assert_eq!(Some(&text(&after)), ids.last());
    }
    let kept: Vec<(String, Vec<String>)> = world.redis.ask(redis::cmd("XRANGE").arg(&log).arg("-").arg("+"));
    // What was told after the first page came live.
    assert_eq!(ids, kept.into_iter().map(|(id, _)| id).take(ids.len()).collect::<Vec<_>>());
    assert!(pages > 2 && ids.len() > 42, "{pages} pages, {} events", ids.len());
}
