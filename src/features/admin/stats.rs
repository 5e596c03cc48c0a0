//! The figures of this node: counted while somebody looks, and written down every two seconds.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use tokio::task::yield_now;
use tokio::time::Instant;

use super::wire::{AggregatedEvent, NamespaceStats, ServerStats};
use crate::core::clock;
use crate::core::sync::lock;
use crate::engineio::{self, CloseReason, Engine};
use crate::socketio::SocketIo;

/// What has passed since it was written down last.
#[derive(Default)]
pub struct Totals {
    opened: AtomicU64,
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
    closed: Mutex<HashMap<&'static str, u64>>,
}

impl engineio::Observer for Totals {
    fn opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    fn closed(&self, reason: CloseReason) {
        *lock(&self.closed).entry(reason.as_str()).or_default() += 1;
    }

    fn received(&self, bytes: usize) {
        self.packets_in.fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    fn sent(&self, bytes: usize) {
        self.packets_out.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }
}

impl Totals {
    /// Takes what has passed, of which nothing is left.
    pub fn take(&self) -> Vec<AggregatedEvent> {
        let timestamp = clock::now_seconds() * 1_000;
        let event = |kind: &str, sub_type: Option<&str>, count| AggregatedEvent {
            timestamp,
            kind: kind.into(),
            sub_type: sub_type.map(Into::into),
            count,
        };
        let counted = [
            ("rawConnection", &self.opened),
            ("packetsIn", &self.packets_in),
            ("bytesIn", &self.bytes_in),
            ("packetsOut", &self.packets_out),
            ("bytesOut", &self.bytes_out),
        ];
        let mut events: Vec<_> = counted.iter().map(|(kind, total)| event(kind, None, total.swap(0, Relaxed))).collect();
        events.retain(|event| event.count > 0);
        let closed = std::mem::take(&mut *lock(&self.closed));
        events.extend(closed.into_iter().map(|(reason, count)| event("rawDisconnection", Some(reason), count)));
        events
    }
}

/// What does not change about this process.
pub struct Process {
    pub node: Box<str>,
    pub hostname: String,
    pub started: Instant,
}

impl Process {
    pub fn new(node: &str) -> Self {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { node: node.into(), hostname: hostname.trim().into(), started: Instant::now() }
    }

    /// The figures of this moment. Other work may go on in between.
    pub async fn stats(&self, engine: &Engine, io: &SocketIo, passed: Vec<AggregatedEvent>) -> ServerStats {
        let namespaces = io.namespaces().into_iter().filter_map(|name| {
            let sockets_count = io.namespace(name)?.sockets();
            Some(NamespaceStats { name: name.into(), sockets_count })
        });
        let mut polling = 0;
        for part in 0.. {
            let Some(sessions) = engine.part(part) else { break };
            polling += sessions.iter().filter(|session| !session.is_websocket()).count();
            yield_now().await;
        }
        ServerStats {
            server_id: self.node.to_string(),
            hostname: if self.hostname.is_empty() { self.node.to_string() } else { self.hostname.clone() },
            pid: std::process::id(),
            uptime: self.started.elapsed().as_secs_f64().floor(),
            clients_count: engine.sessions(),
            polling_clients_count: polling,
            namespaces: namespaces.collect(),
            aggregated_events: passed,
        }
    }
}

/// How many events are shown in a second.
pub struct Allowance {
    per_second: u32,
    second: AtomicU64,
    shown: AtomicU32,
    not_shown: AtomicU64,
}

impl Allowance {
    pub fn new(per_second: u32) -> Self {
        Self { per_second, second: AtomicU64::new(0), shown: AtomicU32::new(0), not_shown: AtomicU64::new(0) }
    }

    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Whether one more event may be shown in this second; if not, it is counted.
    pub fn take(&self, second: u64) -> bool {
        if self.second.swap(second, Relaxed) != second {
            self.shown.store(0, Relaxed);
        }
        let may = self.shown.fetch_add(1, Relaxed) < self.per_second;
        if !may {
            self.not_shown.fetch_add(1, Relaxed);
        }
        may
    }

    /// How many were not shown since this was asked last.
    pub fn not_shown(&self) -> u64 {
        self.not_shown.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::Observer as _;

    #[test]
    fn what_has_passed_is_told_once() {
        let totals = Totals::default();
        totals.opened();
        totals.received(10);
        totals.received(5);
        totals.closed(CloseReason::PingTimeout);
        let told: Vec<_> = totals.take().into_iter().map(|event| (event.kind, event.sub_type, event.count)).collect();
        let expected = [
            ("rawConnection", None, 1),
            ("packetsIn", None, 2),
            ("bytesIn", None, 15),
            ("rawDisconnection", Some("ping timeout"), 1),
        ];
        assert_eq!(told, expected.map(|(kind, sub, count)| (kind.to_owned(), sub.map(str::to_owned), count)));
        assert_eq!(totals.take(), []);
    }

    #[test]
    fn beyond_the_events_of_a_second_the_others_are_counted() {
        let allowance = Allowance::new(2);
        let shown: Vec<_> = [7, 7, 7, 7, 8].into_iter().map(|second| allowance.take(second)).collect();
        assert_eq!(shown, [true, true, false, false, true]);
        assert_eq!((allowance.not_shown(), allowance.not_shown()), (2, 0));
    }
}
