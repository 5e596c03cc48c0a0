//! One session as Socket.IO sees it: a decoder, and a socket for each namespace that the client has connected to.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use smallvec::SmallVec;

use crate::engineio::{CloseReason, Connection, Handshake, Session};
use crate::protocol::engineio::Message;
use crate::protocol::intake::NOT_A_NUMBER;
use crate::protocol::packet::{Decoder, Outgoing, Packet, Parser, encode};

use super::lane::Job;
use super::{Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Namespace, Socket, SocketIo, lock};

pub struct Client {
    me: Weak<Self>,
    io: Arc<SocketIo>,
    handshake: Arc<Handshake>,
    state: Mutex<State>,
}

struct State {
    decoder: Decoder,
    entries: SmallVec<[Entry; 1]>,
    closed: bool,
}

/// A namespace that the client has asked for.
enum Entry {
    Connecting(&'static str),
    Connected(&'static str, Arc<Socket>),
}

impl Entry {
    fn name(&self) -> &'static str {
        match self {
            Self::Connecting(name) | Self::Connected(name, _) => name,
        }
    }
}

impl Client {
    pub fn new(io: Arc<SocketIo>, handshake: Handshake) -> Arc<Self> {
        let decoder = Decoder::new(io.config.attachments);
        let state = Mutex::new(State { decoder, entries: SmallVec::new(), closed: false });
        Arc::new_cyclic(|me| Self { me: me.clone(), io, handshake: handshake.into(), state })
    }

    fn socket(&self, nsp: &str) -> Option<Arc<Socket>> {
        lock(&self.state).entries.iter().find_map(|entry| match entry {
            Entry::Connected(name, socket) if *name == nsp => Some(socket.clone()),
            _ => None,
        })
    }

    fn handle(&self, session: &Arc<Session>, packet: Packet, parser: Parser) -> Result<(), CloseReason> {
        match packet {
            Packet::Connect { nsp, auth } => {
                let Some(namespace) = self.io.namespaces.get(&*nsp).cloned() else {
                    session.send(encode(parser, &nsp, &Outgoing::ConnectError { json: r#"{"message":"Invalid namespace"}"# }));
                    return Ok(());
                };
                let mut state = lock(&self.state);
                if state.entries.iter().any(|entry| entry.name() == namespace.name()) {
                    return Err(CloseReason::ProtocolError);
                }
                state.entries.push(Entry::Connecting(namespace.name()));
                drop(state);
                let Some(client) = self.me.upgrade() else { return Ok(()) };
                let request = ConnectRequest { auth: auth.unwrap_or_else(|| "{}".into()), handshake: self.handshake.clone() };
                tokio::spawn(client.connect(session.clone(), namespace, request, parser));
            }
            Packet::Disconnect { nsp } => {
                if let Some(socket) = self.remove(&nsp) {
                    self.disconnected(&socket, DisconnectReason::Client);
                }
            }
            Packet::Event { nsp, id, name, args } => match self.socket(&nsp) {
                Some(socket) => socket.push_event(Event { name, args, ack_id: id }, &self.io.config),
                None => tracing::debug!("event for a namespace that is not connected"),
            },
            Packet::Refused { nsp, id, name, why } => {
                if let Some(socket) = self.socket(&nsp) {
                    let not_a_number = (why == NOT_A_NUMBER).then(|| socket.namespace().not_a_number_code(&name)).flatten();
                    socket.refuse(&name, id, &EventError::new(not_a_number.unwrap_or(Code::INVALID_PAYLOAD), why));
                }
            }
            Packet::Ack { nsp, id, args } => {
                if let Some(socket) = self.socket(&nsp) {
                    socket.acknowledged(id, args);
                }
            }
        }
        Ok(())
    }

    fn remove(&self, nsp: &str) -> Option<Arc<Socket>> {
        let mut state = lock(&self.state);
        let at = state.entries.iter().position(|entry| entry.name() == nsp)?;
        match state.entries.remove(at) {
            Entry::Connected(_, socket) => Some(socket),
            Entry::Connecting(_) => None,
        }
    }

    fn disconnected(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        self.io.sockets.fetch_sub(1, Ordering::Relaxed);
        socket.forget_acks();
        socket.push(Job::Disconnected(reason));
    }

    async fn connect(self: Arc<Self>, session: Arc<Session>, namespace: Arc<Namespace>, request: ConnectRequest, parser: Parser) {
        let result = (namespace.connect)(request).await;
        let result = result.map(|data| Socket::new(namespace.clone(), session.clone(), parser, data, &self.io.config));
        self.connected(&session, &namespace, result, parser);
    }

    /// The namespace's answer to a CONNECT. The client may be gone, or have given up on the namespace, meanwhile.
    fn connected(
        &self,
        session: &Arc<Session>,
        namespace: &Arc<Namespace>,
        result: Result<Arc<Socket>, ConnectError>,
        parser: Parser,
    ) {
        let mut state = lock(&self.state);
        let at = state.entries.iter().position(|entry| matches!(entry, Entry::Connecting(name) if *name == namespace.name()));
        let Some(at) = at.filter(|_| !state.closed) else { return };
        match result {
            Ok(socket) => {
                state.entries[at] = Entry::Connected(namespace.name(), socket.clone());
                self.io.sockets.fetch_add(1, Ordering::Relaxed);
                session.accepted();
                socket.send(&Outgoing::Connect { json: &format!(r#"{{"sid":"{}"}}"#, socket.id()) });
                socket.push(Job::Connected);
            }
            Err(ConnectError::Refused { code, message }) => {
                state.entries.remove(at);
                let json = serde_json::json!({"message": message, "data": {"code": code.0}}).to_string();
                session.send(encode(parser, namespace.name(), &Outgoing::ConnectError { json: &json }));
            }
            Err(ConnectError::TryAgain) => {
                drop(state);
                session.close(CloseReason::TryAgain);
            }
        }
    }
}

impl Connection for Client {
    fn message(&self, session: &Arc<Session>, message: Message) {
        let mut state = lock(&self.state);
        let decoded = state.decoder.decode(message);
        let parser = state.decoder.parser().unwrap_or(Parser::Text);
        drop(state);
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

    fn closed(&self, _session: &Arc<Session>, reason: CloseReason) {
        let mut state = lock(&self.state);
        state.closed = true;
        let entries = std::mem::take(&mut state.entries);
        drop(state);
        for entry in entries {
            if let Entry::Connected(_, socket) = entry {
                self.disconnected(&socket, DisconnectReason::Transport(reason));
            }
        }
    }
}
