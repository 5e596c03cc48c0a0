//! The calls between nodes for the operator's view. A node without such a view answers 404, as a node of an earlier release
//! does.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::source::Source;
use super::wire::{Ask, AskSockets, End, News, Note, Place, SocketPart};
use crate::core::wire::{self, Form};
use crate::peer::{Answer, Peer, PeerError, Peers};

const NEWS: &str = "/admin/news";
const SOCKETS: &str = "/admin/sockets";
const END: &str = "/admin/end";
const DEADLINE: Duration = Duration::from_secs(2);

/// Answers the calls of other nodes.
pub fn answer(peers: &Peers, source: &Arc<Source>) {
    let weak = Arc::downgrade(source);
    peers.on(NEWS, move |body| {
        let news = with::<Ask>(&weak, &body).map(|(source, ask)| source.news(ask.after.as_ref()));
        let form = Form::of(&body);
        async move {
            let Some(News { place, lost, notes }) = news else { return Answer::status(StatusCode::BAD_REQUEST) };
            let notes: Vec<&Note> = notes.iter().map(|note| &**note).collect();
            Answer::ok(wire::write(form, &News { place, lost, notes }))
        }
    });
    let weak = Arc::downgrade(source);
    peers.on(SOCKETS, move |body| {
        let asked = with::<AskSockets>(&weak, &body);
        let form = Form::of(&body);
        async move {
            let Some((source, ask)) = asked else { return Answer::status(StatusCode::BAD_REQUEST) };
            Answer::ok(wire::write(form, &source.sockets(ask.part).await))
        }
    });
    let weak = Arc::downgrade(source);
    peers.on(END, move |body| {
        let asked = with::<End>(&weak, &body);
        async move {
            match asked {
                Some((source, end)) if source.end(&end).await => Answer::status(StatusCode::NO_CONTENT),
                // 404 would say that this node has no such view.
                Some(_) => Answer::status(StatusCode::GONE),
                None => Answer::status(StatusCode::BAD_REQUEST),
            }
        }
    });
}

fn with<T: DeserializeOwned>(source: &Weak<Source>, body: &[u8]) -> Option<(Arc<Source>, T)> {
    source.upgrade().zip(wire::read(body))
}

/// A node of the cluster.
#[derive(Clone)]
pub enum Node {
    This(Arc<Source>),
    Other(Arc<Peers>, Peer),
}

/// Why a node did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// It has no such view.
    NotOffered,
    Silent,
}

impl Node {
    pub async fn news(&self, after: Option<&Place>) -> Result<News<Arc<Note>>, NoAnswer> {
        match self {
            Self::This(source) => Ok(source.news(after)),
            Self::Other(peers, peer) => {
                let News { place, lost, notes } = call::<News<Note>>(peers, peer, NEWS, &Ask { after: after.cloned() }).await?;
                Ok(News { place, lost, notes: notes.into_iter().map(Arc::new).collect() })
            }
        }
    }

    pub async fn sockets(&self, part: usize) -> Result<SocketPart, NoAnswer> {
        match self {
            Self::This(source) => Ok(source.sockets(part).await),
            Self::Other(peers, peer) => call(peers, peer, SOCKETS, &AskSockets { part }).await,
        }
    }

    /// Ends a socket; false if it is not there.
    pub async fn end(&self, end: &End) -> bool {
        match self {
            Self::This(source) => source.end(end).await,
            Self::Other(peers, peer) => {
                let body = wire::write(peer.form, end);
                peers.call(peer, END, body, DEADLINE).await.is_ok_and(|answer| answer.status.is_success())
            }
        }
    }
}

async fn call<T: DeserializeOwned>(peers: &Peers, peer: &Peer, path: &'static str, ask: &impl Serialize) -> Result<T, NoAnswer> {
    let body: Bytes = wire::write(peer.form, ask);
    match peers.call(peer, path, body, DEADLINE).await {
        Ok(answer) if answer.status == StatusCode::OK => wire::read(&answer.body).ok_or(NoAnswer::NotOffered),
        Ok(_) => Err(NoAnswer::NotOffered),
        Err(PeerError::Refused(StatusCode::NOT_FOUND)) => Err(NoAnswer::NotOffered),
        Err(_) => Err(NoAnswer::Silent),
    }
}
