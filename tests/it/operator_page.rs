//! Socket.IO's admin UI itself, as its package ships it, in a browser: it shows the whole cluster through any node.
//!
//! `CONVOKE_PICTURES=<folder>` keeps pictures of its pages.

use crate::operator::{Cluster, DEVELOPMENT, NAME, PASSWORD};
use crate::support::client::Client;
use crate::support::haproxy::HaProxy;
use crate::support::incident::{member, say};
use crate::support::node::Script;
use crate::support::ports::free_port;

/// The page in a browser.
struct Page {
    script: Script,
    _files: tempfile::TempDir,
}

impl Page {
    async fn open(port: u16) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let pictures = std::env::var("CONVOKE_PICTURES").unwrap_or_default();
        let (port, folder) = (port.to_string(), files.path().to_str().expect("a path").to_owned());
        let mut script = Script::node("admin-ui.mjs", &[&port, &folder, &pictures]);
        script.expect("ready").await;
        Self { script, _files: files }
    }

    /// Gives an order, and returns what is seen then.
    async fn order(&mut self, order: &str) -> String {
        self.script.order(order);
        loop {
            let line = self.script.line().await.expect("the page is open");
            assert!(!line.starts_with("FAILED"), "{order}: {line}");
            if let Some(seen) = line.strip_prefix("ok") {
                return seen.to_owned();
            }
        }
    }
}

#[tokio::test]
async fn the_official_page_shows_nodes_sockets_rooms_and_events_of_the_whole_cluster() {
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let cluster = Cluster::start(3, &[DEVELOPMENT, ("CORS_ORIGIN", &origin), ("ADMIN_READONLY", "false")]).await;
    cluster.hubs[0].create_sos("s1", "c1").await;
    let mut members: Vec<Client> = Vec::new();
    for (at, hub) in cluster.hubs.iter().enumerate() {
        members.push(member(hub, "rescuer", &format!("r{at}"), "s1").await);
    }
    // The page connects as it does by default: to the balancer, by long-polling, then by WebSocket.
    let ports: Vec<u16> = cluster.hubs.iter().map(|hub| hub.address.port()).collect();
    let balancer = HaProxy::start(&ports);
    let url = format!("http://127.0.0.1:{}", balancer.port);
    let mut page = Page::open(port).await;
    page.order(&format!("login {url} {NAME} a-wrong-password-of-theirs")).await;
    page.order("see - Invalid credentials").await;
    page.order("picture 0-refused").await;
    page.order(&format!("login {url} {NAME} {PASSWORD}")).await;
    page.order("see servers node-0.*node-1.*node-2|node-.*node-.*node-").await;
    page.order("picture 1-servers").await;
    for member in &members {
        page.order(&format!("see sockets {}", member.sid())).await;
    }
    page.order("picture 2-sockets").await;
    page.order("see rooms sos:s1").await;
    page.order("picture 3-rooms").await;
    say(&members[2], "hello").await;
    let events = page.order("see events message:send.*message:broadcast|message:broadcast.*message:send").await;
    assert!(!events.contains("hello"), "what is said is not shown: {events}");
    page.order("picture 4-events").await;
    page.order("see clients Clients").await;
    page.order("picture 5-clients").await;

    // Logged in by its session, also at another node.
    page.order("reload").await;
    page.order("see sockets Sockets").await;
    let sid = members[1].sid();
    page.order(&format!("see sockets {sid}")).await;
    page.order(&format!("click {sid}")).await;
    let details = page.order(&format!("see - {sid}.*\"node\": \"node-1\"")).await;
    assert!(details.contains("\"user\": \"r1\"") && details.contains("EIO"), "{details}");
    page.order("picture 6-socket").await;
    page.order("click logout").await;
    members.remove(1).closed().await;

    cluster.hubs[2].kill();
    let lost = members.pop().expect("a member").sid();
    page.order(&format!("see sockets ^(?!.*{lost})")).await;
    page.order("see  Dashboard").await;
    page.order("picture 7-dashboard").await;
}
