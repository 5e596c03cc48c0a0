//! The leases of nodes on each master: which nodes there are, their addresses, and which were declared dead.

use std::net::SocketAddr;

use crate::core::wire::Form;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// How long a death certificate lasts: longer than any entry of the node is valid.
pub const CERTIFICATE_MS: u64 = 70 * 60 * 1000;

script!(RENEW = "cluster" / "node_renew");
script!(LIST = "cluster" / "node_list");
script!(CERTIFY = "cluster" / "node_certify");
script!(FORGET = "cluster" / "node_forget");

/// What a node publishes of itself.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// Label and incarnation.
    pub node: &'a str,
    pub label: &'a str,
    /// The tag of its process.
    pub tag: &'a str,
    /// `None`: it has no peer port.
    pub address: Option<SocketAddr>,
    /// It has the cluster's secret.
    pub secret: bool,
    /// ms since 1970, by its own clock.
    pub started: u64,
    pub connections: u64,
    pub draining: bool,
    /// The newest form of bodies that it reads.
    pub form: Form,
    /// How long it holds without being renewed.
    pub lease_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    Ok,
    /// It was declared dead.
    Dead,
    /// This node holds its name.
    Taken(String),
}

/// A node as a master knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub node: String,
    pub tag: String,
    pub address: Option<SocketAddr>,
    pub secret: bool,
    pub draining: bool,
    pub form: Form,
    /// Redis' clock (ms since 1970).
    pub renewed_at: u64,
}

/// What [`node_list`] found on one master.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// All nodes, dead or alive, that were not cleaned up yet.
    pub nodes: Vec<Listed>,
    /// Those that were declared dead.
    pub certified: Vec<String>,
    /// The nodes that have a lease now, of the labels that were asked for.
    pub holders: Vec<String>,
}

/// Renews the lease on the master in whose slot `place` is a tag.
pub async fn node_renew<E: Eval>(redis: &E, place: &str, lease: Lease<'_>) -> Result<Renewed, E::Error> {
    let address = lease.address.map(|address| address.to_string()).unwrap_or_default();
    let args = Args::new().text(lease.node).text(lease.tag).owned(address).flag(lease.secret).int(lease.started);
    let args = args.int(lease.connections).flag(lease.draining).int(lease.lease_ms).int(lease.form.version()).done();
    let mut reply = Reply::new(RENEW.name, redis.eval(&RENEW, of(place, lease.label), args).await?)?;
    Ok(match reply.text()?.as_str() {
        "ok" => Renewed::Ok,
        "dead" => Renewed::Dead,
        _ => Renewed::Taken(reply.text()?),
    })
}

/// Reads what a master knows, and which nodes have the leases of these labels.
pub async fn node_list<E: Eval>(redis: &E, place: &str, labels: &[&str]) -> Result<Listing, E::Error> {
    let mut at = vec![keys::cluster_nodes(place)];
    at.extend(labels.iter().map(|label| keys::cluster_node(label, place)));
    let mut reply = Reply::new(LIST.name, redis.eval(&LIST, at, Vec::new()).await?)?;
    let mut listing = Listing::default();
    for (field, value) in reply.pairs()? {
        match field.strip_prefix("x:") {
            Some(node) => listing.certified.push(node.to_owned()),
            None => listing.nodes.push(listed(field, &value).ok_or_else(|| reply.bad("no node"))?),
        }
    }
    while reply.left() > 0 {
        listing.holders.extend(reply.some()?);
    }
    Ok(listing)
}

/// Declares a node dead on a master, unless it has a lease there; `by_name` even then. True if it is certified there now.
pub async fn node_certify<E: Eval>(redis: &E, place: &str, node: &str, label: &str, by_name: bool) -> Result<bool, E::Error> {
    let args = Args::new().text(node).flag(by_name).done();
    Ok(Reply::new(CERTIFY.name, redis.eval(&CERTIFY, of(place, label), args).await?)?.flag()?)
}

/// A dead node was cleaned up after: removes it.
pub async fn node_forget<E: Eval>(redis: &E, place: &str, node: &str) -> Result<(), E::Error> {
    let args = Args::new().text(node).int(CERTIFICATE_MS).done();
    redis.eval(&FORGET, vec![keys::cluster_nodes(place)], args).await?;
    Ok(())
}

fn of(place: &str, label: &str) -> Vec<String> {
    vec![keys::cluster_nodes(place), keys::cluster_node(label, place)]
}

fn listed(node: String, value: &[u8]) -> Option<Listed> {
    let mut parts = std::str::from_utf8(value).ok()?.split(' ');
    let (renewed_at, tag, secret, draining) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?, parts.next()?);
    let address = parts.next()?.parse().ok();
    // Earlier releases do not publish it, and read JSON.
    let form = Form::for_version(parts.next().and_then(|version| version.parse().ok()).unwrap_or(0));
    Some(Listed { node, tag: tag.to_owned(), address, secret: secret == "1", draining: draining == "1", form, renewed_at })
}
