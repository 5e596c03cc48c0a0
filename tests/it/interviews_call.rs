//! The call of an interview at the real LiveKit server: what the tokens say, and that both sides meet.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::interviews_world::{As, CANDIDATE, Interview, create, invite, join, joining, recruiter, text};
use crate::support::booking::{World, claims};
use crate::support::hub::now_seconds;
use crate::support::livekit;

/// The token that somebody gets for the call.
async fn token(world: &World, by: As<'_>, interview: &Interview, role: &str, participant: Option<&str>) -> String {
    let answer = join(world, 0, by, &joining(interview, role, participant)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.body["wsUrl"], livekit::shared().unwrap().ws_url());
    assert_eq!(answer.body["roomName"], format!("live-{}", interview.id));
    text(&answer.body["token"])
}

#[tokio::test]
async fn a_token_says_who_where_and_for_how_long() {
    let Some(world) = World::start(1, &[("LIVEKIT_TOKEN_TTL", "90m")]).await else { return };
    let interview = create(&world, json!({})).await;
    let admin = recruiter("admin", "a-1", None);
    for (by, role, participant, identity, name, speaks) in [
        (As::Bearer(&interview.token), "candidate", None, "candidate-cand-1", Some("Ada Lovelace"), true),
        (As::Bearer(&admin), "interviewer", None, "interviewer-a-1", None, true),
        (As::Bearer(&admin), "Observer", Some("a-1"), "observer-a-1", None, false),
        (As::Internal, "observer", Some("boss"), "observer-boss", None, false),
        (As::Internal, "recruiter", Some("r 1/é"), "recruiter-r 1/é", None, true),
    ] {
        let before = now_seconds();
        let claims = claims(&token(&world, by, &interview, role, participant).await);
        let mut given = claims["video"].as_object().unwrap().clone();
        assert_eq!(
            (&given["canPublish"], &given["canPublishData"]),
            (&json!(speaks), &json!(speaks)),
            "said, also where it is not"
        );
        given.retain(|_, right| right != false);
        let mut grant = json!({"room": format!("live-{}", interview.id), "roomJoin": true, "canSubscribe": true});
        if speaks {
            grant["canPublish"] = true.into();
            grant["canPublishData"] = true.into();
        }
        assert_eq!(json!(given), grant);
        assert_eq!((&claims["sub"], &claims["iss"], claims["name"].as_str()), (&json!(identity), &json!(livekit::KEY), name));
        let lasts = claims["exp"].as_u64().unwrap() - before;
        assert!((5400..=5430).contains(&lasts), "it lasts {lasts} s");
        assert!(claims.get("roomConfig").is_none());
    }
    let mut body = joining(&interview, "candidate", None);
    body["displayName"] = "Countess".into();
    let answer = join(&world, 0, As::Bearer(&interview.token), &body).await;
    assert_eq!(claims(answer.body["token"].as_str().unwrap())["name"], "Countess");
}

#[tokio::test]
async fn an_id_in_capitals_is_the_same_call() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut body = joining(&interview, "candidate", None);
    body["interviewId"] = interview.id.to_uppercase().into();
    let answer = join(&world, 0, As::Bearer(&interview.token), &body).await;
    assert_eq!((answer.status, &answer.body["roomName"]), (201, &json!(format!("live-{}", interview.id))));
}

#[tokio::test]
async fn both_sides_meet_in_one_room() {
    let Some(world) = World::start(2, &[]).await else { return };
    let server = livekit::shared().unwrap();
    let (interview, other) = (create(&world, json!({})).await, create(&world, json!({})).await);
    let (_, invited) = invite(&world, &other).await;
    let interviewer = recruiter("interviewer", "named", None);
    let observer = recruiter("observer", "o-1", Some(crate::interviews_world::ORG));
    let mut connections = Vec::new();
    for (by, interview, role) in [
        (As::Bearer(&interview.token), &interview, "candidate"),
        (As::Bearer(&interviewer), &interview, "interviewer"),
        (As::Bearer(&observer), &interview, "observer"),
        (As::Bearer(&invited), &other, "candidate"),
    ] {
        let token = token(&world, by, interview, role, None).await;
        let url = format!("{}/rtc?access_token={token}&auto_subscribe=1&protocol=9", server.ws_url());
        let (connection, _) = tokio_tungstenite::connect_async(url).await.unwrap_or_else(|error| panic!("{role}: {error}"));
        connections.push(connection);
    }
    let room = format!("live-{}", interview.id);
    let start = Instant::now();
    loop {
        let mut met = server.ask("RoomService/ListParticipants", &room, &json!({"room": room})).await;
        let met = met["participants"].as_array_mut().expect("a list");
        met.sort_by_key(|participant| participant["identity"].to_string());
        let identities: Vec<_> = met.iter().map(|participant| participant["identity"].as_str().unwrap_or_default()).collect();
        if identities == [&*format!("candidate-{CANDIDATE}"), "interviewer-named", "observer-o-1"] {
            let may = met.iter().map(|one| ["can_publish", "can_publish_data"].map(|right| one["permission"][right] == true));
            assert_eq!(may.collect::<Vec<_>>(), [[true, true], [true, true], [false, false]]);
            break;
        }
        assert!(start.elapsed() < crate::support::DEADLINE, "in the room are {identities:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_that_somebody_has_changed_opens_nothing() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let token = token(&world, As::Bearer(&interview.token), &interview, "candidate", None).await;
    let (claims, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{claims}.{first}{}", &signature[1..]);
    let url = format!("{}/rtc?access_token={forged}&protocol=9", livekit::shared().unwrap().ws_url());
    match tokio_tungstenite::connect_async(url).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 401),
        other => panic!("{other:?}"),
    }
}
