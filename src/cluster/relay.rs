//! Sessions of other nodes, over the peer port: their long-polling is passed on, one hop, and their upgrades move them here.
//!
//! ```text
//! client ─► this node ─► tag in the sid ─► PeerDirectory: which peer ─► its engine. Never further.
//! ```
//!
//! Whom a client means is told by its session id alone, and where that is by the registry: a client cannot steer our calls.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::node::Node;
use super::registry::Registry;
use crate::core::wire::{self, Form};
use crate::engineio::Engine;
use crate::engineio::elsewhere::{Breach, Elsewhere, Followed, NoTicket, PollAnswer, Polled, Taken, Ticket, tag_of};
use crate::peer::{Answer, Peer, Peers};
use crate::telemetry::metrics::RELAYED;

const POLL: &str = "/poll";
const TICKET: &str = "/ticket";
const TICKET_BACK: &str = "/ticket/back";
const PROBED: &str = "/ticket/probed";
const TAKE: &str = "/take";
const PASS_ON: &str = "/take/packets";
const FOLLOW: &str = "/follow";

/// How long a node may take to say whether a session may be upgraded.
const TICKET_DEADLINE: Duration = Duration::from_secs(2);
/// It lets what is under way for the session finish before.
const TAKE_DEADLINE: Duration = Duration::from_secs(6);
/// How long it may take to hear what the client says meanwhile.
const PASS_ON_DEADLINE: Duration = Duration::from_secs(2);

/// Which process a tag belongs to.
pub trait PeerDirectory: Send + Sync + 'static {
    /// `None` if it is not known, and not to be found out.
    fn peer_of_tag<'a>(&'a self, tag: &'a str) -> BoxFuture<'a, Option<Peer>>;
}

impl PeerDirectory for Registry {
    fn peer_of_tag<'a>(&'a self, tag: &'a str) -> BoxFuture<'a, Option<Peer>> {
        Box::pin(Self::peer_of_tag(self, tag))
    }
}

/// The other nodes' sessions of one engine.
struct Relay {
    /// Which engine of the other process is meant.
    engine: &'static str,
    /// Of this process.
    tag: Box<str>,
    peers: Arc<Peers>,
    directory: Arc<dyn PeerDirectory>,
}

/// [`wire`] for a node that stands in the registry. Before [`Node::start`]; a node that stays alone asks nobody.
pub fn wire_node(node: &Node, engines: &[(&'static str, &Arc<Engine>)]) {
    if node.has_peers() {
        let directory: Arc<dyn PeerDirectory> = node.registry.clone();
        wire(&node.peers, &directory, engines);
    }
}

/// Joins the engines of this process with those of the same name in other processes: each asks the others for sessions that
/// are not its own, and answers when it is asked. Before [`Peers::serve`].
pub fn wire(peers: &Arc<Peers>, directory: &Arc<dyn PeerDirectory>, engines: &[(&'static str, &Arc<Engine>)]) {
    let own: Arc<[(&str, Weak<Engine>)]> = engines.iter().map(|(name, engine)| (*name, Arc::downgrade(engine))).collect();
    for (name, engine) in engines {
        let tag = engine.config().tag.clone();
        engine.set_elsewhere(Arc::new(Relay { engine: name, tag, peers: peers.clone(), directory: directory.clone() }));
    }
    let calls = [
        (POLL, poll as Answerer),
        (TICKET, ticket),
        (TICKET_BACK, ticket_back),
        (PROBED, probed),
        (TAKE, take),
        (PASS_ON, pass_on),
        (FOLLOW, follow),
    ];
    for (path, answer) in calls {
        let own = own.clone();
        peers.on(path, move |body| {
            let asked = Asked::read(body).and_then(|(asked, body)| {
                let (_, engine) = own.iter().find(|(name, _)| *name == asked.engine)?;
                Some((engine.upgrade()?, asked, body))
            });
            async move {
                match asked {
                    Some((engine, asked, body)) => answer(engine, asked, body).await,
                    None => Answer::status(StatusCode::BAD_REQUEST),
                }
            }
        });
    }
}

type Answerer = fn(Arc<Engine>, Asked, Bytes) -> BoxFuture<'static, Answer>;

/// The head of every call; for [`POLL`], [`PASS_ON`] and [`FOLLOW`] a body follows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Asked {
    engine: String,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<Ticket>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll: Option<Poll>,
    /// Of [`TAKE`]: where the session goes on. A node of the release before says nothing, and gets all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// In which it was written, and is answered.
    #[serde(skip)]
    form: Form,
}

#[derive(Debug, Serialize, Deserialize)]
struct Poll {
    /// The client's, for the log.
    address: IpAddr,
    what: What,
}

#[derive(Debug, Serialize, Deserialize)]
enum What {
    Get,
    Post,
    Broken(Breach),
    /// Something large is on its way from the client. Releases that do not know it answer 400.
    Heard,
}

impl Asked {
    /// Length of the head, head, body.
    fn write(&self, form: Form, body: &[u8]) -> Bytes {
        let head = wire::write(form, self);
        let mut bytes = BytesMut::with_capacity(4 + head.len() + body.len());
        bytes.put_u32(head.len() as u32);
        bytes.put_slice(&head);
        bytes.put_slice(body);
        bytes.freeze()
    }

    fn read(mut bytes: Bytes) -> Option<(Self, Bytes)> {
        let len = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let head = bytes.get(4..)?.get(..len)?;
        let asked = Self { form: Form::of(head), ..wire::read(head)? };
        Some((asked, bytes.split_off(4 + len)))
    }
}

fn poll(engine: Arc<Engine>, asked: Asked, body: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(poll) = asked.poll else { return Answer::status(StatusCode::BAD_REQUEST) };
        tracing::trace!(address = %poll.address, what = ?poll.what, "relayed request");
        let polled = match poll.what {
            What::Heard if engine.heard(&asked.sid) => return Answer::status(StatusCode::OK),
            What::Heard => return Answer::status(StatusCode::NOT_FOUND),
            What::Get => Polled::Get,
            What::Post => Polled::Post(body),
            What::Broken(breach) => Polled::Broken(breach),
        };
        let PollAnswer { status, body } = engine.relayed(&asked.sid, polled).await;
        Answer { status, body }
    })
}

fn ticket(engine: Arc<Engine>, asked: Asked, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let ticket = engine.issue_ticket(&asked.sid);
        Answer::ok(wire::write(asked.form, &ticket))
    })
}

fn ticket_back(engine: Arc<Engine>, asked: Asked, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        if let Some(ticket) = asked.ticket {
            engine.return_ticket(&asked.sid, ticket);
        }
        Answer::status(StatusCode::OK)
    })
}

fn take(engine: Arc<Engine>, asked: Asked, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(ticket) = asked.ticket else { return Answer::status(StatusCode::BAD_REQUEST) };
        match engine.hand_over(&asked.sid, ticket, asked.to.as_deref(), asked.form).await {
            Some(Taken::Whole(state)) => Answer::ok(state),
            Some(Taken::Part(packets)) => Answer { status: StatusCode::PARTIAL_CONTENT, body: packets },
            None => Answer::status(StatusCode::GONE),
        }
    })
}

fn probed(engine: Arc<Engine>, asked: Asked, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        if let Some(ticket) = asked.ticket {
            engine.probed(&asked.sid, ticket);
        }
        Answer::status(StatusCode::OK)
    })
}

fn pass_on(engine: Arc<Engine>, asked: Asked, packets: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(ticket) = asked.ticket else { return Answer::status(StatusCode::BAD_REQUEST) };
        Answer::ok(engine.pass_on(&asked.sid, ticket, &packets).to_string())
    })
}

fn follow(engine: Arc<Engine>, asked: Asked, word: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        match engine.followed(&asked.sid, word).await {
            Followed::Answered(answer) => Answer::ok(answer),
            Followed::NotThere => Answer::status(StatusCode::NOT_FOUND),
            Followed::Lost => Answer::status(StatusCode::GONE),
        }
    })
}

impl Relay {
    async fn peer(&self, sid: &str) -> Option<Peer> {
        self.directory.peer_of_tag(tag_of(sid)?).await
    }

    /// Says something that need not arrive.
    fn tell(&self, sid: &str, path: &'static str, asked: Asked) {
        let (peers, directory, sid) = (self.peers.clone(), self.directory.clone(), sid.to_owned());
        tokio::spawn(async move {
            let Some(tag) = tag_of(&sid) else { return };
            if let Some(peer) = directory.peer_of_tag(tag).await {
                let _ = peers.call(&peer, path, asked.write(peer.form, b""), TICKET_DEADLINE).await;
            }
        });
    }

    fn about(&self, sid: &str, ticket: Option<Ticket>) -> Asked {
        Asked { engine: self.engine.into(), sid: sid.into(), ticket, ..Asked::default() }
    }
}

impl Elsewhere for Relay {
    fn poll<'a>(&'a self, sid: &'a str, polled: Polled, address: IpAddr, within: Duration) -> BoxFuture<'a, Option<PollAnswer>> {
        Box::pin(async move {
            let (what, body) = match polled {
                Polled::Get => (What::Get, Bytes::new()),
                Polled::Post(body) => (What::Post, body),
                Polled::Broken(breach) => (What::Broken(breach), Bytes::new()),
            };
            let asked = Asked { poll: Some(Poll { address, what }), ..self.about(sid, None) };
            let answer = match self.peer(sid).await {
                Some(peer) => self.peers.call(&peer, POLL, asked.write(peer.form, &body), within).await.ok(),
                None => None,
            };
            let outcome = if answer.is_some() { "ok" } else { "unknown" };
            metrics::counter!(RELAYED, "outcome" => outcome).increment(1);
            answer.map(|Answer { status, body }| PollAnswer { status, body })
        })
    }

    fn heard<'a>(&'a self, sid: &'a str, address: IpAddr) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let asked = Asked { poll: Some(Poll { address, what: What::Heard }), ..self.about(sid, None) };
            match self.peer(sid).await {
                Some(peer) => {
                    let answer = self.peers.call(&peer, POLL, asked.write(peer.form, b""), TICKET_DEADLINE).await;
                    answer.is_ok_and(|answer| answer.status != StatusCode::NOT_FOUND)
                }
                None => false,
            }
        })
    }

    fn ticket<'a>(&'a self, sid: &'a str) -> BoxFuture<'a, Result<Ticket, NoTicket>> {
        Box::pin(async move {
            let peer = self.peer(sid).await.ok_or(NoTicket::Unknown)?;
            let asked = self.about(sid, None).write(peer.form, b"");
            let answer = self.peers.call(&peer, TICKET, asked, TICKET_DEADLINE).await.map_err(|_| NoTicket::Unknown)?;
            wire::read(&answer.body).unwrap_or(Err(NoTicket::Unknown))
        })
    }

    fn abort(&self, sid: &str, address: IpAddr) {
        let poll = Some(Poll { address, what: What::Broken(Breach::Aborted) });
        self.tell(sid, POLL, Asked { poll, ..self.about(sid, None) });
    }

    fn give_up(&self, sid: &str, ticket: Ticket) {
        self.tell(sid, TICKET_BACK, self.about(sid, Some(ticket)));
    }

    fn probed(&self, sid: &str, ticket: Ticket) {
        self.tell(sid, PROBED, self.about(sid, Some(ticket)));
    }

    fn take<'a>(&'a self, sid: &'a str, ticket: Ticket) -> BoxFuture<'a, Option<Taken>> {
        Box::pin(async move {
            let peer = self.peer(sid).await?;
            let asked = Asked { to: Some(self.tag.to_string()), ..self.about(sid, Some(ticket)) }.write(peer.form, b"");
            let answer = self.peers.call(&peer, TAKE, asked, TAKE_DEADLINE).await.ok()?;
            match answer.status {
                StatusCode::OK => Some(Taken::Whole(answer.body)),
                StatusCode::PARTIAL_CONTENT => Some(Taken::Part(answer.body)),
                _ => None,
            }
        })
    }

    fn pass_on<'a>(&'a self, sid: &'a str, ticket: Ticket, packets: Bytes) -> BoxFuture<'a, Option<usize>> {
        Box::pin(async move {
            let peer = self.peer(sid).await?;
            let asked = self.about(sid, Some(ticket)).write(peer.form, &packets);
            let answer = self.peers.call(&peer, PASS_ON, asked, PASS_ON_DEADLINE).await.ok()?;
            let taken = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == StatusCode::OK);
            taken?.parse().ok()
        })
    }

    fn follow<'a>(&'a self, tag: &'a str, sid: &'a str, word: Bytes, within: Duration) -> BoxFuture<'a, Followed> {
        Box::pin(async move {
            let Some(peer) = self.directory.peer_of_tag(tag).await else { return Followed::Lost };
            let asked = self.about(sid, None).write(peer.form, &word);
            match self.peers.call(&peer, FOLLOW, asked, within).await {
                Ok(answer) if answer.status == StatusCode::OK => Followed::Answered(answer.body),
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => Followed::NotThere,
                Ok(_) | Err(_) => Followed::Lost,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_as_it_was_written_and_a_cut_one_not_at_all() {
        let asked = Asked { engine: "io".into(), sid: "s".into(), ticket: Some(u64::MAX), ..Asked::default() };
        for form in [Form::Json, Form::Packed] {
            let bytes = asked.write(form, b"body");
            let (read, body) = Asked::read(bytes.clone()).unwrap();
            assert_eq!(read.form, form);
            assert_eq!((&*read.engine, &*read.sid, read.ticket, &body[..]), ("io", "s", Some(u64::MAX), &b"body"[..]));
            for len in 0..bytes.len() - 4 {
                assert!(Asked::read(bytes.slice(..len)).is_none(), "{len}");
            }
        }
    }
}
