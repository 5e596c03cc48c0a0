//! The permission table of the contract, § 3: every event, by everybody, on an incident that lasts and on one that is over.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::{Hub, INTERNAL};
use super::support::incident::{client, member};
use super::support::pair::{Pair, pair};

/// Who asks, in the order of the columns of the tables below.
const COLUMNS: [Column; 11] = [
    Column { role: "citizen", user: "owner", names: true, joins: true },
    Column { role: "citizen", user: "owner", names: true, joins: false },
    Column { role: "citizen", user: "neighbour", names: true, joins: true },
    Column { role: "citizen", user: "stranger", names: false, joins: false },
    Column { role: "rescuer", user: "r1", names: true, joins: true },
    Column { role: "rescuer", user: "r1", names: true, joins: false },
    Column { role: "rescuer", user: "stranger", names: false, joins: false },
    Column { role: "dispatcher", user: "d1", names: false, joins: true },
    Column { role: "dispatcher", user: "d1", names: false, joins: false },
    Column { role: "admin", user: "a1", names: false, joins: true },
    Column { role: "admin", user: "a1", names: false, joins: false },
];

#[derive(Clone, Copy, Debug)]
struct Column {
    role: &'static str,
    user: &'static str,
    /// Its token names the incident; otherwise it names another one, if its role needs one at all.
    names: bool,
    /// It is a member.
    joins: bool,
}

/// `ok`; `un`: ok and `unchanged`; `fo`: FORBIDDEN; `cl`: SOS_CLOSED.
const LASTING: &str = "
    #                   its citizen | another | stranger | rescuer | stranger | dispatcher | admin
    #                   in    out     in        out        in   out  out        in     out   in  out
    sos:init            ok    ok      ok        fo         ok   ok   fo         ok     ok    ok  ok
    sos:leave           ok    un      ok        un         ok   un   un         ok     un    ok  un
    sos:close           ok    ok      fo        fo         fo   fo   fo         ok     ok    ok  ok
    status:cancelled    ok    ok      fo        fo         fo   fo   fo         ok     ok    ok  ok
    status:closed       fo    fo      fo        fo         fo   fo   fo         ok     ok    ok  ok
    status:assigned     fo    fo      fo        fo         ok   ok   fo         ok     ok    ok  ok
    sos:ack             fo    fo      fo        fo         ok   ok   fo         ok     ok    fo  fo
    location:update     ok    ok      ok        fo         ok   ok   fo         fo     fo    fo  fo
    location:batch      ok    ok      ok        fo         ok   ok   fo         fo     fo    fo  fo
    message:send        ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    message:history     ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    offer               ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    answer              ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    iceCandidate        ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    signal              ok    fo      ok        fo         ok   fo   fo         ok     fo    ok  fo
    sos:watch           fo    fo      fo        fo         fo   fo   fo         ok     ok    ok  ok
    sos:unwatch         fo    fo      fo        fo         fo   fo   fo         ok     ok    ok  ok
    ping                ok    ok      ok        ok         ok   ok   ok         ok     ok    ok  ok
    heartbeat           ok    ok      ok        ok         ok   ok   ok         ok     ok    ok  ok
";

/// After the end nobody is in the room any more; `in` says who was.
const OVER: &str = "
    #                   its citizen | another | stranger | rescuer | stranger | dispatcher | admin
    #                   in    out     in        out        in   out  out        in     out   in  out
    sos:init            ok    ok      ok        fo         ok   ok   fo         ok     ok    ok  ok
    sos:leave           un    un      un        un         un   un   un         un     un    un  un
    sos:close           un    un      fo        fo         fo   fo   fo         un     un    un  un
    status:cancelled    cl    cl      fo        fo         fo   fo   fo         cl     cl    cl  cl
    status:closed       fo    fo      fo        fo         fo   fo   fo         un     un    un  un
    status:assigned     fo    fo      fo        fo         cl   cl   fo         cl     cl    cl  cl
    sos:ack             fo    fo      fo        fo         cl   cl   fo         cl     cl    fo  fo
    location:update     cl    cl      cl        fo         cl   cl   fo         fo     fo    fo  fo
    location:batch      ok    ok      ok        fo         ok   ok   fo         fo     fo    fo  fo
    message:send        cl    cl      cl        fo         cl   cl   fo         cl     cl    cl  cl
    message:history     ok    ok      ok        fo         ok   ok   fo         ok     ok    ok  ok
    offer               cl    cl      cl        fo         cl   cl   fo         cl     cl    cl  cl
    answer              cl    cl      cl        fo         cl   cl   fo         cl     cl    cl  cl
    iceCandidate        cl    cl      cl        fo         cl   cl   fo         cl     cl    cl  cl
    signal              cl    cl      cl        fo         cl   cl   fo         cl     cl    cl  cl
    sos:watch           fo    fo      fo        fo         fo   fo   fo         ok     ok    ok  ok
    sos:unwatch         fo    fo      fo        fo         fo   fo   fo         ok     ok    ok  ok
    ping                ok    ok      ok        ok         ok   ok   ok         ok     ok    ok  ok
    heartbeat           ok    ok      ok        ok         ok   ok   ok         ok     ok    ok  ok
";

/// The rows of a table: its event's line, and what each column gets.
fn rows(table: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.map(|line| {
        let mut words = line.split_whitespace();
        (words.next().expect("an event"), words.collect::<Vec<_>>())
    });
    rows.inspect(|(event, cells)| assert_eq!(cells.len(), COLUMNS.len(), "{event}")).collect()
}

/// The event of a line, and a payload that only rights can make fail.
fn event(line: &'static str, sos: &str) -> (&'static str, Value) {
    let (event, mut payload) = match line {
        "status:cancelled" => ("sos:status:update", json!({"status": "cancelled"})),
        "status:closed" => ("sos:status:update", json!({"status": "closed"})),
        "status:assigned" => ("sos:status:update", json!({"status": "assigned"})),
        "location:update" => (line, json!({"latitude": 1, "longitude": 2})),
        "location:batch" => (line, json!({"points": [{"latitude": 1, "longitude": 2, "timestamp": 5}]})),
        "message:send" => (line, json!({"text": "x"})),
        "offer" | "answer" | "iceCandidate" | "signal" => (line, json!({"payload": 1})),
        other => (other, json!({})),
    };
    payload["sosId"] = json!(sos);
    (event, payload)
}

impl Column {
    async fn connect(&self, hub: &Hub, sos: &str) -> Client {
        match (self.role, self.names) {
            ("dispatcher" | "admin", _) => {
                let client = client(hub, self.role, self.user, &[]).await;
                if self.joins {
                    client.ask_ok("sos:init", json!({"sosId": sos})).await;
                }
                client
            }
            // `sosIds` with two entries alone: a right without a membership.
            (_, true) if !self.joins => {
                let claims = json!({"userId": self.user, "role": self.role, "sosIds": [sos, "another"]});
                Client::connect(&hub.url(), json!({"token": super::sos_tokens::sign(&claims)})).await
            }
            (_, true) => member(hub, self.role, self.user, sos).await,
            (_, false) => client(hub, self.role, self.user, &["elsewhere"]).await,
        }
    }
}

/// One cell: the answer with an ack, and, where it is a refusal, without one.
async fn holds(pair: &Pair, line: &'static str, at: usize, expected: &'static str, over: bool) {
    let (column, hub) = (COLUMNS[at], if at.is_multiple_of(2) { &pair.a } else { &pair.b });
    let sos = format!("perm-{}-{at}-{over}", line.replace(':', "-"));
    pair.a.create_sos(&sos, "owner").await;
    let mut client = column.connect(hub, &sos).await;
    if over {
        let (status, _) =
            pair.b.internal(reqwest::Method::POST, &format!("/sos/{sos}/close"), Some(json!({"closedBy": "x"}))).await;
        assert_eq!(status, 200);
        if column.joins {
            client.wait("sos:close").await;
        }
    }
    let (event, payload) = event(line, &sos);
    let what = format!("{line} by {column:?}, over: {over}");
    let reply = client.ask(event, payload.clone()).await;
    let code = match expected {
        "ok" | "un" => {
            assert_eq!((&reply["ok"], &reply["code"]), (&json!(true), &Value::Null), "{what}: {reply}");
            let unchanged = if expected == "un" { json!(true) } else { Value::Null };
            assert_eq!(reply["unchanged"], unchanged, "{what}: {reply}");
            return;
        }
        "fo" => "FORBIDDEN",
        "cl" => "SOS_CLOSED",
        other => panic!("{other} means nothing"),
    };
    assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!(code)), "{what}: {reply}");
    assert!(reply["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {reply}");
    client.emit(event, payload);
    let error = client.wait_for("error", |error| error["event"] == event).await;
    assert_eq!((&error["code"], error["message"].is_string()), (&json!(code), true), "{what}: {error}");
    if !matches!(event, "sos:watch" | "sos:unwatch") {
        assert_eq!(error["sosId"], json!(sos), "{what}: {error}");
    }
}

async fn table_holds(table: &'static str, over: bool) {
    let pair = pair().await;
    for (line, cells) in rows(table) {
        join_all(cells.into_iter().enumerate().map(|(at, cell)| holds(pair, line, at, cell, over))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_table_holds_while_an_incident_lasts() {
    table_holds(LASTING, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_table_holds_after_its_end() {
    table_holds(OVER, true).await;
}

#[tokio::test]
async fn no_event_and_no_payload_of_another_citizen_reads_joins_or_writes_an_incident() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("perm-mine", "victim").await;
    b.create_sos("perm-theirs", "intruder").await;
    let mut victim = member(a, "citizen", "victim", "perm-mine").await;
    victim.ask_ok("message:send", json!({"text": "secret", "clientMessageId": "m"})).await;
    victim.ask_ok("location:update", json!({"latitude": 1, "longitude": 2, "clientMessageId": "l"})).await;
    for event in ["presence:update", "message:broadcast", "location:broadcast"] {
        victim.wait(event).await;
    }
    let intruder = member(b, "citizen", "intruder", "perm-theirs").await;
    let before = (victim.events().len(), stable_state(a, "perm-mine").await);

    let lines =
        rows(LASTING).into_iter().map(|(line, _)| line).filter(|line| !matches!(*line, "ping" | "heartbeat" | "sos:leave"));
    for line in lines {
        let (event, payload) = event(line, "perm-mine");
        // What the token says counts, whatever a payload claims; an id of another's write opens nothing.
        let with = |fields: Value| {
            let mut payload = payload.clone();
            payload.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
            payload
        };
        let attempts = [
            payload.clone(),
            with(json!({"userId": "victim", "role": "admin", "citizenId": "victim", "sosIds": ["perm-mine"]})),
            with(json!({"clientMessageId": "m"})),
            with(json!({"clientMessageId": "l"})),
            with(json!({"to": victim.sid(), "token": "x", "force": true, "before": "9999999999999-0"})),
        ];
        for attempt in attempts {
            let reply = intruder.ask(event, attempt.clone()).await;
            assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!("FORBIDDEN")), "{event} {attempt}: {reply}");
            assert!(!reply.to_string().contains("secret"));
        }
        // No other spelling of the id is one.
        for sos in [
            json!(["perm-mine"]),
            json!({"$eq": "perm-mine"}),
            json!("{perm-mine}"),
            json!("perm-mine\u{0}"),
            json!(" perm-mine"),
        ] {
            let reply = intruder.ask(event, with(json!({"sosId": sos}))).await;
            assert_eq!(reply["ok"], false, "{event} {sos}: {reply}");
        }
    }
    // From its own incident a signal reaches no member of another.
    let aside = json!({"payload": 1, "to": victim.sid()});
    assert_eq!(intruder.ask("signal", aside).await["code"], "INVALID_PAYLOAD");
    assert_eq!(intruder.ask("offer", json!({"payload": 1, "to": "victim"})).await["code"], "INVALID_PAYLOAD");
    intruder.ask_ok("sos:init", json!({"sosId": "perm-theirs"})).await;

    assert_eq!(stable_state(a, "perm-mine").await, before.1);
    victim.ask_ok("message:send", json!({"text": "the next thing"})).await;
    victim.wait_for("message:broadcast", |message| message["text"] == "the next thing").await;
    let since: Vec<_> = victim.events()[before.0..].iter().map(|event| event.name.clone()).collect();
    assert_eq!(since, ["message:broadcast"], "the room heard nothing else");
    assert!(intruder.events().iter().all(|event| !format!("{event:?}").contains("secret")));
    let (_, trail) = a.internal(reqwest::Method::GET, "/sos/perm-mine/events?limit=1000", None).await;
    assert!(trail.to_string().contains("intruder"), "the trail names who tried: {trail}");
}

/// An incident's state without what time alone changes.
async fn stable_state(hub: &Hub, sos: &str) -> Value {
    let (_, mut answer) = hub.internal(reqwest::Method::GET, &format!("/sos/{sos}/state"), None).await;
    for location in answer["data"]["locations"].as_array_mut().expect("a list") {
        location["ageMs"] = Value::Null;
    }
    for member in answer["data"]["members"].as_array_mut().expect("a list") {
        member["lastSeen"] = Value::Null;
    }
    answer["data"].take()
}

#[tokio::test]
async fn who_somebody_is_comes_from_the_token_alone() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("perm-who", "c1").await;
    let citizen = member(a, "citizen", "c1", "perm-who").await;
    let mut rescuer = member(b, "rescuer", "r1", "perm-who").await;
    let claim = |payload: Value| {
        let mut payload = payload;
        for (name, value) in
            [("userId", "boss"), ("role", "admin"), ("updatedBy", "boss"), ("socketId", "x"), ("messageId", "1-1")]
        {
            payload[name] = json!(value);
        }
        payload
    };
    citizen.ask_ok("message:send", claim(json!({"text": "hi"}))).await;
    let message = rescuer.wait("message:broadcast").await;
    assert_eq!((&message["userId"], &message["role"]), (&json!("c1"), &json!("citizen")));
    assert_ne!(message["messageId"], "1-1");
    citizen.ask_ok("location:update", claim(json!({"latitude": 0, "longitude": 0}))).await;
    let location = rescuer.wait("location:broadcast").await;
    assert_eq!((&location["userId"], &location["role"]), (&json!("c1"), &json!("citizen")));
    citizen.ask_ok("signal", claim(json!({"payload": 1}))).await;
    let signal = rescuer.wait("signal").await;
    assert_eq!(signal, json!({"socketId": citizen.sid(), "userId": "c1", "payload": 1}));
    citizen.ask_ok("sos:status:update", claim(json!({"status": "cancelled"}))).await;
    assert_eq!(rescuer.wait("sos:status:broadcast").await["updatedBy"], "c1");
}

#[tokio::test]
async fn its_citizen_is_who_has_the_role_and_the_id() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("perm-its", "c1").await;
    let (namesake, promoted) = (member(a, "rescuer", "c1", "perm-its").await, member(b, "citizen", "x1", "perm-its").await);
    for (event, payload) in [("sos:close", json!({})), ("sos:status:update", json!({"status": "cancelled"}))] {
        assert_eq!(namesake.ask(event, payload.clone()).await["code"], "FORBIDDEN");
        assert_eq!(promoted.ask(event, payload).await["code"], "FORBIDDEN");
    }
    // An admission gives its own role, here and nowhere else.
    a.create_sos("perm-its-2", "c1").await;
    let body = json!({"userId": "x1", "role": "dispatcher"});
    assert!(a.internal(reqwest::Method::POST, "/sos/perm-its/members", Some(body)).await.0 < 300);
    promoted.ask_ok("sos:init", json!({})).await;
    assert_eq!(promoted.ask("sos:init", json!({"sosId": "perm-its-2"})).await["code"], "FORBIDDEN");
    assert_eq!(promoted.ask("sos:watch", json!({})).await["code"], "FORBIDDEN");
    promoted.ask_ok("sos:close", json!({})).await;
}

#[tokio::test]
async fn sos_id_may_be_left_out_only_if_the_token_names_exactly_one() {
    let Pair { a, .. } = pair().await;
    a.create_sos("perm-only", "c1").await;
    let one = member(a, "citizen", "c1", "perm-only").await;
    one.ask_ok("message:send", json!({"text": "x"})).await;
    one.ask_ok("location:update", json!({"latitude": 0, "longitude": 0})).await;
    let two = client(a, "citizen", "c1", &["perm-only", "perm-only-2"]).await;
    let none = client(a, "dispatcher", "d1", &[]).await;
    for client in [two, none] {
        for (event, payload) in [("sos:init", json!({})), ("message:send", json!({"text": "x"})), ("sos:leave", Value::Null)] {
            assert_eq!(client.ask(event, payload).await["code"], "INVALID_SOS_ID", "{event}");
        }
    }
}

#[tokio::test]
async fn an_id_that_no_incident_can_have_is_refused_and_never_taken_as_left_out() {
    let Pair { a, .. } = pair().await;
    a.create_sos("perm-ids", "c1").await;
    let citizen = member(a, "citizen", "c1", "perm-ids").await;
    for (line, _) in rows(LASTING) {
        if matches!(line, "ping" | "heartbeat" | "sos:watch" | "sos:unwatch") {
            continue;
        }
        for id in ["", ".", "..", "a/b"] {
            let (event, payload) = event(line, id);
            assert_eq!(citizen.ask(event, payload).await["code"], "INVALID_SOS_ID", "{line} {id:?}");
        }
    }
    // Nor is the receiver of a signal, or the place in the history.
    let refused = citizen.ask("signal", json!({"payload": {}, "to": ""})).await;
    assert_eq!(refused["code"], "INVALID_PAYLOAD");
    assert_eq!(citizen.ask("message:history", json!({"before": ""})).await["code"], "INVALID_PAYLOAD");
    for path in ["/sos/../state", "/sos/%2e%2e/state", "/sos/%2e/track", "/sos/%2E%2E/events"] {
        // Sent as it stands: an HTTP client would go up a folder.
        let (status, body) = raw_internal(a, path).await;
        assert_eq!((status, &body["code"]), (400, &json!("INVALID_SOS_ID")), "{path}");
    }
}

/// `GET /internal/realtime<path>`, to the byte.
async fn raw_internal(hub: &Hub, path: &str) -> (u16, Value) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(hub.address).await.expect("the hub");
    let head = format!(
        "GET /internal/realtime{path} HTTP/1.1\r\nhost: hub\r\nx-internal-token: {INTERNAL}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON"))
}

#[tokio::test]
async fn an_incident_that_nobody_knows_is_not_found_for_those_with_rights_and_forbidden_for_others() {
    let Pair { a, .. } = pair().await;
    let (admin, stranger) = (client(a, "admin", "a1", &[]).await, client(a, "rescuer", "r1", &["elsewhere"]).await);
    for (line, _) in rows(LASTING) {
        if matches!(line, "ping" | "heartbeat" | "sos:watch" | "sos:unwatch") {
            continue;
        }
        let (event, payload) = event(line, "perm-nowhere");
        // Whether there is such an incident is not for everybody to know.
        let refused = stranger.ask(event, payload.clone()).await;
        match event {
            "sos:leave" => assert_eq!(refused["unchanged"], true, "{refused}"),
            _ => assert_eq!(refused["code"], "FORBIDDEN", "{line}"),
        }
        let reply = admin.ask(event, payload).await;
        match event {
            // There is no SOS service to ask.
            "sos:init" => assert_eq!(reply["code"], "UNAVAILABLE", "{reply}"),
            "sos:leave" => assert_eq!(reply["unchanged"], true, "{reply}"),
            _ => assert_eq!(reply["code"], "SOS_NOT_FOUND", "{line}: {reply}"),
        }
    }
}
