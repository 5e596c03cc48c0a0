//! Cuts one process off a Redis server, whatever stands between: asks the kernel which connections are the process's, and
//! Redis to end these.

use std::collections::HashSet;
use std::fs;

use redis::cmd;

use super::redis::Server;

/// Ends all connections of a process to a server; how many there were.
pub fn sever(pid: u32, server: &Server) -> usize {
    let Ok(mut connection) = server.connection() else { return 0 };
    let ports = ports_of(pid, server.port);
    let kill =
        |port: &u16| cmd("CLIENT").arg("KILL").arg("ADDR").arg(format!("127.0.0.1:{port}")).query(&mut connection).unwrap_or(0);
    let killed: Vec<usize> = ports.iter().map(kill).collect();
    killed.iter().sum()
}

/// The local ports of a process's connections to this port.
fn ports_of(pid: u32, to: u16) -> Vec<u16> {
    let sockets = sockets_of(pid);
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let connections = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
        let (local, remote, socket) = (port(fields.get(1)?)?, port(fields.get(2)?)?, fields.get(9)?);
        (remote == to && sockets.contains(*socket)).then_some(local)
    });
    connections.collect()
}

/// The inodes of a process's sockets.
fn sockets_of(pid: u32) -> HashSet<String> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return HashSet::new() };
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets.filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}
