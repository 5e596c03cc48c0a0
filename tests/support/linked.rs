//! Several servers in this process, joined by real peer ports; who is where stands in a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use convoke::cluster::relay::{self, PeerDirectory};
use convoke::core::ids;
use convoke::core::wire::Form;
use convoke::peer::{Peer, Peers};
use convoke::settings::Secret;
use convoke::socketio::Namespace;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::server::{Options, Server};

/// The `CLUSTER_SECRET` of all of them.
pub const SECRET: &str = "a secret of the tests";

pub struct Linked {
    pub server: Server,
    pub peers: Arc<Peers>,
    /// How the others know it.
    pub peer: Peer,
    pub table: Arc<Table>,
    /// Closes the peer port.
    pub stop: DropGuard,
}

/// Which tag is where.
#[derive(Default)]
pub struct Table(Mutex<HashMap<String, Peer>>);

impl Table {
    /// From now on this is whom a tag means.
    pub fn set(&self, tag: &str, peer: Peer) {
        self.0.lock().unwrap().insert(tag.into(), peer);
    }
}

impl PeerDirectory for Table {
    fn peer_of_tag<'a>(&'a self, tag: &'a str) -> BoxFuture<'a, Option<Peer>> {
        Box::pin(std::future::ready(self.0.lock().unwrap().get(tag).cloned()))
    }
}

/// Starts `N` servers that know each other.
pub async fn linked<const N: usize>(options: Options, namespaces: impl Fn() -> Vec<Namespace>) -> [Linked; N] {
    let table = Arc::new(Table::default());
    let mut all = Vec::new();
    for _ in 0..N {
        let mut options = options.clone();
        options.engine.tag = ids::random(6).into();
        let tag = options.engine.tag.clone();
        let peers = Peers::new(&Secret::new(SECRET), &tag);
        let remote = |engine| Some(relay::relay(&peers, table.clone(), engine, &tag));
        let server = Server::start_linked(options, namespaces(), remote).await;
        relay::answer(&peers, &[("echo", &server.echo), ("io", &server.engine)]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let peer = Peer { node: (&*tag).into(), tag: (&*tag).into(), address, form: Form::NEWEST };
        table.set(&tag, peer.clone());
        let stop = CancellationToken::new();
        tokio::spawn(peers.clone().serve(listener, stop.clone()));
        all.push(Linked { server, peers, peer, table: table.clone(), stop: stop.drop_guard() });
    }
    all.try_into().unwrap_or_else(|_| unreachable!("there are N"))
}
