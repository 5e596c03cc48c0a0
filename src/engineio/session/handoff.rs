//! How a session moves to another node during its upgrade.
//!
//! ```text
//! client            node B (WebSocket)              node A (owner)
//!   | -- GET …&sid=A… ->|  -- ticket? ------------->  |  still polling, nobody else upgrades it
//!   | <- 101 -----------|  <- ticket --------------   |  from now on ends a waiting poll every 100 ms
//!   | -- 2probe ------->|                             |
//!   | <- 3probe --------|  -- probed -------------->  |  ends the waiting poll
//!   | -- 5 ------------>|  -- take ---------------->  |  handles no new events, finishes those under way
//!   | -- 43…, 42… ----->|  -- packets ------------->  |  which may wait for these acknowledgements …
//!   | <- 42… -----------|  <- part, take … --------   |  … and what they send is fetched
//!   | <- queued packets |  <- state ---------------   |  forgets the session
//!   |                   |  reads on                   |
//! ```
//!
//! A failure after the `5` closes the WebSocket, and the client reconnects. Calls for the session that come on A afterwards are
//! forwarded to B (see `forwarding`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::core::sync::lock;
use crate::core::wire::{self, Blob, Form};
use crate::protocol::engineio::{Message, Packet};
use crate::protocol::frame::{Frame, Frames};
use crate::telemetry::metrics::MOVES;

use super::super::outbox::Outbox;
use super::super::remote::{HandedOver, Ticket};
use super::super::websocket::POLL_CHECK;
use super::super::{Bucket, CloseReason, Engine};
use super::{NewOwner, PollEnd, Session, State, Transport, Upgrade};

/// How long the work for a client may take while its session waits to move.
const MOVE_TIMEOUT: Duration = Duration::from_secs(5);
/// After that the new owner must have asked within this time.
const NEW_OWNER_GRACE: Duration = Duration::from_secs(1);
/// A client whose probe is answered may send another poll before its upgrade packet: for a while polls are ended this often.
const AFTER_PROBE: (Duration, u32) = (Duration::from_millis(20), 10);

/// Everything that this layer knows of a session. Its size is bounded by those of the outbox and of [`Connection::export`].
///
/// [`Connection::export`]: super::super::Connection::export
#[derive(Serialize, Deserialize)]
struct SessionExport {
    /// Time to the next `ping`, and to the end of the session if a `ping` is unanswered or the client not accepted. A new ping
    /// interval would be longer than the client waits for a `ping`.
    ping_ms: u64,
    pong_ms: Option<u64>,
    accept_ms: Option<u64>,
    outbox: Vec<QueuedPacket>,
    connection: Blob,
    /// What may still be read before the client has to wait. A node of an earlier release does not know this field.
    #[serde(default)]
    reading_left: Option<f64>,
}

/// A packet in the outbox.
#[derive(Serialize, Deserialize)]
struct QueuedPacket {
    frames: Vec<(bool, Blob)>,
    volatile: Option<u64>,
}

impl Session {
    pub(in crate::engineio) fn issue_ticket(&self) -> Option<Ticket> {
        let ticket = rand::random();
        self.change_upgrade(|stage| stage == Upgrade::None, Upgrade::Remote(ticket)).then_some(ticket)
    }

    pub(in crate::engineio) fn return_ticket(&self, ticket: Ticket) {
        self.change_upgrade(|stage| stage == Upgrade::Remote(ticket), Upgrade::None);
    }

    /// While the ticket is valid, ends polls, so that the client can finish the upgrade; then ends the ticket.
    pub(in crate::engineio) async fn end_polls_for_ticket(self: Arc<Self>, ticket: Ticket) {
        let started = Instant::now();
        // A new poll may have overtaken the upgrade packet, which comes through the other node: it is ended one round later.
        let mut seen = None;
        while self.release_poll_seen(&mut seen, ticket) && started.elapsed() <= self.engine.config.upgrade_timeout {
            tokio::time::sleep(POLL_CHECK).await;
        }
        self.return_ticket(ticket);
    }

    /// Ends a poll that was there in the last round; false when this upgrade is over.
    fn release_poll_seen(&self, seen: &mut Option<u32>, ticket: Ticket) -> bool {
        let mut state = lock(&self.state);
        let polls = state.polls;
        match &mut state.transport {
            Transport::Polling { waiting, upgrade } if *upgrade == Upgrade::Remote(ticket) => {
                let known = seen.replace(polls) == Some(polls);
                if let Some(waiting) = waiting.take_if(|_| known) {
                    let _ = waiting.send(PollEnd::Noop);
                }
                true
            }
            _ => false,
        }
    }

    /// The client's probe is answered, and the client waits for its poll to end.
    pub(in crate::engineio) async fn end_polls_soon(self: Arc<Self>, ticket: Ticket) {
        let mut seen = Some(lock(&self.state).polls);
        for _ in 0..AFTER_PROBE.1 {
            if !self.release_poll_seen(&mut seen, ticket) {
                return;
            }
            tokio::time::sleep(AFTER_PROBE.0).await;
        }
    }

    /// Ends the session here and returns it for the node with the tag `to`, written in `form`; or only packets for the client, if
    /// that node has to ask again. `None`: the ticket is not valid, or the session could not be handed over and is closed.
    pub(in crate::engineio) async fn hand_over(
        self: &Arc<Self>,
        ticket: Ticket,
        to: Option<&str>,
        form: Form,
    ) -> Option<HandedOver> {
        let (due, has_just_begun) = self.freeze(ticket, to, form)?;
        let mut closing = CloseUnlessMoved(Some(self));
        let connection = self.connection.get()?.clone();
        let exported = tokio::select! {
            biased;
            exported = tokio::time::timeout_at(due, connection.export(self, form)) => exported.ok().flatten(),
            // The first answer comes at once: then that node forwards the client's packets.
            packets = self.sent_while_moving(has_just_begun, form), if to.is_some() => {
                closing.0 = None;
                return Some(HandedOver::Part(packets));
            }
        };
        let outcome = if exported.is_some() { "given away" } else { "failed" };
        metrics::counter!(MOVES, "outcome" => outcome).increment(1);
        let moving = {
            let mut state = lock(&self.state);
            if !matches!(state.transport, Transport::Moving { .. }) {
                return None;
            }
            let exported = exported?;
            state.transport = Transport::Closed;
            let outbox = std::mem::take(&mut state.outbox);
            SessionExport {
                ping_ms: left(state.ping_due),
                pong_ms: state.pong_due.map(left),
                accept_ms: state.accept_due.map(left),
                outbox: waiting(outbox),
                connection: Blob(exported),
                reading_left: Some(lock(&self.reading).left(self.engine.config.reading())),
            }
        };
        closing.0 = None;
        self.engine.remove(self);
        tokio::spawn(connection.moved(self.clone()));
        Some(HandedOver::Whole(wire::write(form, &moving)))
    }

    /// From now on no events are handled, and what is sent goes to the new node. Returns the deadline of the move, and whether
    /// this call has started it.
    fn freeze(self: &Arc<Self>, ticket: Ticket, to: Option<&str>, form: Form) -> Option<(Instant, bool)> {
        let mut state = lock(&self.state);
        match &mut state.transport {
            Transport::Moving { ticket: of, due, .. } if *of == ticket => Some((*due, false)),
            Transport::Polling { waiting, upgrade } if *upgrade == Upgrade::Remote(ticket) => {
                // A client has no poll open when it sends its upgrade packet: this poll came after it, but was faster.
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(PollEnd::Gone);
                }
                let due = Instant::now() + MOVE_TIMEOUT;
                state.transport = Transport::Moving { ticket, due, waiting: None };
                drop(state);
                if let Some(to) = to {
                    let _ = self.new_owner.set(NewOwner::new(to, form).into());
                }
                let session = Arc::downgrade(self);
                tokio::spawn(async move {
                    tokio::time::sleep_until(due + NEW_OWNER_GRACE).await;
                    if let Some(session) = session.upgrade().filter(|session| session.is_moving(ticket)) {
                        session.close(CloseReason::ConnectionLost);
                    }
                });
                Some((due, true))
            }
            _ => None,
        }
    }

    fn is_moving(&self, ticket: Ticket) -> bool {
        matches!(lock(&self.state).transport, Transport::Moving { ticket: of, .. } if of == ticket)
    }

    /// The packets that are sent while the session moves: as soon as there is one, or at once.
    async fn sent_while_moving(&self, at_once: bool, form: Form) -> Bytes {
        while let Some(sent) = self.take_sent(at_once, form) {
            match sent {
                Ok(packets) => return packets,
                Err(something) => drop(something.await),
            }
        }
        std::future::pending().await
    }

    fn take_sent(&self, at_once: bool, form: Form) -> Option<Result<Bytes, oneshot::Receiver<PollEnd>>> {
        let mut state = lock(&self.state);
        let State { transport: Transport::Moving { waiting: waits, .. }, outbox, .. } = &mut *state else { return None };
        if outbox.is_empty() && !at_once {
            let (sender, receiver) = oneshot::channel();
            *waits = Some(sender);
            return Some(Err(receiver));
        }
        Some(Ok(wire::write(form, &waiting(std::mem::take(outbox)))))
    }

    /// Packets of the client from the new node ([`write_packets`]). Returns how many were accepted; the new node handles the
    /// others.
    pub(in crate::engineio) fn take_forwarded_packets(self: &Arc<Self>, ticket: Ticket, packets: &Bytes) -> usize {
        let packets: Vec<(bool, Blob)> = wire::read(packets).unwrap_or_default();
        packets.into_iter().take_while(|packet| self.take_forwarded(ticket, packet.clone().into())).count()
    }

    fn take_forwarded(self: &Arc<Self>, ticket: Ticket, message: Message) -> bool {
        let Some(connection) = self.connection.get().filter(|_| self.is_moving(ticket)) else { return false };
        match message {
            Message::Binary(data) => connection.message_while_moving(self, Message::Binary(self.counted(data))),
            Message::Text(text) => match Packet::from_text(self.counted(text)) {
                Ok(Packet::Message(message)) => connection.message_while_moving(self, message),
                Ok(Packet::Pong(_)) => self.pong_while_moving(),
                Ok(_) | Err(_) => false,
            },
        }
    }

    fn pong_while_moving(self: &Arc<Self>) -> bool {
        let mut state = lock(&self.state);
        if !matches!(state.transport, Transport::Moving { .. }) {
            return false;
        }
        let was_asked = state.pong_due.take().is_some();
        if was_asked {
            state.ping_due = Instant::now() + self.engine.config.ping_interval;
        }
        drop(state);
        if let Some(connection) = self.connection.get().filter(|_| was_asked) {
            connection.ping_answered(self);
        }
        true
    }

    /// Continues a session of another node over this socket. It already counts in the limits of this node.
    pub(in crate::engineio) async fn adopt(
        engine: &Arc<Engine>,
        sid: &str,
        address: std::net::IpAddr,
        socket: &Arc<TcpStream>,
        exported: &Bytes,
    ) -> Result<Arc<Self>, CannotAdopt> {
        let moving: SessionExport = wire::read(exported).ok_or(CannotAdopt)?;
        let outbox = outbox(&moving.outbox).ok_or(CannotAdopt)?;
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
        let Some(connection) = engine.handler.adopt(&session, moving.connection.0) else {
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

/// The session of another node cannot be read or continued here.
#[derive(Debug)]
pub(in crate::engineio) struct CannotAdopt;

/// Closes the session if the new node goes away before it has it: then the client's WebSocket is gone too.
struct CloseUnlessMoved<'a>(Option<&'a Arc<Session>>);

impl Drop for CloseUnlessMoved<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.close(CloseReason::ConnectionLost);
        }
    }
}

impl QueuedPacket {
    fn new(frames: &Frames, volatile: Option<u64>) -> Self {
        let frames = frames.iter().map(|frame| (frame.is_binary(), Blob(Bytes::copy_from_slice(frame.payload())))).collect();
        Self { frames, volatile }
    }

    fn packet(&self) -> (Frames, Option<u64>) {
        let frame = |(is_binary, Blob(data)): &(bool, Blob)| if *is_binary { Frame::binary(data) } else { Frame::text(data) };
        (self.frames.iter().map(frame).collect(), self.volatile)
    }
}

fn waiting(outbox: Outbox) -> Vec<QueuedPacket> {
    outbox.into_packets().map(|(frames, volatile)| QueuedPacket::new(&frames, volatile)).collect()
}

fn outbox(packets: &[QueuedPacket]) -> Option<Outbox> {
    let mut outbox = Outbox::default();
    for waiting in packets {
        let (frames, volatile) = waiting.packet();
        outbox.push(frames, volatile, usize::MAX).ok()?;
    }
    Some(outbox)
}

/// Reads the packets that an owner has sent while its session moves.
pub(in crate::engineio) fn read_sent(packets: &Bytes) -> Option<Outbox> {
    outbox(&wire::read::<Vec<QueuedPacket>>(packets)?)
}

/// The WebSocket messages of a client as they are forwarded; text messages begin with the packet type.
pub(in crate::engineio) fn write_packets(form: Form, messages: Vec<Message>) -> Bytes {
    wire::write(form, &messages.into_iter().map(<(bool, Blob)>::from).collect::<Vec<_>>())
}

fn left(due: Instant) -> u64 {
    u64::try_from(due.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_of_an_earlier_release_gives_away_is_read() {
        let moving = r#"{"ping_ms":1000,"pong_ms":null,"accept_ms":null,"outbox":[{"frames":[[false,"NDI="],[true,"/w=="]],
            "volatile":7}],"connection":"e30="}"#;
        let moving: SessionExport = wire::read(moving.as_bytes()).unwrap();
        assert_eq!(moving.reading_left, None, "its limit begins anew");
        assert_eq!(&moving.connection.0[..], b"{}");
        assert_eq!(moving.outbox[0].frames, [(false, Blob("42".into())), (true, Blob(Bytes::from_static(b"\xff")))]);
        // And as this release gives it away, in either form.
        for form in [Form::Json, Form::Packed] {
            let again: SessionExport = wire::read(&wire::write(form, &moving)).unwrap();
            assert_eq!((again.outbox[0].volatile, &again.outbox[0].frames), (Some(7), &moving.outbox[0].frames));
        }
    }
}
