//! Socket.IO: events, their answers, and what is refused.

use convoke::engineio::CloseReason;
use convoke::socketio::DisconnectReason;
use serde_json::{Value, json};

use crate::support::raw::{Polling, Ws};
use crate::support::server::Options;
use crate::support::sockets::{Hub, PATH, connected};
use crate::support::{eventually, within};

#[tokio::test]
async fn events_come_back_with_all_their_arguments() {
    let hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    for event in [r#"42["echo"]"#, r#"42["echo",1,"2",{"3":[true,null,1.5e3]}]"#, r#"42["echo","€ \"😀\" \u20ac"]"#] {
        ws.send(event).await;
        assert_eq!(ws.text().await, event);
    }
    let binary = r#"452-["echo",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#;
    ws.send(binary).await;
    ws.send_binary(&[1, 2, 3]).await;
    ws.send_binary(&[]).await;
    assert_eq!(ws.text().await, binary);
    assert_eq!(ws.binary().await, [1, 2, 3]);
    assert_eq!(ws.binary().await, [] as [u8; 0]);
}

#[tokio::test]
async fn polling_carries_the_same_events() {
    let hub = Hub::by_default().await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    let binary = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID";
    polling.send(format!("42[\"echo\",1]\x1e{binary}\x1e4277[\"return\",2]")).await;
    let mut all = polling.poll().await;
    while !all.ends_with("4377[2]") {
        all = format!("{all}\x1e{}", polling.poll().await);
    }
    assert_eq!(all, format!("42[\"echo\",1]\x1e{binary}\x1e4377[2]"));
}

#[tokio::test]
async fn an_acknowledgement_carries_what_the_handler_answers() {
    let hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    for (event, ack) in [
        (r#"42456["return",1,"2",{"3":[false]}]"#, r#"43456[1,"2",{"3":[false]}]"#),
        (r#"420["return"]"#, "430[]"),
        (r#"421["see",{}]"#, r#"431[{"ok":true}]"#),
        (r#"429007199254740992["object",{"a":1}]"#, r#"439007199254740992[{"a":1}]"#),
        (r#"422["object"]"#, "432[{}]"),
        (r#"422["object",null]"#, "432[{}]"),
    ] {
        ws.send(event).await;
        assert_eq!(ws.text().await, ack);
    }
    ws.send(r#"451-789["return",{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(&[4, 5, 6]).await;
    assert_eq!(ws.text().await, r#"461-789[{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, [4, 5, 6]);
}

/// Sends an event with and without an ack; both answers must carry the code.
async fn is_refused(ws: &mut Ws, event: &str, arguments: &str, code: &str) {
    ws.send(&format!(r#"427["{event}"{arguments}]"#)).await;
    let ack: Value = serde_json::from_str(ws.text().await.strip_prefix("437").unwrap()).unwrap();
    assert_eq!((&ack[0]["ok"], &ack[0]["code"]), (&json!(false), &json!(code)), "{event}");
    assert!(ack[0]["message"].is_string());
    ws.send(&format!(r#"42["{event}"{arguments}]"#)).await;
    let error: Value = serde_json::from_str(ws.text().await.strip_prefix("42").unwrap()).unwrap();
    assert_eq!((&error[0], &error[1]["code"], &error[1]["event"]), (&json!("error"), &json!(code), &json!(event)));
    assert!(error[1]["message"].is_string());
}

#[tokio::test]
async fn whatever_is_refused_says_why_with_and_without_an_ack_and_the_socket_goes_on() {
    let hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    is_refused(&mut ws, "nobody-knows", "", "UNKNOWN_EVENT").await;
    is_refused(&mut ws, "object", r#","text""#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "object", ",[1]", "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "refuse", "", "FORBIDDEN").await;
    is_refused(&mut ws, "panic", "", "INTERNAL").await;
    is_refused(&mut ws, "panic-at-once", "", "INTERNAL").await;
    is_refused(&mut ws, "echo", r#",{"_placeholder":true,"num":0}"#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", r#",{"a":1,"a":2}"#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", ",90071992547409930", "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", &format!(",{}{}", "[".repeat(64), "]".repeat(64)), "INVALID_PAYLOAD").await;
    ws.send(r#"42["refuse"]"#).await;
    let error: Value = serde_json::from_str(ws.text().await.strip_prefix("42").unwrap()).unwrap();
    assert_eq!(error[1]["sosId"], "s1", "a feature's own fields");
    ws.send(r#"421["object"]"#).await;
    assert_eq!(ws.text().await, "431[{}]");
}

#[tokio::test]
async fn a_packet_that_does_not_decode_closes_the_transport() {
    let mut hub = Hub::by_default().await;
    for malformed in [
        "4",
        "4abc",
        "47",
        "44",
        r#"44{"message":"x"}"#,
        "42",
        "42{}",
        "42[]",
        "42[1",
        r#"42["echo",]"#,
        r#"42"echo""#,
        "42[null]",
        r#"42abc["echo",1]"#,
        r#"42-1["echo"]"#,
        r#"4299999999999999999999["echo"]"#,
        r#"42["connect"]"#,
        r#"42["disconnect",1]"#,
        r#"42["echo"]trailing"#,
        r#"42["echo"]["echo"]"#,
        "43[1]",
        "431",
        "431{}",
        "41{}",
        "45",
        r#"45["echo"]"#,
        r#"45x-["echo"]"#,
        r#"451["echo"]"#,
        r#"4511-["echo"]"#,
        r#"45-["echo"]"#,
        r#"45-1-["echo"]"#,
        "461-[1]",
        r#"4{"type":2}"#,
        "b",
    ] {
        let mut ws = connected(&hub.server).await;
        ws.send(malformed).await;
        assert_eq!(ws.closed().await.map(|(code, _)| code), Some(1002), "{malformed}");
        assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::ProtocolError)));

        if malformed == "b" {
            continue;
        }
        let polling = Polling::open(&hub.server, PATH).await;
        polling.send("40").await;
        let (status, _) = polling.post(format!("{malformed}\x1e42[\"see\"]")).await;
        polling.is_unknown().await;
        assert_eq!(hub.gone().await.1, DisconnectReason::Transport(CloseReason::ProtocolError), "{malformed} {status}");
    }
    assert!(hub.seen.try_recv().is_err(), "nothing behind it was handled");
    eventually("no session is left", || hub.server.engine.sessions() == 0).await;
}

#[tokio::test]
async fn attachments_must_be_as_many_as_announced() {
    let mut hub = Hub::by_default().await;
    let announced = r#"452-["see",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    let mut text_instead = connected(&hub.server).await;
    text_instead.send(announced).await;
    text_instead.send_binary(&[1]).await;
    text_instead.send(r#"42["see"]"#).await;
    text_instead.closed_with(1002, "protocol error").await;

    let mut one_more = connected(&hub.server).await;
    one_more.send(announced).await;
    for _ in 0..3 {
        one_more.send_binary(&[1]).await;
    }
    one_more.closed_with(1002, "protocol error").await;
    assert_eq!(within(hub.seen.recv()).await.unwrap().attachments.len(), 2, "the packet before it was whole");

    let mut unannounced = connected(&hub.server).await;
    unannounced.send_binary(&[1]).await;
    unannounced.closed_with(1002, "protocol error").await;

    let mut wrong_numbers = connected(&hub.server).await;
    wrong_numbers.send(&announced.replace("\"num\":1", "\"num\":0")).await;
    wrong_numbers.send_binary(&[1]).await;
    wrong_numbers.send_binary(&[2]).await;
    let error = wrong_numbers.text().await;
    assert!(error.starts_with(r#"42["error""#) && error.contains("INVALID_PAYLOAD"), "{error}");

    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    polling.send(announced).await;
    polling.send("bAQ==").await;
    assert!(hub.seen.try_recv().is_err(), "fewer than announced: it waits");
    assert_eq!(polling.post("42[\"see\"]").await.0, 400);
}

#[tokio::test]
async fn events_are_handled_in_order_and_the_end_comes_after_them() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"42["wait"]"#).await;
    for n in 0..50 {
        ws.send(&format!(r#"42["see",{n}]"#)).await;
    }
    drop(ws);
    eventually("the session is gone", || hub.server.engine.sessions() == 0).await;
    assert!(hub.seen.try_recv().is_err() && hub.gone.try_recv().is_err(), "all wait for the first");
    hub.gate.notify_one();
    hub.gone().await;
    for n in 0..50 {
        assert_eq!(hub.seen.try_recv().unwrap().json, format!(r#"["see",{n}]"#));
    }
}

#[tokio::test]
async fn beyond_its_events_a_second_a_socket_is_told_and_later_served_again() {
    let hub = Hub::start(Options::socketio(|config| (config.events_per_second, config.event_burst) = (1, 5))).await;
    let mut ws = connected(&hub.server).await;
    for _ in 0..10 {
        ws.send(r#"421["object"]"#).await;
    }
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(ws.text().await);
    }
    answers.sort();
    // On a busy machine one more may be served, when a second is over.
    let served = answers.iter().filter(|answer| *answer == "431[{}]").count();
    assert!((5..=7).contains(&served), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.contains("RATE_LIMITED")).count(), 10 - served, "{answers:?}");
    for _ in 0..3 {
        ws.send(r#"42["object"]"#).await;
    }
    let error = ws.text().await;
    assert!(error.contains(r#""code":"RATE_LIMITED""#) && error.contains(r#""event":"object""#), "{error}");
    within(async {
        loop {
            ws.send(r#"422["object"]"#).await;
            let answer = loop {
                match ws.text().await {
                    answer if answer.starts_with("432") => break answer,
                    _ => {}
                }
            };
            if answer == "432[{}]" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_refuses_what_comes_next() {
    let hub = Hub::start(Options::socketio(|config| config.max_queued_events = 3)).await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"420["wait"]"#).await;
    for id in 1..=6 {
        ws.send(&format!(r#"42{id}["object"]"#)).await;
    }
    let mut refused = 0;
    let last = loop {
        let answer = ws.text().await;
        if !answer.contains("RATE_LIMITED") {
            break answer;
        }
        refused += 1;
        if refused == 3 {
            hub.gate.notify_one();
        }
    };
    assert_eq!(last, r#"430[{"ok":true}]"#);
    for id in 1..=3 {
        assert_eq!(ws.text().await, format!("43{id}[{{}}]"));
    }
    ws.send(r#"427["object"]"#).await;
    assert_eq!(ws.text().await, "437[{}]");
}
