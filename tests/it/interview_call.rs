//! The call of an interview as its clients see it, on two nodes: who is there, signals, chat, the document, screens.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::interviews_world::{
    CANDIDATE, Interview, MANY_ADDRESSES, NAMESPACE, ORG, connect, connection, create, invite, recruiter, set_status,
};
use crate::support::DEADLINE;
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::returning::last_offset;

/// No grace ends in a test's time.
const NEVER: (&str, &str) = ("LEAVE_GRACE_MS", "600000");
/// It ends at once.
const AT_ONCE: (&str, &str) = ("LEAVE_GRACE_MS", "0");
/// Each change is announced by itself.
const NO_WINDOW: (&str, &str) = ("CALL_PRESENCE_WINDOW_MS", "0");

/// Both sides of an interview, on a node each, not in the call yet.
struct Sides {
    world: World,
    interview: Interview,
    candidate: Client,
    interviewer: Client,
}

impl Sides {
    async fn new(env: &[(&str, &str)]) -> Option<Self> {
        let world = World::start(2, &[&[MANY_ADDRESSES], env].concat()).await?;
        let interview = create(&world, json!({})).await;
        let candidate = connect(&world, 0, &interview.token).await;
        let interviewer = connect(&world, 1, &staff("interviewer", "rita")).await;
        Some(Self { world, interview, candidate, interviewer })
    }

    /// Both are in the call, and know it.
    async fn in_call(env: &[(&str, &str)]) -> Option<Self> {
        let mut sides = Self::new(env).await?;
        join(&sides.candidate, &sides.interview, "candidate").await;
        join(&sides.interviewer, &sides.interview, "interviewer").await;
        sides.candidate.wait("call:ready").await;
        sides.interviewer.wait("call:ready").await;
        Some(sides)
    }
}

fn about(interview: &Interview, mut fields: Value) -> Value {
    fields["interviewId"] = interview.id.as_str().into();
    fields
}

fn staff(role: &str, user: &str) -> String {
    recruiter(role, user, Some(ORG))
}

async fn join(client: &Client, interview: &Interview, role: &str) -> Value {
    client.ask_ok("joinRoom", json!({"interviewId": interview.id, "role": role})).await
}

/// Who is there: `<role> <identity>`, in their order.
fn there(presence: &Value) -> Vec<String> {
    let sockets = presence.as_array().unwrap_or_else(|| panic!("{presence} is no list")).iter();
    sockets.map(|socket| format!("{} {}", socket["role"].as_str().unwrap(), socket["identity"].as_str().unwrap())).collect()
}

/// Waits until this client knows that these are there.
async fn wait_for(client: &mut Client, expected: &[&str]) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let told = client.received("presence:update");
        if told.last().is_some_and(|presence| there(presence) == expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{expected:?}, but told were {told:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn code(client: &Client, event: &str, payload: Value) -> String {
    let answer = client.ask(event, payload).await;
    assert_eq!(answer["ok"], false, "{answer}");
    answer["code"].as_str().unwrap().to_owned()
}

const ADA: &str = "candidate cand-1";
const RITA: &str = "interviewer rita";

#[tokio::test]
async fn both_sides_meet_in_one_call_whatever_the_case_of_its_id_and_however_often_they_join() {
    let Some(mut sides) = Sides::new(&[NO_WINDOW]).await else { return };
    let id = sides.interview.id.clone();
    let ack = sides.candidate.ask_ok("joinRoom", json!({"interviewId": id, "role": "candidate", "identity": CANDIDATE})).await;
    let expected =
        json!({"ok": true, "interviewId": id, "socketId": sides.candidate.sid(), "role": "candidate", "identity": CANDIDATE});
    assert_eq!(ack, expected);
    let alone = json!([{"socketId": sides.candidate.sid(), "identity": CANDIDATE, "role": "candidate"}]);
    assert_eq!(sides.candidate.wait("presence:update").await, alone, "the one who joins is told too");

    // Without role and identity the token says both.
    let ack = sides.interviewer.ask_ok("joinRoom", json!({"interviewId": id.to_uppercase()})).await;
    assert_eq!((&ack["interviewId"], &ack["identity"]), (&json!(id), &json!("rita")));
    for client in [&mut sides.candidate, &mut sides.interviewer] {
        wait_for(client, &[ADA, RITA]).await;
        assert_eq!(client.wait("call:ready").await, json!({"interviewId": id}));
    }
    for id in [id.to_uppercase(), id.clone()] {
        sides.interviewer.ask_ok("joinRoom", json!({"interviewId": id, "role": "Interviewer"})).await;
    }
    assert_eq!(sides.interviewer.wait_count("presence:update", 3).await.len(), 3, "who joins again is told who is there");
    sides.candidate.ask_ok("offer", about(&sides.interview, json!({"payload": {"sdp": "v=0"}}))).await;
    let offer = sides.interviewer.wait("offer").await;
    assert_eq!(offer, json!({"socketId": sides.candidate.sid(), "payload": {"sdp": "v=0"}}));
    sides.interviewer.ask_ok("answer", json!({"payload": 7})).await;
    sides.candidate.wait("answer").await;
    assert_eq!(sides.interviewer.received("offer").len(), 1, "one room, whatever the case of its id");
    assert_eq!((sides.candidate.received("presence:update").len(), sides.candidate.received("call:ready").len()), (2, 1));

    sides.interviewer.ask_ok("leaveRoom", about(&sides.interview, json!({}))).await;
    wait_for(&mut sides.candidate, &[ADA]).await;
    assert_eq!(sides.interviewer.ask_ok("leaveRoom", json!({})).await["unchanged"], true);
    assert_eq!(code(&sides.interviewer, "offer", about(&sides.interview, json!({"payload": 1}))).await, "NOT_IN_ROOM");
    join(&sides.interviewer, &sides.interview, "interviewer").await;
    sides.candidate.wait_count("call:ready", 2).await;
}

#[tokio::test]
async fn what_goes_to_all_goes_to_the_others_and_what_names_a_socket_to_that_one() {
    let Some(mut sides) = Sides::in_call(&[NO_WINDOW]).await else { return };
    let mut observer = connect(&sides.world, 0, &staff("observer", "olga")).await;
    join(&observer, &sides.interview, "observer").await;
    let bytes = Bytes::from_static(b"\0\x01\xff");
    let payload = about(&sides.interview, json!({"payload": {"data": {"_placeholder": true, "num": 0}}}));
    sides.candidate.emit_binary("iceCandidate", &[payload], std::slice::from_ref(&bytes));
    for client in [&mut sides.interviewer, &mut observer] {
        let event = client.wait_event("iceCandidate", |_| true).await;
        assert_eq!(
            (event.args[0]["socketId"].as_str(), &event.attachments),
            (Some(&*sides.candidate.sid()), &vec![bytes.clone()])
        );
    }
    let to = |sid: String| about(&sides.interview, json!({"payload": "x", "to": sid}));
    let (to_rita, to_nobody) = (to(sides.interviewer.sid()), to("nobody".into()));
    sides.candidate.ask_ok("signal", to_rita).await;
    assert_eq!(sides.interviewer.wait("signal").await["payload"], "x");
    assert_eq!(code(&sides.candidate, "signal", to_nobody).await, "NOT_IN_ROOM");
    assert_eq!(code(&sides.candidate, "offer", about(&sides.interview, json!({}))).await, "INVALID_PAYLOAD");
    sides.candidate.ask_ok("signal", about(&sides.interview, json!({"payload": "to all"}))).await;
    assert_eq!(observer.wait("signal").await["payload"], "to all", "what was for one socket did not come here");
    assert!(sides.candidate.received("signal").is_empty() && sides.candidate.received("iceCandidate").is_empty());

    // Without an acknowledgement a refusal is an event.
    observer.emit("offer", about(&sides.interview, json!({"payload": 1})));
    let error = observer.wait("error").await;
    assert_eq!(
        (&error["code"], &error["event"], &error["interviewId"]),
        (&json!("FORBIDDEN"), &json!("offer"), &json!(sides.interview.id))
    );
    for (event, payload) in [
        ("chat:message", json!({"text": "hello"})),
        ("chat:history", json!({})),
        ("editor:update", json!({"update": "x", "version": 1})),
        ("screen:share", json!({"active": true})),
    ] {
        assert_eq!(code(&observer, event, about(&sides.interview, payload)).await, "FORBIDDEN", "{event}");
    }
    observer.ask_ok("leaveRoom", json!({})).await;
    wait_for(&mut sides.interviewer, &[ADA, RITA]).await;
}

#[tokio::test]
async fn a_role_needs_its_token_and_an_interview_is_open_to_those_who_see_it() {
    let Some(sides) = Sides::new(&[]).await else { return };
    let (world, interview) = (&sides.world, &sides.interview);
    let other = create(world, json!({"organizationId": "org-2", "recruiterIds": []})).await;
    let observer = connect(world, 0, &staff("observer", "olga")).await;
    let (_, invited) = invite(world, interview).await;
    let guest = connection(world, 0, &invited).auth(json!({"token": invited, "participantId": "guest"})).connect().await;
    for (client, interview, role, identity, expected) in [
        (&sides.candidate, interview, "interviewer", "cand-1", "FORBIDDEN"),
        (&sides.candidate, interview, "candidate", "guest", "FORBIDDEN"),
        (&sides.candidate, &other, "candidate", "cand-1", "INTERVIEW_NOT_FOUND"),
        (&sides.candidate, interview, "boss", "cand-1", "INVALID_PAYLOAD"),
        (&guest, interview, "candidate", "cand-1", "FORBIDDEN"),
        (&sides.interviewer, interview, "candidate", "rita", "FORBIDDEN"),
        (&sides.interviewer, interview, "interviewer", "cand-1", "FORBIDDEN"),
        (&sides.interviewer, &other, "interviewer", "rita", "INTERVIEW_NOT_FOUND"),
        (&observer, interview, "interviewer", "olga", "FORBIDDEN"),
    ] {
        let payload = json!({"interviewId": interview.id, "role": role, "identity": identity});
        assert_eq!(code(client, "joinRoom", payload).await, expected, "{role} {identity}");
    }
    assert_eq!(code(&sides.interviewer, "joinRoom", json!({"interviewId": "x"})).await, "INTERVIEW_NOT_FOUND");
    assert_eq!(code(&sides.interviewer, "joinRoom", json!({})).await, "INVALID_PAYLOAD");
    assert_eq!(guest.ask_ok("joinRoom", about(&sides.interview, json!({}))).await["identity"], "guest");
    set_status(world, interview, "CANCELLED").await;
    assert_eq!(code(&sides.candidate, "joinRoom", about(&sides.interview, json!({}))).await, "INTERVIEW_UNAVAILABLE");
}

#[tokio::test]
async fn who_hangs_up_is_gone_at_once_and_a_lost_connection_after_the_grace() {
    let Some(mut sides) = Sides::in_call(&[NEVER, NO_WINDOW]).await else { return };
    let other = connect(&sides.world, 1, &staff("recruiter", "rob")).await;
    join(&other, &sides.interview, "recruiter").await;
    wait_for(&mut sides.candidate, &[ADA, RITA, "recruiter rob"]).await;
    other.leave().await; // a DISCONNECT packet
    wait_for(&mut sides.candidate, &[ADA, RITA]).await;
    drop(sides.interviewer);
    // What is lost stays until its grace is over, also when others come.
    let newcomer = connect(&sides.world, 0, &staff("observer", "olga")).await;
    join(&newcomer, &sides.interview, "observer").await;
    wait_for(&mut sides.candidate, &[ADA, RITA, "observer olga"]).await;
    // A new socket of the same user takes the place of the one that was lost.
    let back = connect(&sides.world, 0, &staff("interviewer", "rita")).await;
    join(&back, &sides.interview, "interviewer").await;
    wait_for(&mut sides.candidate, &[ADA, "observer olga", RITA]).await;
    sides.candidate.wait_count("call:ready", 2).await;

    let Some(mut sides) = Sides::in_call(&[AT_ONCE, NO_WINDOW]).await else { return };
    drop(sides.interviewer);
    wait_for(&mut sides.candidate, &[ADA]).await;
}

/// Comes back on a node as the client that it was.
async fn back(world: &World, node: usize, token: &str, before: (Value, Option<String>)) -> Client {
    let (reply, offset) = before;
    let mut auth = json!({"token": token, "pid": reply["pid"]});
    if let Some(offset) = offset {
        auth["offset"] = offset.into();
    }
    let client = Client::builder(&world.hubs[node].url()).namespace(NAMESPACE).query("recovery=1").auth(auth).connect().await;
    assert_eq!(client.connect_reply()["sid"], reply["sid"], "the same socket");
    client
}

#[tokio::test]
async fn who_comes_back_is_not_announced_and_gets_what_it_missed() {
    let Some(mut sides) = Sides::in_call(&[NEVER, NO_WINDOW]).await else { return };
    let (reply, offset) = (sides.candidate.connect_reply(), last_offset(&sides.candidate));
    drop(sides.candidate);
    let to = about(&sides.interview, json!({"payload": "while away", "to": reply["sid"]}));
    sides.interviewer.ask_ok("offer", to).await;
    sides.interviewer.ask_ok("chat:message", json!({"text": "hello?"})).await;
    sides.interviewer.ask_ok("editor:update", json!({"update": "fn", "version": 1})).await;
    let mut candidate = back(&sides.world, 1, &sides.interview.token, (reply, offset)).await;
    assert_eq!(candidate.wait("offer").await["payload"], "while away");
    assert_eq!(candidate.wait("chat:message").await["text"], "hello?");
    assert_eq!(candidate.wait("editor:update").await["update"], "fn", "the document as it is now");
    candidate.ask_ok("answer", json!({"payload": "here"})).await;
    assert_eq!(sides.interviewer.wait("answer").await["payload"], "here");
    assert_eq!(sides.interviewer.received("presence:update").len(), 1, "nobody was told");
    assert!(candidate.received("presence:update").is_empty());
}

#[tokio::test]
async fn a_new_token_ends_places_in_calls_that_it_does_not_allow() {
    let Some(mut sides) = Sides::in_call(&[NEVER, NO_WINDOW]).await else { return };
    let otto = connect(&sides.world, 0, &staff("interviewer", "otto")).await;
    join(&otto, &sides.interview, "interviewer").await;
    // The same rights: the place stays.
    otto.ask_ok("auth:refresh", json!({"token": staff("recruiter", "otto")})).await;
    otto.ask_ok("chat:message", about(&sides.interview, json!({"text": "here"}))).await;
    // The interview is out of sight.
    let elsewhere = recruiter("interviewer", "rita", Some("org-9"));
    sides.interviewer.ask_ok("auth:refresh", json!({ "token": elsewhere })).await;
    wait_for(&mut sides.candidate, &[ADA, "interviewer otto"]).await;
    let say = about(&sides.interview, json!({"text": "still here?"}));
    assert_eq!(code(&sides.interviewer, "chat:message", say.clone()).await, "NOT_IN_ROOM");
    // It is in sight, but an observer is no interviewer.
    otto.ask_ok("auth:refresh", json!({"token": staff("observer", "otto")})).await;
    wait_for(&mut sides.candidate, &[ADA]).await;
    join(&otto, &sides.interview, "observer").await;
    wait_for(&mut sides.candidate, &[ADA, "observer otto"]).await;
}

#[tokio::test]
async fn who_comes_back_with_a_token_that_does_not_show_the_interview_is_in_its_call_no_longer() {
    let Some(mut sides) = Sides::in_call(&[AT_ONCE, NO_WINDOW]).await else { return };
    let before = (sides.interviewer.connect_reply(), last_offset(&sides.interviewer));
    drop(sides.interviewer);
    let elsewhere = recruiter("interviewer", "rita", Some("org-9"));
    let auth = json!({"token": elsewhere, "pid": before.0["pid"], "offset": before.1});
    let again = connection(&sides.world, 1, &elsewhere).auth(auth).connect().await;
    assert_ne!(again.connect_reply()["pid"], before.0["pid"], "a new connection");
    wait_for(&mut sides.candidate, &[ADA]).await;
    assert_eq!(code(&again, "chat:message", about(&sides.interview, json!({"text": "?"}))).await, "NOT_IN_ROOM");
}

#[tokio::test]
async fn a_dead_nodes_members_are_gone_unless_they_come_back_elsewhere() {
    let Some(mut sides) = Sides::in_call(&[NO_WINDOW]).await else { return };
    let lost = connect(&sides.world, 0, &staff("observer", "olga")).await;
    join(&lost, &sides.interview, "observer").await;
    wait_for(&mut sides.interviewer, &[ADA, RITA, "observer olga"]).await;
    let before = (sides.candidate.connect_reply(), last_offset(&sides.candidate));
    sides.world.hubs[0].kill();
    let mut candidate = back(&sides.world, 1, &sides.interview.token, before).await;
    candidate.ask_ok("offer", json!({"payload": "I am back"})).await;
    assert_eq!(sides.interviewer.wait("offer").await["payload"], "I am back");
    // The dead node's lease ends after some seconds, and the grace counts from there.
    sides
        .world
        .eventually("who was on the dead node is gone", async || {
            sides.interviewer.received("presence:update").last().is_some_and(|presence| there(presence) == [ADA, RITA])
        })
        .await;
    wait_for(&mut candidate, &[ADA, RITA]).await;
    drop(lost);
}

#[tokio::test]
async fn the_chat_is_told_to_all_and_kept() {
    let Some(mut sides) = Sides::in_call(&[]).await else { return };
    let ask = about(&sides.interview, json!({"text": "hello ☂", "clientMessageId": "m-1"}));
    let ack = sides.candidate.ask_ok("chat:message", ask.clone()).await;
    let expected = json!({
        "interviewId": sides.interview.id, "messageId": ack["messageId"], "clientMessageId": "m-1", "socketId": sides.candidate.sid(),
        "identity": CANDIDATE, "role": "candidate", "text": "hello ☂", "timestamp": ack["timestamp"],
    });
    for client in [&mut sides.candidate, &mut sides.interviewer] {
        assert_eq!(client.wait("chat:message").await, expected);
    }
    let again = sides.candidate.ask_ok("chat:message", ask).await;
    assert_eq!((&again["messageId"], &again["duplicate"]), (&ack["messageId"], &json!(true)));
    for n in 1..=3 {
        sides.interviewer.ask_ok("chat:message", json!({"text": format!("{n}")})).await;
    }
    let page = sides.candidate.ask_ok("chat:history", about(&sides.interview, json!({"limit": 2}))).await;
    let texts = |page: &Value| {
        page["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&page), ["2", "3"]);
    let before = sides.candidate.ask_ok("chat:history", json!({"before": page["nextBefore"]})).await;
    assert_eq!((texts(&before), &before["nextBefore"]), (vec!["hello ☂".to_owned(), "1".into()], &Value::Null));
    assert_eq!(before["messages"][0], expected, "a kept message is what was told");
    for bad in [json!({}), json!({"text": ""}), json!({"text": "x".repeat(4001)}), json!({"text": 5})] {
        assert_eq!(code(&sides.candidate, "chat:message", bad).await, "INVALID_PAYLOAD");
    }
}

#[tokio::test]
async fn the_document_is_written_by_who_knew_the_last_one_and_shown_to_who_comes() {
    let Some(mut sides) = Sides::in_call(&[]).await else { return };
    let write = |update: &str, version: u64| about(&sides.interview, json!({"update": update, "version": version}));
    let (first, stale, second) = (write("a", 1), write("b", 1), write("b", 2));
    assert_eq!(sides.candidate.ask_ok("editor:update", first).await["version"], 1);
    let told = json!({"socketId": sides.candidate.sid(), "update": "a", "version": 1});
    assert_eq!(sides.interviewer.wait("editor:update").await, told);
    let conflict = sides.interviewer.ask("editor:update", stale).await;
    let expected = json!({"ok": false, "code": "VERSION_CONFLICT", "message": "The document has changed meanwhile",
        "socketId": sides.candidate.sid(), "update": "a", "version": 1});
    assert_eq!(conflict, expected, "with the one that is kept");
    sides.interviewer.ask_ok("editor:update", second).await;
    assert_eq!(sides.candidate.wait("editor:update").await["update"], "b");
    assert_eq!(sides.interviewer.received("editor:update").len(), 1, "who writes it does not get it");
    let mut newcomer = connect(&sides.world, 0, &staff("observer", "olga")).await;
    join(&newcomer, &sides.interview, "observer").await;
    let told = json!({"socketId": sides.interviewer.sid(), "update": "b", "version": 2});
    assert_eq!(newcomer.wait("editor:update").await, told);
    assert_eq!(
        code(&sides.candidate, "editor:update", json!({"update": "x".repeat(262_145), "version": 3})).await,
        "INVALID_PAYLOAD"
    );
    // Without an acknowledgement the kept one comes as an event.
    sides.candidate.emit("editor:update", json!({"update": "c", "version": 9}));
    assert_eq!(sides.candidate.wait("error").await["version"], 2);
    assert_eq!(sides.candidate.wait("editor:update").await["version"], 2);
}

#[tokio::test]
async fn a_screen_is_shown_until_it_is_not_or_its_socket_is_gone() {
    let Some(mut sides) = Sides::in_call(&[AT_ONCE, NO_WINDOW]).await else { return };
    sides.interviewer.ask_ok("screen:share", about(&sides.interview, json!({"active": true}))).await;
    let shown = json!({"socketId": sides.interviewer.sid(), "identity": "rita", "active": true});
    assert_eq!(sides.candidate.wait("screen:share").await, shown);
    let mut newcomer = connect(&sides.world, 0, &staff("observer", "olga")).await;
    join(&newcomer, &sides.interview, "observer").await;
    assert_eq!(newcomer.wait("screen:share").await, shown);
    assert!(sides.interviewer.received("screen:share").is_empty());
    sides.interviewer.ask_ok("screen:share", json!({"active": false})).await;
    assert_eq!(newcomer.wait("screen:share").await["active"], false);
    assert_eq!(sides.interviewer.ask_ok("screen:share", json!({"active": false})).await["unchanged"], true);
    sides.interviewer.ask_ok("screen:share", json!({"active": true})).await;
    newcomer.wait("screen:share").await;
    drop(sides.interviewer);
    assert_eq!(newcomer.wait("screen:share").await["active"], false);
}

#[tokio::test]
async fn where_signalling_is_open_a_socket_without_a_token_is_who_it_says_but_nobody_who_has_one() {
    let Some(mut sides) = Sides::in_call(&[("INTERVIEW_OPEN_SIGNALLING", "true"), NO_WINDOW]).await else { return };
    let open = || Client::builder(&sides.world.hubs[1].url()).namespace(NAMESPACE).query("recovery=1").connect();
    let mut stranger = open().await;
    let joining = |id: &str, identity: &str| json!({"interviewId": id, "role": "interviewer", "identity": identity});
    let id = sides.interview.id.clone();
    for taken in [CANDIDATE, "rita"] {
        assert_eq!(code(&stranger, "joinRoom", joining(&id, taken)).await, "FORBIDDEN", "{taken}");
    }
    assert_eq!(code(&stranger, "joinRoom", json!({"interviewId": id})).await, "INVALID_PAYLOAD");
    let nowhere = uuid::Uuid::new_v4().to_string();
    assert_eq!(code(&stranger, "joinRoom", joining(&nowhere, "x")).await, "INTERVIEW_NOT_FOUND");
    stranger.ask_ok("joinRoom", joining(&id.to_uppercase(), "ivan")).await;
    wait_for(&mut stranger, &[ADA, RITA, "interviewer ivan"]).await;
    stranger.ask_ok("offer", json!({"interviewId": id, "payload": "sdp"})).await;
    assert_eq!(sides.candidate.wait("offer").await["socketId"], stranger.sid());
    for event in ["join-interview", "observe-interview", "audio-chunk", "heartbeat", "auth:refresh"] {
        assert_eq!(code(&stranger, event, json!({"interviewId": id})).await, "FORBIDDEN", "{event}");
    }
    // An interview without anybody who has a token.
    let other = create(&sides.world, json!({})).await;
    let (mut ann, ben) = (open().await, open().await);
    ann.ask_ok("joinRoom", json!({"interviewId": other.id, "role": "candidate", "identity": CANDIDATE})).await;
    ben.ask_ok("joinRoom", joining(&other.id, "ben")).await;
    ann.wait("call:ready").await;
}

#[tokio::test]
async fn beyond_the_limits_of_a_call_an_event_is_refused() {
    let Some(sides) = Sides::in_call(&[("MAX_RELAY_BYTES", "1000"), ("ROOMS_PER_SOCKET", "1"), ("CALL_MAX_SOCKETS", "3")]).await
    else {
        return;
    };
    let signal = |bytes: usize| about(&sides.interview, json!({"payload": "x".repeat(bytes - 2)}));
    sides.candidate.ask_ok("signal", signal(1000)).await;
    assert_eq!(code(&sides.candidate, "signal", signal(1001)).await, "INVALID_PAYLOAD");
    let other = create(&sides.world, json!({})).await;
    let joining = json!({"interviewId": other.id});
    assert_eq!(code(&sides.interviewer, "joinRoom", joining.clone()).await, "RATE_LIMITED");
    for (length, expected) in [(128, true), (129, false)] {
        let named = about(&sides.interview, json!({"identity": "é".repeat(length)}));
        assert_eq!(sides.interviewer.ask("joinRoom", named).await["ok"], expected);
    }
    sides.interviewer.ask_ok("leaveRoom", json!({})).await;
    sides.interviewer.ask_ok("joinRoom", joining).await;
    let mut observers = Vec::new();
    for (user, expected) in [("a", true), ("b", true), ("c", false)] {
        let observer = connect(&sides.world, 1, &staff("observer", user)).await;
        let answer = observer.ask("joinRoom", json!({"interviewId": sides.interview.id})).await;
        assert_eq!(answer["ok"], expected, "{user}: {answer}");
        assert!(expected || answer["code"] == "RATE_LIMITED", "{answer}");
        observers.push(observer);
    }
}

#[tokio::test]
async fn of_many_who_join_together_few_announcements_are_made() {
    const OBSERVERS: usize = 180;
    let Some(mut sides) = Sides::in_call(&[("CALL_PRESENCE_WINDOW_MS", "1000")]).await else { return };
    let joins = (0..OBSERVERS).map(|n| {
        let (world, interview) = (&sides.world, &sides.interview);
        async move {
            let client = connect(world, n % 2, &staff("observer", &format!("o-{n}"))).await;
            join(&client, interview, "observer").await;
            client
        }
    });
    let mut observers = futures_util::future::join_all(joins).await;
    let all = |presence: &Value| presence.as_array().is_some_and(|sockets| sockets.len() == OBSERVERS + 2);
    sides.candidate.wait_for("presence:update", all).await;
    for observer in &mut observers {
        observer.wait_for("presence:update", all).await;
    }
    let announced = sides.candidate.received("presence:update").len();
    assert!(announced < OBSERVERS / 4, "{announced} announcements for {OBSERVERS} who came");
    println!("{announced} announcements for {OBSERVERS} who came");
}
