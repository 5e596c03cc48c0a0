//! Discovery of the masters and their slots: `CLUSTER SHARDS` (before Redis 7 `CLUSTER SLOTS`), the sentinels, or the one Redis
//! of the URL.

use std::collections::HashMap;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, Value, cmd, pipe};
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::time::Instant;

use super::config::{Kind, Target};
use super::dial::{Address, Dial};
use super::topology::Table;

/// How long one server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);

/// How long a master that has lost its replicas is still taken to have them. It may have been replaced in a failover without
/// knowing it yet, so its writes count as unconfirmed. After this time the failover is known.
const REPLICAS_REMEMBERED: Duration = Duration::from_secs(10);

/// The cluster as one of its nodes sees it.
pub(super) struct View {
    pub table: Table,
    /// `cluster_current_epoch`: the higher, the newer.
    pub epoch: u64,
    /// `cluster_state:ok`. A node that is cut off from the others does not say so.
    pub ok: bool,
}

/// Finds the masters, over connections that it keeps.
pub(super) struct Discovery {
    target: Target,
    dial: Dial,
    sentinels: Dial,
    cons: HashMap<Address, MultiplexedConnection>,
    /// The server that gave the last view that was used.
    trusted: Option<Address>,
    epoch: u64,
    /// When a master last had replicas, and how many.
    followed: HashMap<Address, (Instant, usize)>,
}

impl Discovery {
    pub fn new(target: Target, dial: &Dial) -> Self {
        let (dial, sentinels) = (dial.clone(), dial.for_sentinels());
        Self { target, dial, sentinels, cons: HashMap::new(), trusted: None, epoch: 0, followed: HashMap::new() }
    }

    /// The best view that a server gives; `None` if no server answers.
    pub async fn discover(&mut self, known: &Table) -> Option<View> {
        let mut view = self.ask_servers(known).await?;
        let now = Instant::now();
        self.followed.retain(|_, (seen, _)| now.duration_since(*seen) < REPLICAS_REMEMBERED);
        for master in &mut view.table.masters {
            if master.replicas > 0 {
                self.followed.insert(master.address.clone(), (now, master.replicas));
            } else if let Some((_, replicas)) = self.followed.get(&master.address) {
                master.replicas = *replicas;
            }
        }
        Some(view)
    }

    async fn ask_servers(&mut self, known: &Table) -> Option<View> {
        let (address, replicas) = match &self.target.kind {
            Kind::Cluster => return self.ask_cluster(known).await,
            Kind::Single => {
                let address = self.target.seeds.first()?.clone();
                self.ask(vec![address], replicas).await.pop()?
            }
            Kind::Sentinel { service } => {
                let named = self.masters_by_sentinels(service).await;
                let masters = self.ask(named.keys().cloned().collect(), is_master).await;
                let (address, ()) = masters.into_iter().max_by_key(|(address, ())| named.get(address).copied())?;
                let replicas = self.ask(vec![address.clone()], replicas).await.pop();
                replicas.unwrap_or((address, 0))
            }
        };
        Some(View { table: Table::single(address, replicas), epoch: 0, ok: true })
    }

    /// Asks first only the node that gave the last view. All others are asked if it fails or says that the cluster is down.
    async fn ask_cluster(&mut self, known: &Table) -> Option<View> {
        let mut best: Option<(Address, View)> = None;
        if let Some(address) = self.trusted.take() {
            best = self.ask(vec![address], cluster_view).await.pop();
        }
        if !best.as_ref().is_some_and(|(_, view)| view.ok && view.epoch >= self.epoch) {
            let mut others: Vec<Address> = known.masters.iter().map(|master| master.address.clone()).collect();
            others.extend(self.target.seeds.iter().cloned());
            others.sort();
            others.dedup();
            others.retain(|address| best.as_ref().is_none_or(|(asked, _)| asked != address));
            let views = self.ask(others, cluster_view).await;
            best = views.into_iter().chain(best).max_by_key(|(_, view)| (view.ok, view.epoch));
        }
        let (address, view) = best?;
        self.epoch = self.epoch.max(view.epoch);
        self.trusted = Some(address);
        // Drops connections to nodes that are neither masters nor in the URL.
        let seeds = &self.target.seeds;
        self.cons
            .retain(|address, _| seeds.contains(address) || view.table.masters.iter().any(|master| master.address == *address));
        Some(view)
    }

    /// The addresses that the sentinels name, and how many name each. Right after a failover they may disagree, and an outdated
    /// one may name a former master that has come back and does not know of the failover yet: ask each for its `ROLE`.
    async fn masters_by_sentinels(&self, service: &str) -> HashMap<Address, usize> {
        let asked = self.target.seeds.iter().map(|sentinel| {
            let dial = &self.sentinels;
            async move {
                let mut con = dial.plain(sentinel).await.ok()?;
                let mut ask = cmd("SENTINEL");
                let named = ask.arg("GET-MASTER-ADDR-BY-NAME").arg(service).query_async(&mut con).await;
                let named: Option<(String, u16)> = named.inspect_err(|error| dial.refusals.note_error(sentinel, error)).ok()?;
                if named.is_none() {
                    dial.refusals.note_fault(sentinel, format!("the sentinel knows no master of the name {service}"));
                }
                named.map(|(host, port)| Address::new(&host, port))
            }
        });
        let answers = join_all(asked.map(|ask| tokio::time::timeout(ANSWER_TIMEOUT, ask))).await;
        let mut votes: HashMap<Address, usize> = HashMap::new();
        for address in answers.into_iter().filter_map(|answer| answer.ok().flatten()) {
            *votes.entry(address).or_default() += 1;
        }
        votes
    }

    /// Asks all of them at once, each over its kept connection or a new one. Those that fail are left out.
    async fn ask<T>(&mut self, addresses: Vec<Address>, question: Question<T>) -> Vec<(Address, T)> {
        let dial = &self.dial;
        let asked = addresses.into_iter().map(|address| {
            let kept = self.cons.remove(&address);
            async move {
                let answer = async {
                    let mut con = match kept {
                        Some(con) => con,
                        None => dial.plain(&address).await.ok()?,
                    };
                    let answer = question(&mut con, &address, dial).await?;
                    Some((con, answer))
                };
                let (con, answer) = tokio::time::timeout(ANSWER_TIMEOUT, answer).await.ok().flatten()?;
                Some((address, con, answer))
            }
        });
        let answers: Vec<_> = join_all(asked.collect::<Vec<_>>()).await;
        let mut good = Vec::new();
        for (address, con, answer) in answers.into_iter().flatten() {
            self.cons.insert(address.clone(), con);
            good.push((address, answer));
        }
        good
    }
}

/// What a server is asked over its connection; `None` if it does not answer.
type Question<T> = for<'a> fn(&'a mut MultiplexedConnection, &'a Address, &'a Dial) -> BoxFuture<'a, Option<T>>;

/// How many online replicas a master has.
fn replicas<'a>(con: &'a mut MultiplexedConnection, address: &'a Address, dial: &'a Dial) -> BoxFuture<'a, Option<usize>> {
    let ask = async move {
        let info: RedisResult<String> = cmd("INFO").arg("replication").query_async(con).await;
        let info = info.inspect_err(|error| dial.refusals.note_error(address, error)).ok()?;
        Some(info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count())
    };
    ask.boxed()
}

fn is_master<'a>(con: &'a mut MultiplexedConnection, address: &'a Address, dial: &'a Dial) -> BoxFuture<'a, Option<()>> {
    let ask = async move {
        let role: RedisResult<Value> = cmd("ROLE").query_async(con).await;
        let role = role.inspect_err(|error| dial.refusals.note_error(address, error)).ok()?;
        (text(array(&role)?.first()?)? == "master").then_some(())
    };
    ask.boxed()
}

fn cluster_view<'a>(con: &'a mut MultiplexedConnection, address: &'a Address, dial: &'a Dial) -> BoxFuture<'a, Option<View>> {
    let ask = async move {
        let mut both = pipe();
        both.cmd("CLUSTER").arg("INFO").cmd("CLUSTER").arg("SHARDS");
        let answers = con.send_packed_commands(&both, 0, 2).await.ok()?;
        if let Some(Value::ServerError(error)) = answers.first() {
            dial.refusals.note(address, error);
        }
        let info = text(answers.first()?)?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let table = match answers.get(1)? {
            Value::ServerError(_) => {
                // Before Redis 7.
                let slots: RedisResult<Value> = cmd("CLUSTER").arg("SLOTS").query_async(con).await;
                let slots = slots.inspect_err(|error| dial.refusals.note_error(address, error)).ok()?;
                table_from_slots(&slots, address)?
            }
            shards => table_from_shards(shards, address, dial.tls)?,
        };
        Some(View { table, epoch: field("cluster_current_epoch")?.parse().ok()?, ok: field("cluster_state") == Some("ok") })
    };
    ask.boxed()
}

fn table_from_shards(shards: &Value, asked: &Address, tls: bool) -> Option<Table> {
    let mut table = Table::empty();
    for shard in array(shards)? {
        let nodes = array(field(shard, "nodes")?)?;
        let is = |node: &Value, name: &str, wanted: &str| field(node, name).and_then(text).as_deref() == Some(wanted);
        let masters = || nodes.iter().filter(|node| is(node, "role", "master"));
        // Around a failover a shard may name two masters; the online one is right.
        let Some(master) = masters().find(|node| is(node, "health", "online")).or_else(|| masters().next()) else { continue };
        let host_in = |name: &&str| field(master, name).and_then(text).filter(|host| is_host(host));
        let host = ["endpoint", "ip"].iter().find_map(host_in);
        let port = field(master, if tls { "tls-port" } else { "port" }).and_then(int)?;
        let address = Address { host: host.map_or_else(|| asked.host.clone(), Into::into), port: u16::try_from(port).ok()? };
        let bounds: Vec<i64> = array(field(shard, "slots")?)?.iter().filter_map(int).collect();
        for range in bounds.chunks_exact(2) {
            table.assign(u16::try_from(range[0]).ok()?, u16::try_from(range[1]).ok()?, &address);
        }
        let replicas = nodes.iter().filter(|node| !is(node, "role", "master") && is(node, "health", "online")).count();
        if let Some(master) = table.masters.iter_mut().find(|master| master.address == address) {
            master.replicas = replicas;
        }
    }
    Some(table)
}

fn table_from_slots(slots: &Value, asked: &Address) -> Option<Table> {
    let mut table = Table::empty();
    for range in array(slots)? {
        let [first, last, master, replicas @ ..] = array(range)? else { return None };
        let [host, port, ..] = array(master)? else { return None };
        let host = text(host).filter(|host| is_host(host)).map_or_else(|| asked.host.clone(), Into::into);
        let address = Address { host, port: u16::try_from(int(port)?).ok()? };
        table.assign(u16::try_from(int(first)?).ok()?, u16::try_from(int(last)?).ok()?, &address);
        if let Some(master) = table.masters.iter_mut().find(|master| master.address == address) {
            master.replicas = replicas.len();
        }
    }
    Some(table)
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && host != "?"
}

fn array(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// A field of a map, which RESP2 sends as a flat array.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(pairs) => pairs.iter().find(|(key, _)| text(key).as_deref() == Some(name)).map(|(_, value)| value),
        Value::Array(flat) => flat.chunks_exact(2).find(|pair| text(&pair[0]).as_deref() == Some(name)).map(|pair| &pair[1]),
        _ => None,
    }
}

/// The text of a string of any type.
pub(super) trait Text {
    fn text(&self) -> Option<String>;
}

impl Text for Value {
    fn text(&self) -> Option<String> {
        text(self)
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => text(value)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn node(port: i64, role: &str, health: &str) -> Value {
        let field = |name, value| (bulk(name), value);
        Value::Map(vec![
            field("port", Value::Int(port)),
            field("tls-port", Value::Int(port + 1000)),
            field("ip", bulk("10.0.0.1")),
            field("endpoint", bulk("?")),
            field("role", bulk(role)),
            field("health", bulk(health)),
        ])
    }

    fn shard(slots: [i64; 2], nodes: Vec<Value>) -> Value {
        let slots = slots.map(Value::Int).into();
        Value::Map(vec![(bulk("slots"), Value::Array(slots)), (bulk("nodes"), Value::Array(nodes))])
    }

    #[test]
    fn around_a_failover_the_online_master_of_a_shard_is_taken() {
        let shards = Value::Array(vec![
            shard([0, 99], vec![node(1, "master", "fail"), node(2, "master", "online"), node(3, "replica", "online")]),
            shard([100, 16383], vec![node(4, "master", "online"), node(5, "replica", "fail"), node(6, "replica", "loading")]),
        ]);
        let asked = Address::new("h", 9);
        let table = table_from_shards(&shards, &asked, false).unwrap();
        let told: Vec<_> = table.masters.iter().map(|master| (master.address.to_string(), master.replicas)).collect();
        assert_eq!(told, [("10.0.0.1:2".to_owned(), 1), ("10.0.0.1:4".to_owned(), 0)]);
        assert_eq!(table.owner(99).unwrap().port, 2);
        assert!(table.complete());
        let table = table_from_shards(&shards, &asked, true).unwrap();
        assert_eq!(table.owner(100).unwrap().port, 1004);
    }

    #[test]
    fn the_older_form_of_the_table_is_understood() {
        let end = |host: &str, port| Value::Array(vec![bulk(host), Value::Int(port), bulk("id")]);
        let range = |first, last, nodes: Vec<Value>| Value::Array([vec![Value::Int(first), Value::Int(last)], nodes].concat());
        let slots = Value::Array(vec![range(0, 5, vec![end("", 1), end("a", 2)]), range(6, 16383, vec![end("b", 3)])]);
        let table = table_from_slots(&slots, &Address::new("h", 9)).unwrap();
        assert_eq!(table.owner(5), Some(&Address::new("h", 1)));
        assert_eq!(table.owner(6), Some(&Address::new("b", 3)));
        assert_eq!(table.masters[0].replicas, 1);
    }
}
