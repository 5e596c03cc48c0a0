//! How a session moves to another node in the middle of its upgrade.
//!
//! ```text
//! client            node B (WebSocket)              node A (owner)
//!   | -- GET …&sid=A… ->|  -- ticket? ------------->  |  still polling, nobody else upgrades it
//!   | <- 101 -----------|  <- ticket --------------   |  from here on a poll that waits is ended every 100 ms
//!   | -- 2probe ------->|                             |
//!   | <- 3probe --------|                             |
//!   | -- 5 ------------>|  -- take ---------------->  |  takes nothing in any more, finishes what is under way
//!   |   (waits unread)  |  <- state ---------------   |  forgets the session
//!   | <- what waited ---|  reads on                   |
//! ```
//!
//! From the `5` on there is no way back: what fails then closes the WebSocket, and the client comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tokio::net::TcpStream;

use crate::protocol::frame::{Frame, Frames};
use crate::sync::lock;
use crate::telemetry::metrics::MOVES;

use super::super::elsewhere::Ticket;
use super::super::outbox::Outbox;
use super::super::websocket::POLL_CHECK;
use super::super::{Bucket, CloseReason, Engine};
use super::{PollEnd, Session, State, Transport, Upgrade};

/// How long what is under way for a client may take while it waits to move.
const FREEZE: Duration = Duration::from_secs(5);

/// Everything that this layer knows of a session. Bounded like the outbox is, and like what [`Connection::export`] gives out.
///
/// [`Connection::export`]: super::super::Connection::export
#[derive(Serialize, Deserialize)]
struct Moving {
    /// Time to the next `ping`, and to the end of the session if one is unanswered or the client not accepted. A ping timer
    /// that started anew would be too late for the client's own.
    ping_ms: u64,
    pong_ms: Option<u64>,
    accept_ms: Option<u64>,
    outbox: Vec<Waiting>,
    connection: String,
    /// What may still be read before the client has to wait. A node of an earlier release neither tells nor reads it.
    #[serde(default)]
    reading_left: Option<f64>,
}

/// A packet that waits for the client.
#[derive(Serialize, Deserialize)]
struct Waiting {
    frames: Vec<(bool, String)>,
    volatile: Option<u64>,
}

impl Session {
    pub(in crate::engineio) fn issue_ticket(&self) -> Option<Ticket> {
        let ticket = rand::random();
        self.change_upgrade(|stage| stage == Upgrade::None, Upgrade::Elsewhere(ticket)).then_some(ticket)
    }

    pub(in crate::engineio) fn return_ticket(&self, ticket: Ticket) {
        self.change_upgrade(|stage| stage == Upgrade::Elsewhere(ticket), Upgrade::None);
    }

    /// Ends polls while the ticket is valid, so that the client can finish its part, and then the ticket.
    pub(in crate::engineio) async fn attend_ticket(self: Arc<Self>, ticket: Ticket) {
        let started = Instant::now();
        // A poll that has just come may have overtaken the upgrade packet, which takes the longer way: it waits for one round.
        let mut seen = None;
        while self.release_poll_seen(&mut seen, ticket) && started.elapsed() <= self.engine.config.upgrade_timeout {
            tokio::time::sleep(POLL_CHECK).await;
        }
        self.return_ticket(ticket);
    }

    /// Ends the poll that was there the last time; false when this upgrade is over.
    fn release_poll_seen(&self, seen: &mut Option<u32>, ticket: Ticket) -> bool {
        let mut state = lock(&self.state);
        let polls = state.polls;
        match &mut state.transport {
            Transport::Polling { waiting, upgrade } if *upgrade == Upgrade::Elsewhere(ticket) => {
                let known = seen.replace(polls) == Some(polls);
                if let Some(waiting) = waiting.take_if(|_| known) {
                    let _ = waiting.send(PollEnd::Noop);
                }
                true
            }
            _ => false,
        }
    }

    /// Ends the session here and gives out what it takes to go on elsewhere. `None`: the ticket is not valid (any more), or the
    /// session could not be given away and is closed.
    pub(in crate::engineio) async fn hand_over(self: &Arc<Self>, ticket: Ticket) -> Option<Bytes> {
        if !self.freeze(ticket) {
            return None;
        }
        let mut closing = CloseUnlessMoved(Some(self));
        let connection = self.connection.get()?.clone();
        let exported = tokio::time::timeout(FREEZE, connection.export(self)).await.ok().flatten();
        let outcome = if exported.is_some() { "given away" } else { "failed" };
        metrics::counter!(MOVES, "outcome" => outcome).increment(1);
        let moving = {
            let mut state = lock(&self.state);
            if !matches!(state.transport, Transport::Moving) {
                return None;
            }
            let exported = exported?;
            state.transport = Transport::Closed;
            let outbox = std::mem::take(&mut state.outbox);
            Moving {
                ping_ms: left(state.ping_due),
                pong_ms: state.pong_due.map(left),
                accept_ms: state.accept_due.map(left),
                outbox: outbox.into_packets().map(|(frames, volatile)| Waiting::new(&frames, volatile)).collect(),
                connection: BASE64_STANDARD.encode(exported),
                reading_left: Some(lock(&self.reading).left(self.engine.config.reading())),
            }
        };
        closing.0 = None;
        self.engine.remove(self);
        tokio::spawn(connection.moved(self.clone()));
        serde_json::to_vec(&moving).ok().map(Bytes::from)
    }

    /// From now on nothing is taken in; what is sent waits.
    fn freeze(&self, ticket: Ticket) -> bool {
        let mut state = lock(&self.state);
        match &mut state.transport {
            Transport::Polling { waiting, upgrade } if *upgrade == Upgrade::Elsewhere(ticket) => {
                // A client has no poll under way when it sends its upgrade packet: this one came behind it, by a shorter way.
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(PollEnd::Gone);
                }
                state.transport = Transport::Moving;
                true
            }
            _ => false,
        }
    }

    /// A session that another node has given away goes on over this socket. Its place in [`Admission`] is taken already.
    ///
    /// [`Admission`]: super::super::limits::Admission
    pub(in crate::engineio) async fn adopt(
        engine: &Arc<Engine>,
        sid: &str,
        address: std::net::IpAddr,
        socket: &Arc<TcpStream>,
        moving: &Bytes,
    ) -> Result<Arc<Self>, CannotAdopt> {
        let moving: Moving = serde_json::from_slice(moving).map_err(|_| CannotAdopt)?;
        let exported = BASE64_STANDARD.decode(&moving.connection).map_err(|_| CannotAdopt)?;
        let mut outbox = Outbox::default();
        for waiting in &moving.outbox {
            let (frames, volatile) = waiting.packet().ok_or(CannotAdopt)?;
            outbox.push(frames, volatile, usize::MAX).map_err(|_| CannotAdopt)?;
        }
        let now = Instant::now();
        let due = |ms: u64| now + Duration::from_millis(ms);
        let state = State {
            transport: Transport::WebSocket { socket: socket.clone(), flushing: false },
            outbox,
            ping_due: due(moving.ping_ms),
            pong_due: moving.pong_ms.map(due),
            accept_due: None,
            polls: 0,
            overflows: false,
        };
        let rate = engine.config.reading();
        let reading = moving.reading_left.map_or_else(|| Bucket::full(rate), |left| Bucket::holding(left, rate));
        let session = Self::with_state(engine, sid.into(), address, state, reading);
        let Some(connection) = engine.handler.adopt(&session, exported.into()) else {
            lock(&session.state).transport = Transport::Closed;
            return Err(CannotAdopt);
        };
        session.attach(connection.clone());
        engine.insert(session.clone());
        if session.is_closed() {
            engine.remove(&session);
        }
        session.flush();
        if let Some(ms) = moving.accept_ms {
            session.accept_within(Duration::from_millis(ms));
        }
        let resumed = connection.resume(&session).await;
        metrics::counter!(MOVES, "outcome" => if resumed { "taken over" } else { "failed" }).increment(1);
        if !resumed {
            session.close(CloseReason::TryAgain);
        }
        Ok(session)
    }
}

/// What another node sent is no session of ours.
#[derive(Debug)]
pub(in crate::engineio) struct CannotAdopt;

/// The node that wanted the session may be gone before it has it; then there is no client any more either.
struct CloseUnlessMoved<'a>(Option<&'a Arc<Session>>);

impl Drop for CloseUnlessMoved<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.close(CloseReason::ConnectionLost);
        }
    }
}

impl Waiting {
    fn new(frames: &Frames, volatile: Option<u64>) -> Self {
        let frames = frames.iter().map(|frame| (frame.is_binary(), BASE64_STANDARD.encode(frame.payload()))).collect();
        Self { frames, volatile }
    }

    fn packet(&self) -> Option<(Frames, Option<u64>)> {
        let frames = self.frames.iter().map(|(is_binary, payload)| {
            let payload = BASE64_STANDARD.decode(payload).ok()?;
            Some(if *is_binary { Frame::binary(&payload) } else { Frame::text(&payload) })
        });
        Some((frames.collect::<Option<SmallVec<_>>>()?, self.volatile))
    }
}

fn left(due: Instant) -> u64 {
    u64::try_from(due.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_of_an_earlier_release_gives_away_is_read() {
        let moving = r#"{"ping_ms":1000,"pong_ms":null,"accept_ms":null,"outbox":[],"connection":""}"#;
        assert_eq!(serde_json::from_str::<Moving>(moving).unwrap().reading_left, None, "its limit begins anew");
    }
}
