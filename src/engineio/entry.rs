//! The door of the engine: every HTTP request under its path comes in here.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use smallvec::smallvec;

use crate::core::ids;
use crate::protocol::frame::Frame;

use crate::telemetry::metrics::HANDSHAKES;

use super::answer::{BadRequest, overloaded, respond};
use super::limits::Refusal;
use super::{Body, Engine, Handshake, Session, polling, websocket};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transport {
    Polling,
    WebSocket,
}

impl Engine {
    /// Answers a request. `address` is the client's, `X-Forwarded-For` already weighed.
    pub async fn serve(self: &Arc<Self>, request: Request<Incoming>, address: IpAddr) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let transport = match parameter(query, "transport") {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return BadRequest::TransportUnknown.response(),
        };
        if (transport == Transport::WebSocket) != fastwebsockets::upgrade::is_upgrade_request(&request) {
            return BadRequest::Malformed.response();
        }
        match parameter(query, "sid") {
            None if parameter(query, "EIO") != Some("4") => BadRequest::UnsupportedProtocolVersion.response(),
            None if request.method() != Method::GET => BadRequest::BadHandshakeMethod.response(),
            None => self.handshake(request, transport, address),
            Some(sid) => match (self.find(sid), transport, request.method()) {
                (None, Transport::Polling, &Method::GET | &Method::POST) => {
                    let sid = sid.to_owned();
                    self.poll_remote(&sid, request, address).await
                }
                (None, Transport::WebSocket, &Method::GET) => {
                    let sid = sid.to_owned();
                    self.upgrade_remote(&sid, request, address).await
                }
                (None, ..) => BadRequest::SessionIdUnknown.response(),
                (Some(session), Transport::WebSocket, &Method::GET) => websocket::upgrade(self, session, request),
                (Some(session), Transport::Polling, &Method::GET) => {
                    // A poll waits for long: it need not keep what it came with.
                    drop(request);
                    polling::get(session).await
                }
                (Some(session), Transport::Polling, &Method::POST) => polling::post(self, session, request.into_body()).await,
                _ => BadRequest::Malformed.response(),
            },
        }
    }

    fn handshake(self: &Arc<Self>, request: Request<Incoming>, transport: Transport, address: IpAddr) -> Response<Body> {
        if self.refuses_new.load(Ordering::Relaxed) {
            return overloaded("going away");
        }
        if let Err(refusal) = self.admit(address) {
            return overloaded(refusal.as_str());
        }
        let sid = format!("{}{}", self.config.tag, ids::random(15));
        let handshake = Handshake::read(&request, address, self.config.handshake_headers, self.config.kept_headers);
        match transport {
            Transport::Polling => {
                let session = Session::new_polling(self, sid, address);
                let open = self.open_packet(session.sid(), &["websocket"]);
                self.open(&session, handshake);
                respond(StatusCode::OK, "text/plain; charset=UTF-8", open)
            }
            Transport::WebSocket => websocket::handshake(self, sid, handshake, request),
        }
    }

    /// Takes a place for a session, if there is one.
    pub(super) fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        if !self.config.budget.has_room() {
            return Err(Refusal::Memory);
        }
        self.admission.admit(address)
    }

    /// Makes a session known and hands it to the layer above.
    pub(super) fn open(self: &Arc<Self>, session: &Arc<Session>, handshake: Handshake) {
        metrics::counter!(HANDSHAKES, "outcome" => "ok").increment(1);
        self.insert(session.clone());
        self.config.observer.tell(|observer| observer.opened());
        session.attach(self.handler.open(session, handshake));
    }

    /// The `open` packet: the handshake of Engine.IO.
    pub(super) fn open_packet(&self, sid: &str, upgrades: &[&str]) -> String {
        let config = &self.config;
        let handshake = json!({
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": config.ping_interval.as_millis() as u64,
            "pingTimeout": config.ping_timeout.as_millis() as u64,
            "maxPayload": config.max_payload,
        });
        format!("0{handshake}")
    }

    /// A WebSocket session's first packet goes before everything that the layer above sends.
    pub(super) fn open_websocket(self: &Arc<Self>, session: &Arc<Session>, handshake: Handshake) {
        session.send(smallvec![Frame::text(self.open_packet(session.sid(), &[]).as_bytes())]);
        self.open(session, handshake);
    }
}

/// The first value of a query parameter; an empty one is none. None of those that matter here has characters that would be
/// percent-encoded.
pub fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}
