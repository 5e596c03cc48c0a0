//! The end of a token and its renewal, on a namespace that belongs to no feature. A token is `<user> <exp>`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke::auth::AuthError;
use convoke::rooms::expiry::{self, AfterEnd, Bearer, ExpiryTimer, Tokens};
use convoke::socketio::{ConnectError, ConnectRequest, EventError, Namespace, Reply, Socket};
use serde_json::{Value, json};

use crate::support::hub::now_seconds;
use crate::support::raw::Ws;
use crate::support::server::{Options, Server};
use crate::support::{eventually, within};

const PATH: &str = "/socket.io/";
const HOUR: u64 = 3600;

struct Ticket {
    user: String,
    exp: Option<u64>,
}

impl Ticket {
    fn read(token: &str) -> Option<Self> {
        let (user, exp) = token.split_once(' ')?;
        Some(Self { user: user.into(), exp: if exp == "never" { None } else { Some(exp.parse().ok()?) } })
    }
}

impl Bearer for Ticket {
    fn user(&self) -> &str {
        &self.user
    }

    fn expires_at(&self) -> Option<u64> {
        self.exp
    }

    fn ends_at(&self) -> Option<u64> {
        self.exp
    }
}

struct Guest {
    timer: ExpiryTimer,
    ticket: Mutex<Arc<Ticket>>,
}

/// Who it was asked about at the end of a token, and what it grants the first time.
struct Desk {
    asked: Mutex<Vec<String>>,
    grants: AtomicUsize,
}

impl Tokens for Desk {
    type Bearer = Ticket;

    fn warn_before(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn of<'a>(&self, socket: &'a Socket) -> Option<(&'a ExpiryTimer, Arc<Ticket>)> {
        let guest = socket.data::<Guest>()?;
        Some((&guest.timer, guest.ticket.lock().unwrap().clone()))
    }

    async fn verify(&self, token: &str) -> Result<Ticket, AuthError> {
        let ticket = Ticket::read(token).ok_or(AuthError::Invalid)?;
        if ticket.exp.is_some_and(|exp| exp <= now_seconds()) { Err(AuthError::Expired) } else { Ok(ticket) }
    }

    async fn renew(self: Arc<Self>, socket: Arc<Socket>, ticket: Ticket) -> Result<(), EventError> {
        *socket.data::<Guest>().expect("a guest").ticket.lock().unwrap() = Arc::new(ticket);
        expiry::schedule(&self, &socket, false);
        Ok(())
    }

    async fn ended(self: Arc<Self>, socket: Arc<Socket>) -> AfterEnd {
        let (_, ticket) = self.of(&socket).expect("a guest");
        self.asked.lock().unwrap().push(ticket.user.clone());
        let granted = self.grants.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |grants| grants.checked_sub(1));
        if granted.is_ok() { AfterEnd::AskAgain(Duration::ZERO) } else { AfterEnd::Disconnect }
    }
}

/// A server whose feature grants more time so often.
async fn server(grants: usize) -> (Server, Arc<Desk>) {
    let desk = Arc::new(Desk { asked: Mutex::default(), grants: grants.into() });
    let (here, refresh) = (desk.clone(), desk.clone());
    let namespace = Namespace::new("/")
        .on_connect(|request: ConnectRequest| async move {
            let auth: Value = request.auth()?;
            let ticket = auth["token"].as_str().and_then(Ticket::read).ok_or_else(|| ConnectError::message("no token"))?;
            Ok(Guest { timer: ExpiryTimer::default(), ticket: Mutex::new(Arc::new(ticket)) })
        })
        .on_connected(move |socket| {
            expiry::schedule(&here, &socket, false);
            async {}
        })
        .on("auth:refresh", move |socket, event| expiry::refresh(refresh.clone(), socket, event))
        .on("here", |_, _| async { Ok(Reply::Ok) })
        .on_disconnected(|socket: Arc<Socket>, _| async move {
            if let Some(guest) = socket.data::<Guest>() {
                guest.timer.end();
            }
        });
    (Server::start(Options::default(), [namespace]).await, desk)
}

async fn connected(server: &Server, user: &str, exp: impl std::fmt::Display) -> Ws {
    let mut ws = Ws::open(server, PATH).await;
    ws.send(&format!(r#"40{{"token":"{user} {exp}"}}"#)).await;
    assert!(ws.text().await.starts_with("40{"));
    ws
}

/// The answer to an event that asks for one.
async fn asked(ws: &mut Ws, event: Value) -> Value {
    ws.send(&format!("427{event}")).await;
    let answer = ws.text().await;
    let answer: Value = serde_json::from_str(answer.strip_prefix("437").unwrap_or_else(|| panic!("{answer}"))).unwrap();
    answer[0].clone()
}

fn event(text: &str) -> Value {
    serde_json::from_str(text.strip_prefix("42").unwrap_or_else(|| panic!("{text}"))).unwrap()
}

#[tokio::test]
async fn the_end_of_a_token_is_announced_before_and_ends_its_socket_with_a_reason() {
    let (server, desk) = server(0).await;
    let exp = now_seconds() + 2;
    let mut ws = connected(&server, "ann", exp).await;
    assert_eq!(event(&ws.text().await), json!(["auth:expiring", {"expiresAt": exp * 1000}]));
    let error = event(&ws.text().await);
    assert_eq!((&error[0], &error[1]["code"], &error[1]["event"]), (&json!("error"), &json!("TOKEN_EXPIRED"), &json!("auth")));
    assert_eq!(ws.text().await, "41");
    assert!(now_seconds() >= exp, "not before its end");
    assert_eq!(*desk.asked.lock().unwrap(), ["ann"]);
}

#[tokio::test]
async fn a_feature_that_grants_more_time_is_asked_again() {
    let (server, desk) = server(1).await;
    let mut ws = connected(&server, "ann", now_seconds()).await;
    for first in ["auth:expiring", "error"] {
        assert_eq!(event(&ws.text().await)[0], first);
    }
    assert_eq!(ws.text().await, "41");
    assert_eq!(*desk.asked.lock().unwrap(), ["ann", "ann"]);
}

#[tokio::test]
async fn a_renewed_token_takes_the_place_of_the_old_one_and_a_bad_one_changes_nothing() {
    let (server, desk) = server(0).await;
    let exp = now_seconds() + 5;
    let (mut renewed, mut other) = (connected(&server, "ann", exp).await, connected(&server, "ben", exp).await);
    for ws in [&mut renewed, &mut other] {
        assert_eq!(event(&ws.text().await)[0], "auth:expiring");
    }
    let hour = now_seconds() + HOUR;
    let refusals = [
        (json!({"token": format!("ben {hour}")}), "INVALID_TOKEN"),
        (json!({"token": format!("ann {}", exp - 100)}), "TOKEN_EXPIRED"),
        (json!({"token": "ann"}), "INVALID_TOKEN"),
        (json!({}), "INVALID_TOKEN"),
    ];
    for (payload, code) in refusals {
        let answer = asked(&mut renewed, json!(["auth:refresh", payload])).await;
        assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!(code)), "{payload}");
    }
    let answer = asked(&mut renewed, json!(["auth:refresh", {"token": format!("ann {hour}")}])).await;
    assert_eq!(answer, json!({"ok": true, "expiresAt": hour * 1000}));
    // The other one's end is the end that the old token had.
    assert_eq!(event(&other.text().await)[0], "error");
    let answer = asked(&mut renewed, json!(["auth:refresh", {"token": "ann never"}])).await;
    assert_eq!(answer, json!({"ok": true, "expiresAt": null}));
    assert_eq!(asked(&mut renewed, json!(["here"])).await["ok"], true);
    assert_eq!(*desk.asked.lock().unwrap(), ["ben"]);
}

#[tokio::test]
async fn nobody_is_asked_about_a_socket_that_is_gone() {
    let (server, desk) = server(0).await;
    let exp = now_seconds() + 5;
    let (gone, mut stays) = (connected(&server, "ann", exp).await, connected(&server, "ben", exp).await);
    drop(gone);
    eventually("it is gone", || server.io.sockets() == 1).await;
    within(async { while stays.text().await != "41" {} }).await;
    assert_eq!(*desk.asked.lock().unwrap(), ["ben"]);
}
