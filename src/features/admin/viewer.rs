//! The view of this node's operators: follows all nodes while there is an operator, and tells each of them what has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::follow::{Follower, Teller, Told};
use super::mirror::{Mirror, Said};
use super::peers::Node;
use super::settings::View;
use super::source::Source;
use super::wire::{End, ShownSocket};
use crate::cluster::registry::Registry;
use crate::core::sync::lock;
use crate::protocol::event::Args;
use crate::socketio::Socket;
use crate::telemetry::due;

/// How often it is looked which nodes there are, and what waits for whom.
const TICK: Duration = Duration::from_millis(100);
/// Nodes that do not answer hold the first list up for so long.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the followers have found and the view has not yet looked at.
const UNREAD: usize = 8;
/// Bytes that may wait for an operator. With more nothing is told; when less than the least wait, all sockets are listed anew.
const MOST_WAITING: usize = 512 << 10;
const LEAST_WAITING: usize = 64 << 10;
/// Of more changes at once, as when a large node dies, a new list is told instead.
const MOST_AT_ONCE: usize = 1_024;
/// Sockets in one packet.
const CHUNK: usize = 128;

/// One in a process.
pub struct Viewer {
    me: Weak<Self>,
    view: View,
    source: Arc<Source>,
    registry: Arc<Registry>,
    /// The tag of this process.
    own: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operators: Vec<Operator>,
    runs: bool,
}

struct Operator {
    socket: Arc<Socket>,
    phase: Phase,
}

/// How far an operator has been told of the sockets that there are.
enum Phase {
    /// Not at all, or too much waits for them.
    Waiting,
    /// All but these.
    Listing(Vec<String>),
    Live,
}

/// What the view knows, as long as there is an operator.
struct Cluster {
    mirror: Mirror,
    nodes: HashMap<Arc<str>, Followed>,
    since: Instant,
}

struct Followed {
    _follower: Follower,
    list: u64,
    /// Its sockets were listed, or it does not answer.
    is_listed: bool,
}

impl Viewer {
    pub fn new(view: View, source: Arc<Source>, registry: Arc<Registry>, own: Arc<str>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { me: me.clone(), view, source, registry, own, state: Mutex::default() })
    }

    /// How many operators look.
    pub fn operators(&self) -> usize {
        lock(&self.state).operators.len()
    }

    /// An operator looks from now on, also one who has done so already.
    pub fn add(&self, socket: &Arc<Socket>) {
        let mut state = lock(&self.state);
        state.operators.retain(|operator| operator.socket.id() != socket.id());
        state.operators.push(Operator { socket: socket.clone(), phase: Phase::Waiting });
        if !std::mem::replace(&mut state.runs, true)
            && let Some(me) = self.me.upgrade()
        {
            tokio::spawn(me.run());
        }
    }

    pub fn remove(&self, socket: &Socket) {
        lock(&self.state).operators.retain(|operator| operator.socket.id() != socket.id());
    }

    /// Ends a socket, wherever it is; false if no node has it.
    pub async fn end(&self, end: &End) -> bool {
        let nodes = self.nodes();
        join_all(nodes.iter().map(|(_, node)| node.end(end))).await.contains(&true)
    }

    /// All nodes by the tags of their processes.
    fn nodes(&self) -> Vec<(Arc<str>, Node)> {
        let other = |peer: crate::peer::Peer| (peer.tag.clone(), Node::Other(self.registry.peers().clone(), peer));
        let own = (self.own.clone(), Node::This(self.source.clone()));
        std::iter::once(own).chain(self.registry.others().into_iter().map(other)).collect()
    }

    async fn run(self: Arc<Self>) {
        let (teller, mut told) = mpsc::channel(UNREAD);
        let mut cluster = Cluster { mirror: Mirror::new(self.view.sockets), nodes: HashMap::new(), since: Instant::now() };
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some((node, told)) = told.recv() => self.say(&cluster.told(&node, told)),
                _ = ticks.tick() => {
                    if !self.tick(&mut cluster, &teller) {
                        return;
                    }
                }
            }
        }
    }

    /// False: no operator is left.
    fn tick(&self, cluster: &mut Cluster, teller: &Teller) -> bool {
        let said = cluster.compare(self.nodes(), self.view, teller);
        self.say(&said);
        let mut state = lock(&self.state);
        state.operators.retain(|operator| operator.socket.is_connected());
        state.runs = !state.operators.is_empty();
        for operator in &mut state.operators {
            operator.list(cluster, self.view.has_sockets());
        }
        state.runs
    }

    /// Tells every operator. Who cannot follow gets a list of all sockets later.
    fn say(&self, said: &Said) {
        if said.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        for operator in state.operators.iter_mut().filter(|operator| !matches!(operator.phase, Phase::Waiting)) {
            if said.len() > MOST_AT_ONCE || operator.socket.session().waiting_bytes() > MOST_WAITING {
                operator.phase = Phase::Waiting;
            } else {
                said.iter().for_each(|args| operator.socket.emit_args(args));
            }
        }
    }
}

impl Cluster {
    /// What a follower has found.
    fn told(&mut self, node: &Arc<str>, told: Told) -> Said {
        // It may be gone meanwhile.
        let Some(followed) = self.nodes.get_mut(node) else { return Said::new() };
        let mirror = &mut self.mirror;
        let said = match told {
            Told::List => {
                followed.list = mirror.begin_list();
                Said::new()
            }
            Told::Sockets(sockets) => sockets.into_iter().flat_map(|socket| mirror.listed(node, socket)).collect(),
            Told::Listed => {
                followed.is_listed = true;
                mirror.end_list(node, followed.list)
            }
            Told::Notes(notes) => notes.iter().flat_map(|note| mirror.noted(node, note)).collect(),
            Told::Away => {
                followed.is_listed = true;
                mirror.forget_node(node)
            }
        };
        if mirror.is_incomplete()
            && let Some(times) = due("the operator's view does not hold every socket")
        {
            tracing::info!(times, "the operator's view does not hold every socket: ADMIN_SOCKETS");
        }
        said
    }

    /// Follows nodes that are new, and forgets those that are gone.
    fn compare(&mut self, nodes: Vec<(Arc<str>, Node)>, view: View, teller: &Teller) -> Said {
        let gone: Vec<_> = self.nodes.keys().filter(|known| !nodes.iter().any(|(tag, _)| tag == *known)).cloned().collect();
        let mut said = self.mirror.expire(Instant::now());
        for tag in gone {
            self.nodes.remove(&tag);
            said.extend(self.mirror.forget_node(&tag));
        }
        for (tag, node) in nodes {
            let follower = || Follower::of(node, tag.clone(), view, teller.clone());
            self.nodes.entry(tag.clone()).or_insert_with(|| Followed { _follower: follower(), list: 0, is_listed: false });
        }
        said
    }

    fn is_listed(&self) -> bool {
        self.since.elapsed() >= PATIENCE || self.nodes.values().all(|node| node.is_listed)
    }
}

impl Operator {
    /// Lists the sockets piece by piece, as fast as the operator takes them.
    fn list(&mut self, cluster: &Cluster, has_sockets: bool) {
        if matches!(self.phase, Phase::Waiting) && self.has_room() && (!has_sockets || cluster.is_listed()) {
            let mut ids = cluster.mirror.ids();
            if has_sockets {
                // The page forgets all sockets that it knew: this comes once, and the others one by one.
                self.emit("all_sockets", &next(&mut ids, &cluster.mirror));
            }
            self.phase = Phase::Listing(ids);
        }
        while let Phase::Listing(ids) = &mut self.phase {
            if ids.is_empty() {
                self.phase = Phase::Live;
                return;
            }
            let sockets = next(ids, &cluster.mirror);
            for socket in sockets {
                self.emit("socket_connected", (socket, super::show::time(socket.handshake.issued)));
            }
            if !self.has_room() {
                return;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.socket.session().waiting_bytes() < LEAST_WAITING
    }

    fn emit(&self, name: &str, values: impl crate::protocol::event::Values) {
        if let Ok(args) = Args::of_event(name, values) {
            self.socket.emit_args(&args);
        }
    }
}

/// The next sockets of a list, as far as they are still there.
fn next<'a>(ids: &mut Vec<String>, mirror: &'a Mirror) -> Vec<&'a ShownSocket> {
    ids.split_off(ids.len().saturating_sub(CHUNK)).iter().filter_map(|id| mirror.get(id)).collect()
}
