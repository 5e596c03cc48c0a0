//! A Redis that Sentinel watches: one master, one replica, three sentinels of which two must agree.

use std::time::Duration;

use redis::cmd;

use super::eventually;
use super::redis::Server;

const SERVICE: &str = "hub";
/// A master that is silent for so long is down. Less, and a busy machine fails over by itself.
const DOWN_AFTER_MS: u32 = 2_000;

/// Masters change; the data stays.
pub struct Sentinels {
    /// Either may be the master at a time.
    servers: [Server; 2],
    sentinels: Vec<Server>,
}

impl Sentinels {
    pub async fn start() -> Self {
        let (master, replica) = (Server::start(&[]), Server::start(&[]));
        replica.tell(&format!("REPLICAOF 127.0.0.1 {}", master.port));
        let sentinels: Vec<Server> = (0..3).map(|_| Server::start_sentinel(SERVICE, &master)).collect();
        for sentinel in &sentinels {
            sentinel.tell(&format!("SENTINEL SET {SERVICE} quorum 2"));
            sentinel.tell(&format!("SENTINEL SET {SERVICE} down-after-milliseconds {DOWN_AFTER_MS}"));
        }
        let sentinels = Self { servers: [master, replica], sentinels };
        sentinels.settled().await;
        sentinels
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(Server::address).collect();
        format!("redis-sentinel://{}/{SERVICE}", hosts.join(","))
    }

    /// The server that the sentinels call the master.
    pub fn master(&self) -> &Server {
        let port = self.named_master().expect("a sentinel names a master");
        self.servers.iter().find(|server| server.port == port).expect("one of ours")
    }

    fn named_master(&self) -> Option<u16> {
        let ask = || cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(SERVICE).clone();
        let named = self.sentinels.iter().filter_map(|sentinel| sentinel.try_ask::<(String, u16)>(&ask()).ok());
        let ports: Vec<u16> = named.map(|(_, port)| port).collect();
        // While they do not agree, nobody is.
        ports.first().copied().filter(|first| ports.iter().all(|port| port == first))
    }

    /// Kills the master as a crash would, waits for the next one, and starts the old one again as its replica.
    pub async fn fail_over(&self) {
        let old = self.master();
        let old_port = old.port;
        old.stop();
        self.promoted(old_port).await;
        // It comes back empty; until the sentinels have made it a replica nobody may read from it, and nobody knows it.
        old.restart();
        let _ = old.try_ask::<()>(cmd("REPLICAOF").arg("127.0.0.1").arg(self.master().port));
        self.settled().await;
    }

    /// Stops the master until another is chosen, and lets it go on: it has missed all of that.
    pub async fn hang(&self) {
        let old = self.master();
        old.freeze();
        self.promoted(old.port).await;
        old.thaw();
        self.settled().await;
    }

    async fn promoted(&self, old: u16) {
        eventually("the sentinels promote the replica", || {
            self.named_master().is_some_and(|port| port != old) && self.role(self.master()) == Some("master")
        })
        .await;
    }

    /// Waits until the replica has all that the master has, and each sentinel knows of both and of the others.
    async fn settled(&self) {
        let in_sync = || {
            self.named_master().is_some()
                && self.try_info(self.master(), "replication").contains("state=online")
                && self.servers.iter().filter(|server| self.role(server) == Some("slave")).count() == 1
                && self.servers.iter().all(|server| !self.try_info(server, "replication").contains("master_link_status:down"))
        };
        eventually("the replica follows the master", in_sync).await;
        let known = || {
            let info = |sentinel: &Server| self.try_info(sentinel, "sentinel");
            self.sentinels
                .iter()
                .all(|sentinel| info(sentinel).contains("status=ok,") && info(sentinel).contains("slaves=1,sentinels=3"))
        };
        eventually("the sentinels know each other and the replica", known).await;
        // What sentinels say of a replica is up to a second old; they promote none of which they have heard nothing.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }

    fn role(&self, server: &Server) -> Option<&'static str> {
        let info = self.try_info(server, "replication");
        ["master", "slave"].into_iter().find(|role| info.contains(&format!("role:{role}\r\n")))
    }

    fn try_info(&self, server: &Server, section: &str) -> String {
        server.try_ask(cmd("INFO").arg(section)).unwrap_or_default()
    }
}
