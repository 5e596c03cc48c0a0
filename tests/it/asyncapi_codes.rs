//! The codes that the document of events names: each is answered by its event in one of the situations here, or there is a reason why
//! it cannot be shown. That no event is answered with another one, every test looks at (`support::codes`).

use std::collections::BTreeSet;

use convoke::features::sos::keys;
use convoke::redis::cmd;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::interviews_world::{
    Interview, MANY_ADDRESSES, NAMESPACE, ORG, connect, connection, create, invite, join_interview, recruiter, recruiter_until,
    set_status,
};
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::codes;
use crate::support::eventually_asked;
use crate::support::hub::{Hub, now_seconds};
use crate::support::incident::{client, member};
use crate::support::redis::Server as Redis;
use crate::support::sos_ms::SosMs;
use crate::support::unconfirmed::Replica;

/// What any event may be refused with before its handler sees it: it breaks a rule of the wire, the connection says too much, its node has
/// lost touch with Redis, or the handler has a fault. `socketio` answers these, whatever the event is, and has tests of its own for them.
const OF_ANY_EVENT: [&str; 4] = ["INVALID_PAYLOAD", "RATE_LIMITED", "UNAVAILABLE", "INTERNAL"];

/// What was answered in the situations of one namespace.
struct Codes {
    namespace: &'static str,
    seen: BTreeSet<(String, String)>,
}

impl Codes {
    fn new(namespace: &'static str) -> Self {
        Self { namespace, seen: BTreeSet::new() }
    }

    /// Sends an event and notes the code that it is refused with, if it is.
    async fn ask(&mut self, client: &Client, event: &str, payload: Value) {
        let answer = client.ask(event, payload).await;
        if let Some(code) = answer["code"].as_str() {
            self.seen.insert((event.to_owned(), code.to_owned()));
        }
    }

    /// [`Codes::ask`] for many clients at once: a replica that confirms nothing is soon waited for no longer.
    async fn ask_at_once(&mut self, asked: impl Iterator<Item = (&'static str, &Client, Value)>) {
        let answers = asked.map(|(event, client, payload)| async move { (event, client.ask(event, payload).await) });
        for (event, answer) in join_all(answers).await {
            if let Some(code) = answer["code"].as_str() {
                self.seen.insert((event.to_owned(), code.to_owned()));
            }
        }
    }

    /// [`Codes::ask`] while Redis hangs: it was sent, and nobody knows whether it was done.
    async fn ask_hanging(&mut self, redis: &Redis, client: &Client, event: &str, payload: Value) {
        for _ in 0..20 {
            redis.freeze();
            let answer = client.ask(event, payload.clone()).await;
            redis.thaw();
            if answer["code"] == "UNCONFIRMED" {
                self.seen.insert((event.to_owned(), "UNCONFIRMED".to_owned()));
                return;
            }
            // Something else was under way just then, and this was not sent.
            eventually_asked("Redis answers again", async || {
                !matches!(client.ask(event, payload.clone()).await["code"].as_str(), Some("UNAVAILABLE" | "UNCONFIRMED"))
            })
            .await;
        }
        panic!("{event} is never UNCONFIRMED");
    }

    /// [`Codes::ask`] for an answer that must be this refusal.
    async fn refused(&mut self, client: &Client, event: &str, payload: Value, code: &str) {
        let answer = client.ask(event, payload.clone()).await;
        assert_eq!(answer["code"], code, "{event} {payload}: {answer}");
        self.seen.insert((event.to_owned(), code.to_owned()));
    }

    /// Each code of the document was answered, or is one of `reasoned`: `(event, code)`, with `*` for every event. Each of those is
    /// documented, and was not answered.
    fn are_those_of_the_document(&self, reasoned: &[(&str, &str)]) {
        let mut missing = Vec::new();
        let mut needed = BTreeSet::new();
        for event in codes::events(self.namespace) {
            for code in codes::documented(self.namespace, event).into_iter().flatten() {
                if OF_ANY_EVENT.contains(&&**code) || self.seen.contains(&(event.to_owned(), code.clone())) {
                    continue;
                }
                match reasoned.iter().find(|(of, reason)| (*of == "*" || *of == event) && reason == code) {
                    Some(reason) => {
                        needed.insert(*reason);
                    }
                    None => missing.push(format!("{event} {code}")),
                }
            }
        }
        let surplus: Vec<_> = reasoned.iter().filter(|reason| !needed.contains(*reason)).collect();
        assert!(missing.is_empty(), "documented for {}, and never answered: {missing:#?}", self.namespace);
        assert!(surplus.is_empty(), "a reason for what is answered or not documented: {surplus:?}");
    }
}

/// A payload of an event about an incident that the hub takes, if the sender may send it.
fn about_incident(event: &str, sos: &str) -> Value {
    let mut payload = match event {
        "auth:refresh" => return json!({"token": "x"}),
        "sos:watch" | "sos:unwatch" | "ping" | "heartbeat" => return json!({}),
        "sos:status:update" => json!({"status": "cancelled"}),
        "location:update" => json!({"latitude": 1, "longitude": 2}),
        "location:batch" => json!({"points": [{"latitude": 1, "longitude": 2}]}),
        "message:send" => json!({"text": "hello"}),
        "offer" | "answer" | "iceCandidate" | "signal" => json!({"payload": {}}),
        _ => json!({}),
    };
    payload["sosId"] = sos.into();
    payload
}

/// One client of each event, in an incident of its own, whose writes are not confirmed.
async fn unconfirmed_incidents(codes: &mut Codes) {
    let redis = Redis::start(&[]);
    let replica = Replica::of(&redis);
    let hub = Hub::start(&[("REDIS_URL", &*redis.url()), ("REDIS_DEADLINE_MS", "3000")]).await;
    let mut clients = Vec::new();
    for (at, event) in codes::events("/").enumerate() {
        let sos = format!("u{at}");
        hub.create_sos(&sos, "c1").await;
        let is_for_staff = matches!(event, "sos:watch" | "sos:unwatch" | "sos:ack" | "auth:refresh");
        let role = if is_for_staff { "dispatcher" } else { "citizen" };
        let client = match event {
            "sos:init" => client(&hub, role, "c1", &[&sos, "other"]).await,
            _ => member(&hub, role, "c1", &sos).await,
        };
        clients.push((event, sos, client));
    }
    replica.confirms_nothing();
    let token = hub.token("citizen", "c1", &[]);
    let asked = clients.iter().map(|(event, sos, client)| {
        let payload = if *event == "auth:refresh" { json!({ "token": token }) } else { about_incident(event, sos) };
        (*event, client, payload)
    });
    codes.ask_at_once(asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_about_incidents_that_is_documented_is_answered() {
    let redis = Redis::start(&[]);
    let url = redis.url();
    // A service that knows no incident but those that are made here.
    let service = SosMs::start().await;
    let hub = Hub::start(&[("REDIS_URL", &*url), ("SOS_MS_URL", &service.url()), MANY_ADDRESSES]).await;
    let mut codes = Codes::new("/");
    for (sos, citizen) in [("live", "c1"), ("over", "c1"), ("foreign", "c9"), ("named", "c1"), ("next", "c1")] {
        hub.create_sos(sos, citizen).await;
    }
    let dispatcher = client(&hub, "dispatcher", "d1", &[]).await;
    let citizen = member(&hub, "citizen", "c1", "over").await;
    let stranger = client(&hub, "citizen", "c2", &["live", "missing"]).await;
    // It joined before the end, and goes on to say something.
    dispatcher.ask_ok("sos:close", json!({"sosId": "over"})).await;
    // A token that has ended opens the incident that it names, and no other.
    let expired = hub.token_until("citizen", "c1", &["named"], Some(now_seconds() - 3_600));
    let late = Client::connect(&hub.url(), json!({ "token": expired })).await;
    for event in codes::events("/") {
        for (sos, of) in
            [("a b", &citizen), ("over", &citizen), ("missing", &stranger), ("foreign", &stranger), ("foreign", &late)]
        {
            codes.ask(of, event, about_incident(event, sos)).await;
        }
        for sos in ["missing", "over", "live"] {
            codes.ask(&dispatcher, event, about_incident(event, sos)).await;
        }
    }
    let mut rescuer = member(&hub, "rescuer", "r1", "next").await;
    let citizen = member(&hub, "citizen", "c1", "next").await;
    for (client, event, payload, code) in [
        (&dispatcher, "sos:status:update", json!({"sosId": "next", "status": "asleep"}), "INVALID_STATUS"),
        (&rescuer, "sos:status:update", json!({"sosId": "next", "status": "arrived"}), "INVALID_TRANSITION"),
        (&citizen, "location:update", json!({"latitude": 91, "longitude": 0}), "INVALID_LOCATION"),
        (&citizen, "message:send", json!({"text": " "}), "INVALID_MESSAGE"),
        (&citizen, "auth:refresh", json!({"token": "x"}), "INVALID_TOKEN"),
        (&citizen, "auth:refresh", json!({"token": hub.token("citizen", "c2", &["next"])}), "INVALID_TOKEN"),
        (
            &citizen,
            "auth:refresh",
            json!({"token": hub.token_until("citizen", "c1", &["next"], Some(now_seconds() - 3_600))}),
            "TOKEN_EXPIRED",
        ),
    ] {
        codes.refused(client, event, payload, code).await;
    }
    hub.internal(Method::DELETE, "/sos/next/members/r1", None).await;
    let error = rescuer.wait_for("error", |error| error["event"] == "sos:leave").await;
    codes.seen.insert(("sos:leave".to_owned(), error["code"].as_str().expect("a code").to_owned()));
    // What is spoiled in Redis is a fault of ours.
    redis.ask::<()>(cmd("SET").arg(keys::state("bad")).arg("spoiled"));
    codes.refused(&dispatcher, "sos:close", json!({"sosId": "bad"}), "INTERNAL").await;
    unconfirmed_incidents(&mut codes).await;
    let hasty = Hub::start(&[("REDIS_URL", &*url), ("REDIS_DEADLINE_MS", "700")]).await;
    let (citizen, dispatcher) = (member(&hasty, "citizen", "c1", "next").await, client(&hasty, "dispatcher", "d1", &[]).await);
    for (client, event) in
        [(&citizen, "sos:init"), (&citizen, "location:update"), (&citizen, "message:history"), (&dispatcher, "sos:watch")]
    {
        codes.ask_hanging(&redis, client, event, about_incident(event, "next")).await;
    }
    let token = json!({"token": hasty.token("citizen", "c1", &["next"])});
    codes.ask_hanging(&redis, &citizen, "auth:refresh", token).await;
    codes.are_those_of_the_document(&[
        // The session has moved to a node that lacks the key.
        ("auth:refresh", "NOT_CONFIGURED"),
        // For a number that is none, which only msgpack has: `what_is_not_a_number_is_left_to_the_event`.
        ("location:batch", "INVALID_LOCATION"),
    ]);
}

/// A payload of an event about an interview that the hub takes, if the sender may send it.
fn about_interview(event: &str, interview: &str, session: &str) -> Value {
    match event {
        "auth:refresh" => json!({"token": "x"}),
        "heartbeat" => json!({}),
        "start-interview" => json!({"sessionId": session}),
        "audio-chunk" => json!({"audioData": "AAAAAAAA"}),
        "response-complete" => json!({"transcription": "words"}),
        "proctor-event" => json!({"type": "tab-switch", "severity": "low"}),
        "chat:message" => json!({"interviewId": interview, "text": "hello"}),
        "editor:update" => json!({"interviewId": interview, "update": "x", "version": 1}),
        "screen:share" => json!({"interviewId": interview, "active": true}),
        "offer" | "answer" | "iceCandidate" | "signal" => json!({"interviewId": interview, "payload": {}}),
        _ => json!({"interviewId": interview}),
    }
}

const NO_INTERVIEW: &str = "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11";
const FAST: [(&str, &str); 3] = [MANY_ADDRESSES, ("EVENTS_PER_SECOND", "100000"), ("EVENTS_PER_SECOND_PER_USER", "100000")];

/// What a token that is refreshed is refused with.
async fn refreshed_tokens(codes: &mut Codes, world: &World, interview: &Interview, lead: &Client) {
    let expired = recruiter_until("recruiter", "r-1", Some(ORG), now_seconds() - 3_600);
    codes.refused(lead, "auth:refresh", json!({ "token": expired }), "TOKEN_EXPIRED").await;
    codes.refused(lead, "auth:refresh", json!({"token": "x"}), "INVALID_TOKEN").await;
    let guest = async |invite: &str, participant: &str| {
        connection(world, 0, invite).auth(json!({"token": invite, "participantId": participant})).connect().await
    };
    let [own, expired, revoked, used] = [
        invite(world, interview).await,
        invite(world, interview).await,
        invite(world, interview).await,
        invite(world, interview).await,
    ];
    let (ana, _bob) = (guest(&own.1, "ana").await, guest(&used.1, "bob").await);
    world.sql(&format!("UPDATE convoke.invites SET expires_at = now() - interval '1 hour' WHERE id = '{}'", expired.0)).await;
    world.sql(&format!("UPDATE convoke.invites SET revoked_at = now() WHERE id = '{}'", revoked.0)).await;
    for (invite, code) in [(expired, "INVITE_EXPIRED"), (revoked, "INVITE_REVOKED"), (used, "INVITE_USED")] {
        codes.refused(&ana, "auth:refresh", json!({ "token": invite.1 }), code).await;
    }
}

/// Writes that no replica confirms: one client of each event.
async fn unconfirmed_interviews(codes: &mut Codes) {
    let Some(world) = World::start(1, &[&FAST[..], &[("REDIS_DEADLINE_MS", "3000")]].concat()).await else { return };
    let replica = Replica::of(&world.redis);
    let mut clients = Vec::new();
    for event in codes::events(NAMESPACE) {
        let interview = create(&world, json!({})).await;
        if event == "observe-interview" {
            clients.push((event, interview, String::new(), connect(&world, 0, &recruiter("recruiter", "r-1", Some(ORG))).await));
            continue;
        }
        let candidate = connect(&world, 0, &interview.token).await;
        let mut session = String::new();
        if !matches!(event, "join-interview" | "joinRoom") {
            candidate.ask_ok("joinRoom", json!({"interviewId": interview.id})).await;
            session = join_interview(&candidate, &interview).await;
        }
        if !matches!(event, "join-interview" | "start-interview" | "joinRoom") {
            candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
        }
        clients.push((event, interview, session, candidate));
    }
    let interview = create(&world, json!({})).await;
    let first = connect(&world, 0, &interview.token).await;
    first.ask_ok("joinRoom", json!({"interviewId": interview.id})).await;
    let write = about_interview("chat:message", &interview.id, "");
    replica.confirms_nothing_to(async || first.ask("chat:message", write.clone()).await["code"].clone()).await;
    let asked = clients
        .iter()
        .map(|(event, interview, session, client)| (*event, client, about_interview(event, &interview.id, session)));
    codes.ask_at_once(asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_about_interviews_that_is_documented_is_answered() {
    let Some(mut world) = World::start(1, &[&FAST[..], &[("INTERVIEW_OPEN_SIGNALLING", "true")]].concat()).await else { return };
    let mut codes = Codes::new(NAMESPACE);
    let (live, over) = (create(&world, json!({})).await, create(&world, json!({})).await);
    let staff = |role: &str| recruiter(role, "r-1", Some(ORG));
    let [lead, observer, open] = [
        connect(&world, 0, &staff("recruiter")).await,
        connect(&world, 0, &staff("observer")).await,
        Client::builder(&world.hubs[0].url()).namespace(NAMESPACE).auth(json!({})).connect().await,
    ];
    let candidate = connect(&world, 0, &live.token).await;
    let late = connect(&world, 0, &over.token).await;
    set_status(&world, &over, "COMPLETED").await;
    for event in codes::events(NAMESPACE) {
        for client in [&candidate, &lead, &observer, &open, &late] {
            for id in [&*live.id, &over.id, NO_INTERVIEW, "no id"] {
                codes.ask(client, event, about_interview(event, id, NO_INTERVIEW)).await;
            }
        }
    }
    codes.refused(&candidate, "joinRoom", json!({"interviewId": live.id, "role": "observer"}), "FORBIDDEN").await;
    candidate.ask_ok("joinRoom", json!({"interviewId": live.id})).await;
    let edit = about_interview("editor:update", &live.id, "");
    candidate.ask_ok("editor:update", edit).await;
    let other = json!({"interviewId": live.id, "update": "y", "version": 1});
    codes.refused(&candidate, "editor:update", other, "VERSION_CONFLICT").await;
    let session = join_interview(&candidate, &live).await;
    codes.refused(&candidate, "start-interview", json!({"sessionId": NO_INTERVIEW}), "SESSION_NOT_FOUND").await;
    codes.refused(&candidate, "audio-chunk", json!({"audioData": "?"}), "INVALID_AUDIO").await;
    codes.refused(&candidate, "audio-chunk", about_interview("audio-chunk", "", ""), "NO_ACTIVE_SESSION").await;
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    refreshed_tokens(&mut codes, &world, &live, &lead).await;
    unconfirmed_interviews(&mut codes).await;
    let hasty = world.add_node(&[("REDIS_DEADLINE_MS", "700")]).await;
    let (lead, candidate) = (connect(&world, hasty, &staff("recruiter")).await, connect(&world, hasty, &live.token).await);
    candidate.ask_ok("joinRoom", json!({"interviewId": live.id})).await;
    for (client, event) in [(&candidate, "joinRoom"), (&candidate, "chat:history"), (&lead, "observe-interview")] {
        codes.ask_hanging(&world.redis, client, event, about_interview(event, &live.id, "")).await;
    }
    codes.are_those_of_the_document(&[
        // The socket is disconnected right after its place was taken; only what it sent just before is answered so.
        ("*", "SUPERSEDED"),
        // The template is gone from the database.
        ("start-interview", "INTERVIEW_NOT_FOUND"),
        // The session has moved to a node that lacks the key.
        ("auth:refresh", "NOT_CONFIGURED"),
    ]);
}
