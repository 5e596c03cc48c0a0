//! The transfer of a session from its owner to the WebSocket that is open for it here. Meanwhile this node reads on. It forwards
//! the client's messages to the owner, whose handlers may wait for an acknowledgement, and writes what the owner still sends.
//!
//! ```text
//! reader ─► queue ─► owner: handles acknowledgements, keeps the rest for the export   ┐ repeated until the owner
//! socket ◄───────── owner: what its handlers send                                     ┘ hands the whole session over
//!          queue ─► the session: what the owner has not accepted
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

use super::super::remote::HandedOver;
use super::super::session::{CannotAdopt, read_sent, write_packets};
use super::super::{CloseReason, Session};
use super::RemoteUpgrade;

/// How long the owner may take to hand a session over. It finishes its work for the client before.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(6);

/// The cost of a waiting message beside its bytes.
const MESSAGE_BYTES: usize = 64;

/// Bytes that may wait without being counted in the memory budget.
const UNCOUNTED: usize = 4_096;

/// A session that is being transferred to this node, and what its client sends meanwhile.
pub struct Transfer {
    upgrade: Arc<RemoteUpgrade>,
    state: Mutex<State>,
    /// Messages are queued.
    queued: Notify,
    /// Cancelled when the session is here, or the transfer has failed.
    done: CancellationToken,
    /// How many bytes are read before; the last message may exceed it.
    most: usize,
}

struct State {
    queue: VecDeque<Message>,
    /// Bytes of all messages that were read.
    bytes: usize,
    hold: Option<Hold>,
    /// The client's last WebSocket `ping`.
    ping: Option<Bytes>,
    progress: Progress,
}

enum Progress {
    Pending,
    Open(Arc<Session>),
    Failed(CloseReason),
}

impl Transfer {
    /// The client has sent its upgrade packet: starts to take the session over.
    pub fn begin(upgrade: Arc<RemoteUpgrade>, socket: Arc<TcpStream>, most: usize) -> Arc<Self> {
        upgrade.upgraded.store(true, Relaxed);
        let state = State { queue: VecDeque::new(), bytes: 0, hold: None, ping: None, progress: Progress::Pending };
        let (queued, done) = (Notify::new(), CancellationToken::new());
        let transfer = Arc::new(Self { upgrade, state: state.into(), queued, done, most });
        tokio::spawn(transfer.clone().run(socket));
        transfer
    }

    /// Queues a message of the client. If the session is here, returns both.
    pub async fn take(self: &Arc<Self>, message: Message) -> Result<Option<(Arc<Session>, Message)>, CloseReason> {
        loop {
            {
                let mut state = lock(&self.state);
                match &state.progress {
                    Progress::Open(session) => return Ok(Some((session.clone(), message))),
                    Progress::Failed(reason) => return Err(*reason),
                    Progress::Pending if state.bytes < self.most => {
                        state.bytes += len(&message) + MESSAGE_BYTES;
                        state.queue.push_back(message);
                        self.count(&mut state);
                        self.queued.notify_one();
                        return Ok(None);
                    }
                    Progress::Pending => {}
                }
            }
            self.done.cancelled().await;
        }
    }

    fn count(self: &Arc<Self>, state: &mut State) {
        if state.bytes > UNCOUNTED {
            let hold = || {
                let me = Arc::downgrade(self);
                let close = move || drop(me.upgrade().map(|me| me.end(CloseReason::SlowClient)));
                self.upgrade.engine.config.budget.hold("what a client sends during a transfer", Some(self.upgrade.address), close)
            };
            state.hold.get_or_insert_with(hold).set(state.bytes);
        }
    }

    /// Counts a frame. `Some`: nothing is read for so long.
    pub fn pace(&self, bytes: usize) -> Option<Duration> {
        match &lock(&self.state).progress {
            Progress::Open(session) => session.pace(1, bytes),
            Progress::Pending | Progress::Failed(_) => self.upgrade.pace(bytes),
        }
    }

    /// A WebSocket `ping` of the client. The last one is answered when the session is here, since until then another task writes.
    pub fn pinged(&self, data: Bytes) {
        let mut state = lock(&self.state);
        if let Progress::Open(session) = &state.progress {
            session.send(smallvec![Frame::websocket_pong(&data)]);
        } else {
            state.ping = Some(data);
        }
    }

    /// Nothing more can be read. Returns the session if it is here; the caller closes it.
    pub fn end(&self, reason: CloseReason) -> Option<Arc<Session>> {
        let mut state = lock(&self.state);
        match &state.progress {
            Progress::Open(session) => return Some(session.clone()),
            Progress::Pending => state.progress = Progress::Failed(reason),
            Progress::Failed(_) => {}
        }
        drop(state);
        self.done.cancel();
        None
    }

    async fn run(self: Arc<Self>, socket: Arc<TcpStream>) {
        let upgrade = &*self.upgrade;
        let exported = tokio::select! {
            exported = tokio::time::timeout(TAKE_OVER_TIMEOUT, self.exchange_with_owner(&socket)) => exported.ok().flatten(),
            () = self.done.cancelled() => None,
        };
        let adopted = match exported {
            Some(exported) => Session::adopt(&upgrade.engine, &upgrade.sid, upgrade.address, &socket, &exported).await,
            None => Err(CannotAdopt),
        };
        match adopted {
            Ok(session) => self.open(&session),
            Err(CannotAdopt) => {
                // Most likely the owner has closed the session. The client reconnects by itself.
                upgrade.engine.admission.release(upgrade.address);
                let frame = Frame::close(CloseReason::TryAgain.code(), CloseReason::TryAgain.as_str());
                let _ = socket.try_write(frame.websocket());
                self.end(CloseReason::TryAgain);
                let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
            }
        }
    }

    /// Carries packets between owner and client until the owner hands the whole session over.
    async fn exchange_with_owner(&self, socket: &TcpStream) -> Option<Bytes> {
        let upgrade = &*self.upgrade;
        let (begun, handed_over) = (CancellationToken::new(), CancellationToken::new());
        // The owner reads the wire form that it writes.
        let form = OnceLock::new();
        let down = async {
            loop {
                match upgrade.remote.take_over(&upgrade.sid, upgrade.ticket).await.ok_or(CannotAdopt)? {
                    HandedOver::Part(packets) => {
                        // Only from now on does the owner accept packets of the client.
                        let _ = form.set(Form::of(&packets));
                        begun.cancel();
                        write(socket, &packets).await.ok_or(CannotAdopt)?;
                    }
                    HandedOver::Whole(exported) => {
                        handed_over.cancel();
                        return Ok::<_, CannotAdopt>(exported);
                    }
                }
            }
        };
        let up = async {
            tokio::select! {
                () = begun.cancelled() => {}
                () = handed_over.cancelled() => {}
            }
            while !handed_over.is_cancelled() {
                let packets: Vec<Message> = lock(&self.state).queue.iter().cloned().collect();
                if packets.is_empty() {
                    tokio::select! {
                        () = self.queued.notified() => {}
                        () = handed_over.cancelled() => {}
                    }
                    continue;
                }
                let (count, form) = (packets.len(), form.get().copied().unwrap_or_default());
                let packets = write_packets(form, packets);
                let accepted = upgrade.remote.forward_packets(&upgrade.sid, upgrade.ticket, packets).await;
                let accepted = accepted.ok_or(CannotAdopt)?.min(count);
                lock(&self.state).queue.drain(..accepted);
                if accepted < count {
                    break;
                }
            }
            Ok::<_, CannotAdopt>(())
        };
        tokio::try_join!(down, up).ok().map(|(exported, ())| exported)
    }

    /// The session is here: it gets what the owner has not accepted, and from then on everything.
    fn open(&self, session: &Arc<Session>) {
        loop {
            let mut state = lock(&self.state);
            if let Progress::Failed(reason) = state.progress {
                drop(state);
                return session.close(reason);
            }
            if let Some(ping) = state.ping.take() {
                session.send(smallvec![Frame::websocket_pong(&ping)]);
            }
            let Some(message) = state.queue.pop_front() else {
                state.queue = VecDeque::new();
                state.hold = None;
                state.progress = Progress::Open(session.clone());
                drop(state);
                return self.done.cancel();
            };
            drop(state);
            if let Err(reason) = session.receive_message(message) {
                lock(&self.state).progress = Progress::Open(session.clone());
                self.done.cancel();
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

/// Writes packets of the owner. From [`Transfer::open`] on the session writes.
async fn write(socket: &TcpStream, packets: &Bytes) -> Option<()> {
    let mut outbox = read_sent(packets)?;
    while !outbox.write_to(socket).ok()? {
        socket.writable().await.ok()?;
    }
    Some(())
}

impl Session {
    /// Handles a message of the WebSocket.
    pub(super) fn receive_message(self: &Arc<Self>, message: Message) -> Result<(), CloseReason> {
        match message {
            Message::Binary(_) => self.deliver(message),
            Message::Text(text) => self.receive(Packet::from_text(text).map_err(|_| CloseReason::ProtocolError)?)?,
        }
        Ok(())
    }
}
