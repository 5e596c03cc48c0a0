//! A participant of a LiveKit room that costs next to nothing: it signals and sends no media. LiveKit counts it among those who are
//! there, and puts it out after a minute because no media connection comes; so it connects anew in time, under the same identity.
//! LiveKit tells its join to nobody by webhook, since no media connection comes; a test that wants one is told of each join.
//!
//! When its connection breaks it comes back at once, as LiveKit's clients do, until it leaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol::{DisconnectReason, SignalRequest, SignalResponse, signal_request, signal_response};
use prost::Message as _;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Before LiveKit gives up waiting for media.
const ANEW: Duration = Duration::from_secs(40);
/// LiveKit puts out who has not said anything for fifteen seconds.
const PING: Duration = Duration::from_secs(4);
/// Before the next try to come back.
const PAUSE: Duration = Duration::from_millis(300);
/// For a connection to stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is away for less than this has not been away: LiveKit was restarted, say.
const BREAK: Duration = Duration::from_secs(3);

/// It leaves when this is dropped.
pub struct Guest {
    presence: Arc<Mutex<Presence>>,
    _leave: DropGuard,
}

/// When it was in the room. A stretch is a time without a break.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presence {
    /// Counts the stretches; 0: it never was there.
    pub stretch: u64,
    /// Since when the newest lasts.
    pub since: Option<Instant>,
    /// The newest is over, or interrupted, since then.
    pub away: Option<Instant>,
    /// The newest that ended because LiveKit deleted the room.
    pub put_out_of: u64,
}

impl Guest {
    /// Begins to come.
    pub fn come(ws_url: &str, token: &str) -> Self {
        Self::come_noticed(ws_url, token, |_| {})
    }

    /// [`Guest::come`]; `joined` is called with the room's sid each time that it is in the room.
    pub fn come_noticed(ws_url: &str, token: &str, joined: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let (presence, leave) = (Arc::<Mutex<Presence>>::default(), CancellationToken::new());
        let url = format!("{ws_url}/rtc?access_token={token}&auto_subscribe=1&protocol=16");
        let coming = stay(url, presence.clone(), joined);
        tokio::spawn(leave.clone().run_until_cancelled_owned(coming));
        Self { presence, _leave: leave.drop_guard() }
    }

    pub fn presence(&self) -> Presence {
        *self.presence.lock().expect("nobody panics while holding this")
    }

    /// For how long it has been in the room.
    pub fn present_for(&self) -> Duration {
        let presence = self.presence();
        if presence.away.is_some() { Duration::ZERO } else { presence.since.map_or(Duration::ZERO, |since| since.elapsed()) }
    }
}

impl Presence {
    fn come(&mut self) {
        let was_away = self.away.take().is_none_or(|away| away.elapsed() > BREAK) || self.put_out_of == self.stretch;
        if self.since.is_none() || was_away {
            (self.stretch, self.since) = (self.stretch + 1, Some(Instant::now()));
        }
    }

    fn go(&mut self, was_put_out: bool) {
        self.away = self.away.or(Some(Instant::now()));
        if was_put_out {
            self.put_out_of = self.stretch;
        }
    }
}

async fn stay(url: String, presence: Arc<Mutex<Presence>>, joined: impl Fn(&str) + Send + Sync) {
    let told = |tell: &dyn Fn(&mut Presence)| tell(&mut presence.lock().expect("nobody panics while holding this"));
    loop {
        let came = |sid: &str| {
            told(&Presence::come);
            joined(sid);
        };
        let outcome = visit(&url, came).await;
        if let Outcome::Ended { put_out } = outcome {
            told(&|presence| presence.go(put_out));
            sleep(PAUSE).await;
        } else {
            // It comes back in a moment, and keeps its stretch.
            told(&|presence| presence.go(false));
        }
    }
}

enum Outcome {
    /// The connection has ended; or the room was deleted.
    Ended {
        put_out: bool,
    },
    Anew,
}

/// One connection.
async fn visit(url: &str, joined: impl Fn(&str)) -> Outcome {
    let broken = Outcome::Ended { put_out: false };
    let connected = timeout(PATIENCE, tokio_tungstenite::connect_async(url)).await;
    let Ok(Ok((mut socket, _))) = connected else { return broken };
    let (mut pings, end) = (interval(PING), Instant::now() + ANEW);
    loop {
        tokio::select! {
            next = socket.next() => {
                let Some(Ok(message)) = next else { return broken };
                let Message::Binary(bytes) = message else { continue };
                match SignalResponse::decode(&*bytes).ok().and_then(|told| told.message) {
                    Some(signal_response::Message::Join(join)) => joined(&join.room.unwrap_or_default().sid),
                    Some(signal_response::Message::Leave(leave)) => {
                        return Outcome::Ended { put_out: leave.reason() == DisconnectReason::RoomDeleted };
                    }
                    _ => {}
                }
            }
            _ = pings.tick() => {
                let ping = livekit_protocol::Ping { timestamp: 0, rtt: 0 };
                let request = SignalRequest { message: Some(signal_request::Message::PingReq(ping)) };
                if socket.send(Message::Binary(request.encode_to_vec().into())).await.is_err() {
                    return broken;
                }
            }
            () = sleep_until(end) => return Outcome::Anew,
        }
    }
}
