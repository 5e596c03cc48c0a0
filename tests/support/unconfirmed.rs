//! A Redis whose replica confirms nothing from a moment on: what is written then is answered `UNCONFIRMED`. After some ten seconds the
//! master takes the replica for gone, and confirms alone again: a test asks all that it has to ask at once.

use std::time::Duration;

use serde_json::Value;

use super::redis::Server;

/// A replica of a running Redis.
pub struct Replica(Server);

impl Replica {
    /// Starts one, and waits until it confirms what the master writes.
    pub fn of(master: &Server) -> Self {
        let url = master.url();
        let port = url.rsplit(':').next().expect("a port");
        let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {port}")]);
        master.wait_for_replicas(1);
        Self(replica)
    }

    pub fn confirms_nothing(&self) {
        self.0.freeze();
    }

    /// [`Replica::confirms_nothing`] once the hub, which was there before the replica, waits for it: `ask` returns the code with which a
    /// write is answered.
    pub async fn confirms_nothing_to(&self, ask: impl AsyncFn() -> Value) {
        for _ in 0..60 {
            self.0.freeze();
            if ask().await == "UNCONFIRMED" {
                return;
            }
            self.0.thaw();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the hub does not wait for its replica");
    }
}
