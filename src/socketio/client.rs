//! One session as Socket.IO sees it: a decoder, and a socket for each namespace that the client has connected to.

mod connect;
mod handoff;

use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use smallvec::SmallVec;

use super::event_queue::Job;
use super::namespace::Data;
use super::rates::{self, Allowance};
use super::socket::Link;
use super::{
    Arrival, Code, ConnectRequest, DisconnectReason, Event, EventError, Identity, Namespace, SessionSnapshot, Socket,
    SocketExport, SocketIo,
};
use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::engineio::{CloseReason, Connection, Handshake, Session};
use crate::protocol::engineio::Message;
use crate::protocol::intake::NOT_A_NUMBER;
use crate::protocol::packet::{Decoder, Outgoing, Packet, Parser, encode};
use connect::Connect;

/// How many CONNECT packets of one client may be handled at the same time. It limits the work for a client that connects and
/// gives up again and again.
const MOST_UNDECIDED: u32 = 8;

pub struct Client {
    me: Weak<Self>,
    io: Arc<SocketIo>,
    handshake: Arc<Handshake>,
    state: Mutex<State>,
}

struct State {
    decoder: Decoder,
    allowance: Allowance,
    entries: SmallVec<[Entry; 1]>,
    /// How many CONNECT packets came.
    connects: u32,
    /// How many of them are still being handled, also of namespaces that the client has left.
    undecided: u32,
    closed: bool,
    /// The session has moved to another node.
    moved: bool,
    /// Frozen sockets that move to another node.
    leaving: Vec<(Arc<Socket>, SessionSnapshot)>,
    arriving: Option<Arriving>,
    /// Packets that came while the session moves; the next node handles them.
    aside: Vec<Message>,
}

/// Sockets of another node that do not run here yet.
struct Arriving {
    sockets: Vec<SocketExport>,
    /// Messages of the client since the export: whole packets, and perhaps the start of one.
    messages: Vec<Message>,
}

/// A namespace that the client has asked for.
enum Entry {
    /// With the number of the CONNECT packet, since a client may give up and try again before the answer.
    Connecting(&'static str, u32),
    Connected(&'static str, Arc<Socket>),
    /// Packets that the client has sent before it knew may still come.
    Gone(&'static str),
}

impl Entry {
    fn name(&self) -> &'static str {
        match self {
            Self::Connecting(name, _) | Self::Connected(name, _) | Self::Gone(name) => name,
        }
    }

    fn socket(&self) -> Option<&Arc<Socket>> {
        match self {
            Self::Connected(_, socket) => Some(socket),
            Self::Connecting(..) | Self::Gone(_) => None,
        }
    }
}

impl Client {
    pub fn new(io: Arc<SocketIo>, handshake: Handshake) -> Arc<Self> {
        let state = State {
            decoder: Decoder::new(io.config.attachments),
            allowance: Allowance::new(&io.config),
            entries: SmallVec::new(),
            connects: 0,
            undecided: 0,
            closed: false,
            moved: false,
            leaving: Vec::new(),
            arriving: None,
            aside: Vec::new(),
        };
        Self::with(io, handshake, state)
    }

    /// What the first request of its session told.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    fn with(io: Arc<SocketIo>, handshake: Handshake, state: State) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { me: me.clone(), io, handshake: handshake.into(), state: Mutex::new(state) })
    }

    /// The socket that a packet is for; `None` if it is gone. It is a protocol error to send to a namespace without a connection.
    fn socket(&self, nsp: &str) -> Result<Option<Arc<Socket>>, CloseReason> {
        match lock(&self.state).entries.iter().find(|entry| entry.name() == nsp) {
            Some(Entry::Connected(_, socket)) => Ok(Some(socket.clone())),
            Some(Entry::Gone(_)) => Ok(None),
            Some(Entry::Connecting(..)) | None => Err(CloseReason::ProtocolError),
        }
    }

    /// The socket that an event is for, and whether its session and user may send an event that counts so much.
    fn receiver(&self, nsp: &str, cost: f64) -> Result<Option<(Arc<Socket>, bool)>, CloseReason> {
        let Some(socket) = self.socket(nsp)? else { return Ok(None) };
        let may_send = lock(&self.state).allowance.take_event(cost, &self.io.config) && socket.user_may_send(cost);
        Ok(Some((socket, may_send)))
    }

    fn handle(&self, session: &Arc<Session>, packet: Packet, parser: Parser) -> Result<(), CloseReason> {
        match packet {
            Packet::Connect { nsp, auth } => {
                if !lock(&self.state).allowance.take_connect(&self.io.config) {
                    return Err(CloseReason::TooManyConnects);
                }
                let Some(namespace) = self.io.namespaces.get(&*nsp).cloned() else {
                    session.send(encode(parser, &nsp, &Outgoing::ConnectError { json: r#"{"message":"Invalid namespace"}"# }));
                    return Ok(());
                };
                let mut state = lock(&self.state);
                if state.undecided == MOST_UNDECIDED {
                    return Err(CloseReason::ProtocolError);
                }
                state.connects = state.connects.wrapping_add(1);
                let number = state.connects;
                let connecting = Entry::Connecting(namespace.name(), number);
                match state.entries.iter_mut().find(|entry| entry.name() == namespace.name()) {
                    None => state.entries.push(connecting),
                    Some(gone @ Entry::Gone(_)) => *gone = connecting,
                    Some(_) => return Err(CloseReason::ProtocolError),
                }
                state.undecided += 1;
                drop(state);
                let Some(client) = self.me.upgrade() else { return Ok(()) };
                let request = ConnectRequest { auth: auth.unwrap_or_else(|| "{}".into()), handshake: self.handshake.clone() };
                let connect = Connect { session: session.clone(), namespace, parser, number };
                tokio::spawn(client.connect(connect, request));
            }
            Packet::Disconnect { nsp } => {
                if let Some(socket) = self.remove(&nsp, None) {
                    self.disconnected(&socket, DisconnectReason::Client);
                }
            }
            Packet::Event { nsp, id, name, args } => match self.receiver(&nsp, rates::cost(args.size()))? {
                Some((socket, true)) => {
                    let event = Event { name, args, ack_id: id };
                    socket.namespace().observer().tell(|observer| observer.received(&socket, &event));
                    socket.push_event(event, &self.io.config);
                }
                Some((socket, false)) => socket.refuse_for_rate(&name, id),
                None => {}
            },
            Packet::Refused { nsp, id, name, why } => match self.receiver(&nsp, rates::cost(0))? {
                Some((socket, true)) => {
                    let not_a_number = (why == NOT_A_NUMBER).then(|| socket.namespace().not_a_number_code(&name)).flatten();
                    let error = EventError::new(not_a_number.unwrap_or(Code::INVALID_PAYLOAD), why);
                    socket.refuse(&name, id, &error);
                }
                Some((socket, false)) => socket.refuse_for_rate(&name, id),
                None => {}
            },
            Packet::Ack { nsp, id, args } => {
                if let Some(socket) = self.socket(&nsp)? {
                    socket.acknowledged(id, args);
                }
            }
        }
        Ok(())
    }

    /// Takes the socket of a namespace out; with an id only if it is that one.
    fn remove(&self, nsp: &str, id: Option<&str>) -> Option<Arc<Socket>> {
        let mut state = lock(&self.state);
        let entry = state.entries.iter_mut().find(|entry| entry.name() == nsp)?;
        if matches!((&*entry, id), (Entry::Connected(_, socket), Some(id)) if socket.id() != id) {
            return None;
        }
        let gone = Entry::Gone(entry.name());
        match std::mem::replace(entry, gone) {
            Entry::Connected(_, socket) => Some(socket),
            Entry::Connecting(..) | Entry::Gone(_) => None,
        }
    }

    /// The hub ends a socket, and with the last one the session.
    pub fn end(&self, socket: &Socket) {
        let Some(removed) = self.remove(socket.namespace().name(), Some(socket.id())) else { return };
        removed.send(&Outgoing::Disconnect);
        self.disconnected(&removed, DisconnectReason::Server);
        if lock(&self.state).entries.iter().all(|entry| matches!(entry, Entry::Gone(_))) {
            removed.session().close_after_delivery(CloseReason::ServerClosed);
        }
    }

    fn disconnected(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        let reason = if socket.is_frozen() { DisconnectReason::TakenOver } else { reason };
        socket.namespace().lost(socket, reason);
        socket.leave();
        if let Some(store) = &self.io.store {
            store.gone(socket, reason);
        }
        if let DisconnectReason::Transport(CloseReason::LostOwnership | CloseReason::Overload) = reason {
            socket.forget_events();
        }
        socket.push(Job::Disconnected(reason, Some(self.io.leaving.token())), &self.io.config);
    }

    /// See [`Socket::resumed`].
    pub fn resumed(&self, socket: &Arc<Socket>) {
        socket.push(Job::Arrived(Arrival::Moved, None), &self.io.config);
    }

    /// See [`Socket::discard`].
    pub fn discard(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        socket.push(Job::Disconnected(reason, Some(self.io.leaving.token())), &self.io.config);
    }

    pub fn max_pending_acks(&self) -> usize {
        self.io.config.max_pending_acks
    }

    /// The link of a new socket to this client, and its user.
    fn link(&self, session: &Arc<Session>, namespace: &Arc<Namespace>, parser: Parser, data: Data) -> (Link, Option<Identity>) {
        let identity = namespace.identify(&data);
        let link = Link {
            user: self.io.user_of(namespace, identity.as_ref()),
            namespace: namespace.clone(),
            session: session.clone(),
            handshake: self.handshake.clone(),
            client: self.me.clone(),
            parser,
            data,
        };
        (link, identity)
    }

    /// Its sockets, one for each namespace that it is connected to.
    pub fn sockets(&self) -> SmallVec<[Arc<Socket>; 1]> {
        lock(&self.state).entries.iter().filter_map(Entry::socket).cloned().collect()
    }
}

impl Connection for Client {
    fn message(&self, session: &Arc<Session>, message: Message) {
        let mut state = lock(&self.state);
        let mut decoded = state.decoder.decode_each(message, &|nsp, event| self.io.list_of(nsp, event));
        let parser = state.decoder.parser().unwrap_or(Parser::Text);
        drop(state);
        // The text parser returns slices of what is counted already.
        if parser == Parser::Msgpack
            && let Ok(Some(Packet::Event { args, .. })) = &mut decoded
        {
            args.json = session.counted(std::mem::take(&mut args.json));
        }
        let result = match decoded {
            Ok(Some(packet)) => self.handle(session, packet, parser),
            Ok(None) => Ok(()),
            Err(error) => {
                tracing::debug!(%error, "packet cannot be decoded");
                Err(CloseReason::ProtocolError)
            }
        };
        if let Err(reason) = result {
            session.close(reason);
        }
    }

    fn pinging(&self, _session: &Arc<Session>) {
        if let Some(store) = &self.io.store {
            self.sockets().iter().for_each(|socket| store.pinging(socket));
        }
    }

    fn ping_answered(&self, _session: &Arc<Session>) {
        self.sockets().iter().for_each(|socket| socket.ping_answered());
    }

    fn upgraded(&self, _session: &Arc<Session>) {
        self.io.config.observer.tell(|observer| self.sockets().iter().for_each(|socket| observer.upgraded(socket)));
    }

    fn closed(&self, _session: &Arc<Session>, reason: CloseReason) {
        let mut state = lock(&self.state);
        state.closed = true;
        let entries = std::mem::take(&mut state.entries);
        drop(state);
        // After a move that has failed at the last moment.
        self.release_moved_sockets();
        for entry in entries {
            if let Entry::Connected(_, socket) = entry {
                self.disconnected(&socket, DisconnectReason::Transport(reason));
            }
        }
    }

    fn export<'a>(&'a self, _session: &'a Arc<Session>, form: Form) -> BoxFuture<'a, Option<Bytes>> {
        self.export_when_idle(form).boxed()
    }

    fn message_while_moving(&self, session: &Arc<Session>, message: Message) -> bool {
        self.take_while_moving(session, message)
    }

    fn forwarded_call<'a>(&'a self, _session: &'a Arc<Session>, call: Bytes) -> BoxFuture<'a, Option<Bytes>> {
        self.handle_forwarded_call(call).boxed()
    }

    fn moved(self: Arc<Self>, _session: Arc<Session>) -> BoxFuture<'static, ()> {
        async move { self.release_moved_sockets() }.boxed()
    }

    fn resume<'a>(&'a self, session: &'a Arc<Session>) -> BoxFuture<'a, bool> {
        self.resume_sockets(session).boxed()
    }
}
