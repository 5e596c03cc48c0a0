//! A WebSocket whose session is another node's.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[cfg(doc)]
use super::super::Session;
use super::super::elsewhere::{Elsewhere, Ticket};
use super::super::{Bucket, Engine, PACKET_COST};
use crate::core::sync::lock;

/// An upgrade of a session of another node, see `session/handoff.rs`.
pub struct Foreign {
    pub engine: Arc<Engine>,
    pub elsewhere: Arc<dyn Elsewhere>,
    pub sid: Box<str>,
    pub ticket: Ticket,
    /// Of the client, which has a place among the sessions of this node already.
    pub address: IpAddr,
    /// What may still be read before its session is here.
    reading: Mutex<Bucket>,
    pub(super) probed: AtomicBool,
    pub upgraded: Arc<AtomicBool>,
}

impl Foreign {
    pub fn new(engine: Arc<Engine>, elsewhere: Arc<dyn Elsewhere>, sid: &str, ticket: Ticket, address: IpAddr) -> Self {
        let reading = Mutex::new(Bucket::full(engine.config.reading()));
        let (probed, upgraded) = (AtomicBool::new(false), Arc::default());
        Self { engine, elsewhere, sid: sid.into(), ticket, address, reading, probed, upgraded }
    }

    /// Counts a frame before the session is here, as [`Session::pace`] does.
    pub fn pace(&self, bytes: usize) -> Option<Duration> {
        lock(&self.reading).spend((PACKET_COST + bytes) as f64, self.engine.config.reading())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if !self.upgraded.load(Relaxed) {
            self.elsewhere.give_up(&self.sid, self.ticket);
            self.engine.admission.release(self.address);
        }
    }
}
