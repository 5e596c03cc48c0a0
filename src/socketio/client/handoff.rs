//! A client that moves to another node during its upgrade, with all its sockets.
//!
//! The size of an export is bounded: at most one incomplete binary packet, one socket for each namespace, and for each socket
//! what its session store keeps.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::core::sync::lock;
use crate::core::wire::{self, Blob, Form};
use crate::engineio::{CloseReason, Connection as _, Handshake, Session};
use crate::protocol::engineio::Message;
use crate::protocol::packet::{Decoder, Packet, Parser};

use super::super::event_queue::Job;
use super::super::forwarded::ForwardedCall;
use super::super::rates::Allowance;
use super::super::{Arrival, DisconnectReason, Names, PendingSocket, Replay, SessionSnapshot, Socket, SocketExport, SocketIo};
use super::{Arriving, Client, Entry, State};

/// How often it is checked whether all work is done. A session moves once in its life.
const CHECK: Duration = Duration::from_millis(5);

#[derive(Serialize, Deserialize)]
pub struct ClientExport {
    handshake: HandshakeExport,
    msgpack: Option<bool>,
    /// The binary packet that is incomplete: its text and attachments.
    half: Vec<(bool, Blob)>,
    /// Whole packets that came while the session moved, before the incomplete one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aside: Vec<(bool, Blob)>,
    connects: u32,
    /// How many events and CONNECTs the session may still send. A node of an earlier release does not know these fields.
    #[serde(default)]
    events_left: Option<f64>,
    #[serde(default)]
    connects_left: Option<f64>,
    gone: Vec<String>,
    sockets: Vec<SocketExport>,
}

#[derive(Serialize, Deserialize)]
struct HandshakeExport {
    address: IpAddr,
    query: Box<str>,
    user_agent: Option<Box<str>>,
    /// A node of an earlier release does not know the fields from here on.
    #[serde(default)]
    path: Box<str>,
    /// Milliseconds since 1970.
    #[serde(default)]
    time: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
}

impl HandshakeExport {
    fn new(handshake: &Handshake) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
        let since = handshake.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            address: handshake.address,
            query: handshake.query.clone(),
            user_agent: handshake.user_agent.clone(),
            path: handshake.path.clone(),
            time: u64::try_from(since.as_millis()).unwrap_or_default(),
            headers: handshake.headers.iter().filter_map(text).collect(),
        }
    }

    fn read(self) -> Handshake {
        let header = |(name, value): (String, String)| Some((name.parse().ok()?, value.parse().ok()?));
        Handshake {
            address: self.address,
            query: self.query,
            user_agent: self.user_agent,
            path: self.path,
            time: UNIX_EPOCH + Duration::from_millis(self.time),
            headers: self.headers.into_iter().filter_map(header).collect::<HeaderMap>(),
        }
    }
}

impl Client {
    /// Waits until all work for the client is done, then freezes every socket.
    pub(super) async fn export_when_idle(&self, form: Form) -> Option<Bytes> {
        while !self.is_idle() {
            tokio::time::sleep(CHECK).await;
        }
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        let sockets: Vec<_> = state.entries.iter().filter_map(Entry::socket).cloned().collect();
        let mut exports = Vec::with_capacity(sockets.len());
        for socket in sockets {
            // `None`: the socket was just taken over by its pid.
            let export = self.io.freeze(&socket)?;
            state.leaving.push((socket, export.snapshot.clone()));
            exports.push(export);
        }
        let (events_left, connects_left) = state.allowance.left(&self.io.config);
        let gone = state.entries.iter().filter(|entry| matches!(entry, Entry::Gone(_)));
        let gone = gone.map(|entry| entry.name().to_owned()).collect();
        let export = ClientExport {
            handshake: HandshakeExport::new(&self.handshake),
            msgpack: state.decoder.parser().map(|parser| parser == Parser::Msgpack),
            half: state.decoder.half().into_iter().map(Into::into).collect(),
            aside: std::mem::take(&mut state.aside).into_iter().map(Into::into).collect(),
            connects: state.connects,
            events_left: Some(events_left),
            connects_left: Some(connects_left),
            gone,
            sockets: exports,
        };
        state.entries.clear();
        state.moved = true;
        Some(wire::write(form, &export))
    }

    /// Handlers may wait for an acknowledgement; all else is kept for the next node. False: the session has moved already.
    pub(super) fn take_while_moving(&self, session: &Arc<Session>, message: Message) -> bool {
        let mut state = lock(&self.state);
        if state.closed || state.moved {
            return false;
        }
        let mut messages = state.decoder.half();
        messages.push(message.clone());
        let decoded = state.decoder.decode_each(message, &|nsp, event| self.io.list_of(nsp, event));
        match decoded {
            Ok(None) => {}
            Ok(Some(Packet::Ack { nsp, id, args })) => {
                let socket = state.entries.iter().find(|entry| entry.name() == &*nsp).and_then(Entry::socket);
                // Under the lock: the acknowledgement is handled here, or the next node waits for it.
                if let Some(socket) = socket {
                    socket.acknowledged(id, args);
                }
            }
            Ok(Some(_)) => state.aside.append(&mut messages),
            Err(error) => {
                tracing::debug!(%error, "packet cannot be decoded");
                drop(state);
                session.close(CloseReason::ProtocolError);
            }
        }
        true
    }

    /// A call from the former owner of the session.
    pub(super) async fn handle_forwarded_call(&self, call: Bytes) -> Option<Bytes> {
        let form = Form::of(&call);
        let ForwardedCall { namespace, sid, what } = wire::read(&call)?;
        while lock(&self.state).arriving.is_some() {
            tokio::time::sleep(CHECK).await;
        }
        let socket = self.sockets().into_iter().find(|socket| socket.namespace().name() == namespace && socket.id() == sid)?;
        socket.handle_forwarded_call(what, form, &self.io.config).await
    }

    /// The sockets of this client have moved to another node, or the move has failed; the session store finds out which.
    pub(super) fn release_moved_sockets(&self) {
        let leaving = std::mem::take(&mut lock(&self.state).leaving);
        for (socket, snapshot) in leaving {
            socket.namespace().lost(&socket, DisconnectReason::TakenOver);
            socket.leave();
            let leaving = Some(self.io.leaving.token());
            socket.push(Job::Disconnected(DisconnectReason::TakenOver, leaving), &self.io.config);
            if let Some(store) = &self.io.store {
                store.given_away(&socket, snapshot);
            }
        }
    }

    fn is_idle(&self) -> bool {
        let state = lock(&self.state);
        let busy = |entry: &Entry| match entry {
            Entry::Connecting(..) => true,
            Entry::Connected(_, socket) => !socket.is_idle(),
            Entry::Gone(_) => false,
        };
        state.closed || (state.undecided == 0 && !state.entries.iter().any(busy))
    }

    /// A client of another node. [`Client::resume_sockets`] brings its sockets.
    pub fn arriving(io: Arc<SocketIo>, exported: &Bytes) -> Option<Arc<Self>> {
        let export: ClientExport = wire::read(exported)?;
        let parser = export.msgpack.map(|msgpack| if msgpack { Parser::Msgpack } else { Parser::Text });
        let messages = |packets: Vec<(bool, Blob)>| packets.into_iter().map(Message::from).collect::<Vec<_>>();
        let (mut half, mut received) = (messages(export.half), messages(export.aside));
        if !received.is_empty() {
            received.append(&mut half);
        }
        let decoder = Decoder::resume(io.config.attachments, parser, half, &|nsp, event| io.list_of(nsp, event))?;
        let gone = export.gone.iter().map(|name| Some(Entry::Gone(io.namespaces.get(&**name)?.name())));
        let state = State {
            decoder,
            allowance: Allowance::arriving(export.events_left, export.connects_left, &io.config),
            entries: gone.collect::<Option<_>>()?,
            connects: export.connects,
            undecided: 0,
            closed: false,
            moved: false,
            leaving: Vec::new(),
            arriving: Some(Arriving { sockets: export.sockets, messages: received }),
            aside: Vec::new(),
        };
        Some(Self::with(io, export.handshake.read(), state))
    }

    /// Resumes each socket. False: one cannot, and so the session cannot continue.
    pub(super) async fn resume_sockets(&self, session: &Arc<Session>) -> bool {
        let (Arriving { sockets, messages }, parser) = {
            let mut state = lock(&self.state);
            let arriving = state.arriving.as_mut().map(|arriving| Arriving {
                sockets: std::mem::take(&mut arriving.sockets),
                messages: std::mem::take(&mut arriving.messages),
            });
            let Some(arriving) = arriving else { return false };
            (arriving, state.decoder.parser().unwrap_or(Parser::Text))
        };
        let resumed = self.resume_each(session, parser, sockets).await;
        lock(&self.state).arriving = None;
        for message in messages.into_iter().filter(|_| resumed) {
            self.message(session, message);
        }
        resumed
    }

    async fn resume_each(&self, session: &Arc<Session>, parser: Parser, arriving: Vec<SocketExport>) -> bool {
        for mut export in arriving {
            let Some(socket) = self.arriving_socket(session, parser, &mut export) else { return false };
            socket.resume_acks(export.last_ack, &export.awaited);
            let replay = match &self.io.store {
                Some(store) => store.arrive(socket.clone(), export).await,
                None => Some(Replay::new(|| ())),
            };
            let Some(replay) = replay else { return false };
            let mut state = lock(&self.state);
            if state.closed {
                drop(state);
                self.discard_admitted(&socket, Some(replay));
                return false;
            }
            state.entries.push(Entry::Connected(socket.namespace().name(), socket.clone()));
            socket.namespace().gained(&socket);
            replay.run();
            socket.push(Job::Arrived(Arrival::Moved, None), &self.io.config);
            if let Some(store) = &self.io.store {
                store.connected(&socket);
            }
        }
        true
    }

    fn arriving_socket(&self, session: &Arc<Session>, parser: Parser, export: &mut SocketExport) -> Option<Arc<Socket>> {
        let namespace = self.io.namespaces.get(&*export.namespace)?;
        let data = namespace.import(std::mem::take(&mut export.data))?;
        let (link, identity) = self.link(session, namespace, parser, data);
        let pending = PendingSocket { identity, recovery_enabled: export.recovery_enabled, previous: None, link };
        Some(pending.socket(Names { sid: export.sid.clone(), pid: export.pid.clone(), epoch: export.epoch }))
    }
}

impl SocketIo {
    fn freeze(&self, socket: &Arc<Socket>) -> Option<SocketExport> {
        match &self.store {
            Some(store) => store.freeze(socket),
            None => socket.freeze().then(|| socket.export(SessionSnapshot::default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_of_an_earlier_release_gives_away_is_read() {
        let export = r#"{"handshake":{"address":"127.0.0.1","query":"EIO=4","user_agent":null},"msgpack":false,"half":[[true,"/w=="]],
            "connects":1,"gone":["/"],"sockets":[]}"#;
        let read: ClientExport = wire::read(export.as_bytes()).unwrap();
        assert_eq!(read.half, [(true, Blob(Bytes::from_static(b"\xff")))]);
        assert_eq!((read.events_left, read.connects_left), (None, None), "its limits begin anew");
    }
}
