//! Acknowledgements that the hub asks for.

use std::sync::Arc;
use std::time::Duration;

use convoke::protocol::event::Args;
use convoke::socketio::{AckError, Socket};

use crate::support::raw::{Polling, Ws};
use crate::support::server::Options;
use crate::support::sockets::{Hub, PATH, connected};
use crate::support::{DEADLINE, eventually, within};

type Asked = tokio::task::JoinHandle<Result<Args, AckError>>;

fn ask(socket: &Arc<Socket>, args: Args, timeout: Duration) -> Asked {
    let socket = socket.clone();
    tokio::spawn(async move { socket.emit_args_with_ack(&args, timeout).await })
}

fn question() -> Args {
    Args::event("question", "1")
}

#[tokio::test]
async fn the_client_s_answer_comes_back_whatever_it_is() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    for (id, answer) in [(1, r#"["yes",{"a":1}]"#), (2, "[]"), (3, "[null]")] {
        let asked = ask(&socket, question(), DEADLINE);
        assert_eq!(ws.text().await, format!(r#"42{id}["question",1]"#));
        ws.send(&format!("43{id}{answer}")).await;
        assert_eq!(within(asked).await.unwrap(), Ok(Args::from_json(answer)));
    }
}

#[tokio::test]
async fn question_and_answer_may_be_binary() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let args = Args { json: format!(r#"["question",{placeholder}]"#).into(), attachments: vec![vec![1, 2].into()] };
    let asked = ask(&hub.socket().await, args, DEADLINE);
    assert_eq!(ws.text().await, format!(r#"451-1["question",{placeholder}]"#));
    assert_eq!(ws.binary().await, [1, 2]);
    ws.send(&format!("461-1[{placeholder}]")).await;
    ws.send_binary(&[3, 4]).await;
    let answer = Args { json: format!("[{placeholder}]").into(), attachments: vec![vec![3, 4].into()] };
    assert_eq!(within(asked).await.unwrap(), Ok(answer));
}

#[tokio::test]
async fn answers_may_come_in_any_order_and_what_nobody_asked_for_is_left_alone() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    let first = ask(&socket, question(), DEADLINE);
    assert_eq!(ws.text().await, r#"421["question",1]"#);
    let second = ask(&socket, question(), DEADLINE);
    assert_eq!(ws.text().await, r#"422["question",1]"#);
    for ack in ["432[2]", "439[9]", "432[\"again\"]", "431[1]"] {
        ws.send(ack).await;
    }
    assert_eq!(within(first).await.unwrap(), Ok(Args::from_json("[1]")));
    assert_eq!(within(second).await.unwrap(), Ok(Args::from_json("[2]")));
    ws.send(r#"421["object"]"#).await;
    assert_eq!(ws.text().await, "431[{}]");
}

#[tokio::test]
async fn an_answer_that_breaks_the_rules_is_none() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let asked = ask(&hub.socket().await, question(), DEADLINE);
    ws.text().await;
    ws.send(r#"431[{"_placeholder":true,"num":0}]"#).await;
    assert!(ws.text().await.contains("INVALID_PAYLOAD"));
    ws.send("431[1]").await;
    assert_eq!(within(asked).await.unwrap(), Ok(Args::from_json("[1]")));
}

#[tokio::test]
async fn without_an_answer_the_asker_waits_no_longer_than_it_said() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    assert_eq!(within(ask(&socket, question(), Duration::from_millis(30))).await.unwrap(), Err(AckError::Timeout));
    ws.text().await;
    ws.send("431[\"late\"]").await;
    let asked = ask(&socket, question(), DEADLINE);
    assert_eq!(ws.text().await, r#"422["question",1]"#);
    ws.send("432[2]").await;
    assert_eq!(within(asked).await.unwrap(), Ok(Args::from_json("[2]")));
}

#[tokio::test]
async fn a_socket_that_is_gone_answers_at_once_however_it_went() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    let asked = ask(&socket, question(), DEADLINE);
    ws.text().await;
    ws.send("41").await;
    assert_eq!(within(asked).await.unwrap(), Err(AckError::SocketGone));
    assert_eq!(within(ask(&socket, question(), DEADLINE)).await.unwrap(), Err(AckError::SocketGone));

    let mut ws = connected(&hub.server).await;
    let asked = ask(&hub.socket().await, question(), DEADLINE);
    ws.text().await;
    drop(ws);
    assert_eq!(within(asked).await.unwrap(), Err(AckError::SocketGone));

    let _ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    let asked = ask(&socket, question(), DEADLINE);
    tokio::task::yield_now().await;
    socket.disconnect();
    assert_eq!(within(asked).await.unwrap(), Err(AckError::SocketGone));
}

#[tokio::test]
async fn the_number_of_answers_that_are_awaited_is_bounded_and_who_gives_up_makes_room() {
    let mut hub = Hub::start(Options::socketio(|config| config.max_pending_acks = 1)).await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    let first = ask(&socket, question(), DEADLINE);
    ws.text().await;
    let refused = socket.emit_args_with_ack(&question(), DEADLINE).await;
    assert_eq!(refused, Err(AckError::TooManyPending));
    first.abort();
    let _ = first.await;
    let room = socket.emit_args_with_ack(&question(), Duration::from_millis(10)).await;
    assert_eq!(room, Err(AckError::Timeout));
}

#[tokio::test]
async fn acknowledgements_of_both_sides_survive_an_upgrade() {
    let mut hub = Hub::by_default().await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    let socket = hub.socket().await;
    let asked = ask(&socket, question(), DEADLINE);
    assert_eq!(polling.poll().await, r#"421["question",1]"#);
    polling.send(r#"425["wait"]"#).await;
    let mut ws = Ws::probed(&hub.server, &polling, PATH).await;
    ws.send("5").await;
    eventually("the upgrade is done", || socket.session().is_websocket()).await;
    hub.gate.notify_one();
    assert_eq!(ws.text().await, r#"435[{"ok":true}]"#);
    ws.send("431[\"after the upgrade\"]").await;
    assert_eq!(within(asked).await.unwrap(), Ok(Args::from_json(r#"["after the upgrade"]"#)));
}

#[tokio::test]
async fn a_binary_event_may_be_cut_in_two_by_an_upgrade() {
    let mut hub = Hub::by_default().await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    polling.send(r#"451-["see",{"_placeholder":true,"num":0}]"#).await;
    let mut ws = Ws::probed(&hub.server, &polling, PATH).await;
    ws.send("5").await;
    ws.send_binary(&[1, 2, 3]).await;
    assert_eq!(within(hub.seen.recv()).await.unwrap().attachments, [[1, 2, 3].as_slice()]);
}
