//! A WebSocket that upgrades a session of another node.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[cfg(doc)]
use super::super::Session;
use super::super::remote::{RemoteSessions, Ticket};
use super::super::{Bucket, Engine, PACKET_COST};
use crate::core::sync::lock;

/// An upgrade of a session of another node. See `session/handoff.rs`.
pub struct RemoteUpgrade {
    pub engine: Arc<Engine>,
    pub remote: Arc<dyn RemoteSessions>,
    pub sid: Box<str>,
    pub ticket: Ticket,
    /// The client's address. The client already counts among the sessions of this node.
    pub address: IpAddr,
    /// What may still be read before the session is here.
    reading: Mutex<Bucket>,
    pub(super) probed: AtomicBool,
    pub upgraded: Arc<AtomicBool>,
}

impl RemoteUpgrade {
    pub fn new(engine: Arc<Engine>, remote: Arc<dyn RemoteSessions>, sid: &str, ticket: Ticket, address: IpAddr) -> Self {
        let reading = Mutex::new(Bucket::full(engine.config.reading()));
        let (probed, upgraded) = (AtomicBool::new(false), Arc::default());
        Self { engine, remote, sid: sid.into(), ticket, address, reading, probed, upgraded }
    }

    /// Counts a frame before the session is here, as [`Session::pace`] does.
    pub fn pace(&self, bytes: usize) -> Option<Duration> {
        lock(&self.reading).spend((PACKET_COST + bytes) as f64, self.engine.config.reading())
    }
}

impl Drop for RemoteUpgrade {
    fn drop(&mut self) {
        if !self.upgraded.load(Relaxed) {
            self.remote.return_ticket(&self.sid, self.ticket);
            self.engine.admission.release(self.address);
        }
    }
}
