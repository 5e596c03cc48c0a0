//! A Redis whose replica confirms nothing from a moment on: what is written then is answered `UNCONFIRMED`. After some ten seconds the
//! master takes the replica for gone, and confirms alone again: a test asks all that it has to ask at once.

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
}
