//! A real HAProxy in front of several nodes: plain round robin, nothing sticky.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::DEADLINE;
use super::ports::free_port;
use super::process::Process;

/// A running load balancer.
pub struct HaProxy {
    /// Of 127.0.0.1.
    pub port: u16,
    process: Process,
    _folder: tempfile::TempDir,
}

impl HaProxy {
    /// Starts one in front of these ports of 127.0.0.1. Each request goes to the next of them: connections are not kept, so
    /// that two polls of one session hardly ever meet the same node. A node is away only if it refuses connections: on a busy
    /// machine one may take long to answer.
    pub fn start(nodes: &[u16]) -> Self {
        Self::start_that_waits(nodes, "20s")
    }

    /// [`HaProxy::start`] for nodes that may hang: one that does not answer at once is away, too.
    pub fn start_impatient(nodes: &[u16]) -> Self {
        Self::start_that_waits(nodes, "200ms")
    }

    fn start_that_waits(nodes: &[u16], check: &str) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a temporary folder"));
        let config = folder.path().join("haproxy.cfg");
        std::fs::write(&config, configuration(port, nodes, check)).expect("the folder is ours");
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null());
        let mut proxy = Self { port, process: Process::start(command), _folder: folder };
        proxy.wait_until_it_listens();
        proxy
    }

    fn wait_until_it_listens(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Ok(Some(status)) = self.process.child().try_wait() {
                panic!("haproxy ended with {status}");
            }
            assert!(start.elapsed() < DEADLINE, "haproxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn configuration(port: u16, nodes: &[u16], check: &str) -> String {
    let servers: String = nodes.iter().map(|node| format!("    server n{node} 127.0.0.1:{node} check inter 200ms\n")).collect();
    format!(
        "global\n    fd-hard-limit 20000\n\
         defaults\n    mode http\n    option http-server-close\n    option abortonclose\n    option redispatch\n    retries 3\n    timeout connect 2s\n    timeout check {check}\n    \
         timeout client 60s\n    timeout server 60s\n    timeout tunnel 1h\n\
         frontend hub\n    bind 127.0.0.1:{port}\n    default_backend nodes\n\
         backend nodes\n    balance roundrobin\n    option forwardfor\n    option httpchk GET /readyz\n{servers}"
    )
}
