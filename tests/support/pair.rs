//! Two nodes of the hub on one Redis, shared by all tests of the process that use incidents of their own and break nothing.

use tokio::sync::OnceCell;

use super::hub::Hub;
use super::redis::Server;

/// Short, so that tests need not wait, and long enough for a busy machine to do something within it.
pub const ACK_SECONDS: u64 = 2;
pub const OFFLINE_SECONDS: u64 = 1;

pub struct Pair {
    pub a: Hub,
    pub b: Hub,
    pub redis: Server,
}

/// The two nodes. The kernel ends them with this process.
pub async fn pair() -> &'static Pair {
    static PAIR: OnceCell<Pair> = OnceCell::const_new();
    PAIR.get_or_init(|| async {
        let redis = Server::start(&[]);
        let url = redis.url();
        let (ack, offline) = (ACK_SECONDS.to_string(), OFFLINE_SECONDS.to_string());
        let settings = |node: &'static str| {
            [
                ("REDIS_URL", url.clone()),
                ("NODE_ID", node.into()),
                ("SOS_ACK_SECONDS", ack.clone()),
                ("PRESENCE_OFFLINE_SECONDS", offline.clone()),
                // Tests ask faster than people do.
                ("EVENTS_PER_SECOND", "100000".into()),
                ("EVENTS_BURST", "100000".into()),
            ]
        };
        let [a, b] = ["a", "b"].map(settings);
        let (a, b) = (a.each_ref().map(|(k, v)| (*k, &**v)), b.each_ref().map(|(k, v)| (*k, &**v)));
        let (a, b) = tokio::join!(Hub::start(&a), Hub::start(&b));
        Pair { a, b, redis }
    })
    .await
}
