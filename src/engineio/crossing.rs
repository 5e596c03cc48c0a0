//! A session of another node on its way to the WebSocket that is open for it here. Meanwhile this node reads on: what the
//! client says is passed on to the owner, whose handlers may wait for it, and what the owner still sends is written.
//!
//! ```text
//! reader ─► queue ─► owner: takes acknowledgements, keeps the rest for the whole   ┐ in turns, until the owner
//! socket ◄───────── owner: what its handlers send                                  ┘ gives the whole session out
//!          queue ─► the session, as far as the owner has not taken it
//! ```

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use smallvec::smallvec;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::net::Hold;
use crate::protocol::engineio::{Message, Packet};
use crate::protocol::frame::Frame;

use super::elsewhere::Taken;
use super::session::{CannotAdopt, read_sent, write_packets};
use super::websocket::Foreign;
use super::{CloseReason, Session};

/// How long another node may take to give a session away, which lets it finish what is under way.
const TAKE: Duration = Duration::from_secs(6);

/// What a message costs beside its bytes while it waits.
const MESSAGE_BYTES: usize = 64;

/// What may wait without being counted in the budget of the process.
const UNCOUNTED: usize = 4_096;

/// What is read of the client while its session is on its way.
pub struct Crossing {
    foreign: Arc<Foreign>,
    state: Mutex<State>,
    /// There is something to pass on.
    said: Notify,
    /// The session is here, or never will be.
    settled: CancellationToken,
    /// So many bytes are read before it is; a message may exceed it.
    most: usize,
}

struct State {
    queue: VecDeque<Message>,
    /// Of everything that was read.
    bytes: usize,
    hold: Option<Hold>,
    /// The last WebSocket `ping`.
    ping: Option<Bytes>,
    outcome: Outcome,
}

enum Outcome {
    Pending,
    Open(Arc<Session>),
    Failed(CloseReason),
}

impl Crossing {
    /// The client has sent its upgrade packet: takes the session over.
    pub fn begin(foreign: Arc<Foreign>, socket: Arc<TcpStream>, most: usize) -> Arc<Self> {
        foreign.upgraded.store(true, Relaxed);
        let state = State { queue: VecDeque::new(), bytes: 0, hold: None, ping: None, outcome: Outcome::Pending };
        let (said, settled) = (Notify::new(), CancellationToken::new());
        let crossing = Arc::new(Self { foreign, state: state.into(), said, settled, most });
        tokio::spawn(crossing.clone().carry(socket));
        crossing
    }

    /// A message of the client; it comes back, with the session, if that is here.
    pub async fn take(self: &Arc<Self>, message: Message) -> Result<Option<(Arc<Session>, Message)>, CloseReason> {
        loop {
            {
                let mut state = lock(&self.state);
                match &state.outcome {
                    Outcome::Open(session) => return Ok(Some((session.clone(), message))),
                    Outcome::Failed(reason) => return Err(*reason),
                    Outcome::Pending if state.bytes < self.most => {
                        state.bytes += len(&message) + MESSAGE_BYTES;
                        state.queue.push_back(message);
                        self.count(&mut state);
                        self.said.notify_one();
                        return Ok(None);
                    }
                    Outcome::Pending => {}
                }
            }
            self.settled.cancelled().await;
        }
    }

    fn count(self: &Arc<Self>, state: &mut State) {
        if state.bytes > UNCOUNTED {
            let hold = || {
                let me = Arc::downgrade(self);
                let close = move || drop(me.upgrade().map(|me| me.end(CloseReason::SlowClient)));
                self.foreign.engine.config.budget.hold("what a moving client says", Some(self.foreign.address), close)
            };
            state.hold.get_or_insert_with(hold).set(state.bytes);
        }
    }

    /// Counts a frame; `Some` is how long not to read.
    pub fn pace(&self, bytes: usize) -> Option<Duration> {
        match &lock(&self.state).outcome {
            Outcome::Open(session) => session.pace(1, bytes),
            Outcome::Pending | Outcome::Failed(_) => self.foreign.pace(bytes),
        }
    }

    /// The client wants a WebSocket `pong`. It gets one for its last `ping` when nobody else writes.
    pub fn pinged(&self, data: Bytes) {
        let mut state = lock(&self.state);
        if let Outcome::Open(session) = &state.outcome {
            session.send(smallvec![Frame::websocket_pong(&data)]);
        } else {
            state.ping = Some(data);
        }
    }

    /// Nothing more can be read. The session that is here, to be closed.
    pub fn end(&self, reason: CloseReason) -> Option<Arc<Session>> {
        let mut state = lock(&self.state);
        match &state.outcome {
            Outcome::Open(session) => return Some(session.clone()),
            Outcome::Pending => state.outcome = Outcome::Failed(reason),
            Outcome::Failed(_) => {}
        }
        drop(state);
        self.settled.cancel();
        None
    }

    async fn carry(self: Arc<Self>, socket: Arc<TcpStream>) {
        let foreign = &*self.foreign;
        let moving = tokio::select! {
            moving = tokio::time::timeout(TAKE, self.exchange(&socket)) => moving.ok().flatten(),
            () = self.settled.cancelled() => None,
        };
        let adopted = match moving {
            Some(moving) => Session::adopt(&foreign.engine, &foreign.sid, foreign.address, &socket, &moving).await,
            None => Err(CannotAdopt),
        };
        match adopted {
            Ok(session) => self.open(&session),
            Err(CannotAdopt) => {
                // Its owner has closed the session, most likely. The client comes back by itself.
                foreign.engine.admission.release(foreign.address);
                let frame = Frame::close(CloseReason::TryAgain.code(), CloseReason::TryAgain.as_str());
                let _ = socket.try_write(frame.websocket());
                self.end(CloseReason::TryAgain);
                let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
            }
        }
    }

    /// Between owner and client, until the owner gives the whole session out.
    async fn exchange(&self, socket: &TcpStream) -> Option<Bytes> {
        let foreign = &*self.foreign;
        let (begun, given) = (CancellationToken::new(), CancellationToken::new());
        // The owner reads the form in which it writes.
        let form = OnceLock::new();
        let down = async {
            loop {
                match foreign.elsewhere.take(&foreign.sid, foreign.ticket).await.ok_or(CannotAdopt)? {
                    Taken::Part(packets) => {
                        // From now on, and not before, the owner knows what to do with what the client says.
                        let _ = form.set(Form::of(&packets));
                        begun.cancel();
                        write(socket, &packets).await.ok_or(CannotAdopt)?;
                    }
                    Taken::Whole(moving) => {
                        given.cancel();
                        return Ok::<_, CannotAdopt>(moving);
                    }
                }
            }
        };
        let up = async {
            tokio::select! {
                () = begun.cancelled() => {}
                () = given.cancelled() => {}
            }
            while !given.is_cancelled() {
                let packets: Vec<Message> = lock(&self.state).queue.iter().cloned().collect();
                if packets.is_empty() {
                    tokio::select! {
                        () = self.said.notified() => {}
                        () = given.cancelled() => {}
                    }
                    continue;
                }
                let (count, form) = (packets.len(), form.get().copied().unwrap_or_default());
                let packets = write_packets(form, packets);
                let taken = foreign.elsewhere.pass_on(&foreign.sid, foreign.ticket, packets).await;
                let taken = taken.ok_or(CannotAdopt)?.min(count);
                lock(&self.state).queue.drain(..taken);
                if taken < count {
                    break;
                }
            }
            Ok::<_, CannotAdopt>(())
        };
        tokio::try_join!(down, up).ok().map(|(moving, ())| moving)
    }

    /// The session is here: it gets what its owner has not taken, and from then on everything.
    fn open(&self, session: &Arc<Session>) {
        loop {
            let mut state = lock(&self.state);
            if let Outcome::Failed(reason) = state.outcome {
                drop(state);
                return session.close(reason);
            }
            if let Some(ping) = state.ping.take() {
                session.send(smallvec![Frame::websocket_pong(&ping)]);
            }
            let Some(message) = state.queue.pop_front() else {
                state.queue = VecDeque::new();
                state.hold = None;
                state.outcome = Outcome::Open(session.clone());
                drop(state);
                return self.settled.cancel();
            };
            drop(state);
            if let Err(reason) = session.hear(message) {
                lock(&self.state).outcome = Outcome::Open(session.clone());
                self.settled.cancel();
                return session.close(reason);
            }
        }
    }
}

fn len(message: &Message) -> usize {
    match message {
        Message::Text(data) | Message::Binary(data) => data.len(),
    }
}

/// Writes packets before the session is here, which does it from then on.
async fn write(socket: &TcpStream, packets: &Bytes) -> Option<()> {
    let mut outbox = read_sent(packets)?;
    while !outbox.write_to(socket).ok()? {
        socket.writable().await.ok()?;
    }
    Some(())
}

impl Session {
    /// A message of its WebSocket.
    pub(super) fn hear(self: &Arc<Self>, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Binary(_) => self.deliver(message),
            Message::Text(text) => self.receive(Packet::from_text(text).map_err(|_| CloseReason::ProtocolError)?)?,
        }
        Ok(())
    }
}
