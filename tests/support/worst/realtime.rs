//! The scripts of realtime sessions: a session of which much was told, and the index of a user who has as many as one may have.

use convoke::features::realtime::keys;
use convoke::features::realtime::scripts::*;

use super::{HOUR_MS, Worst};

/// Sessions of one user, as far as the setting goes.
const MOST: usize = 1_000;

impl Worst<'_> {
    pub async fn realtime(&self) {
        let (meter, now, user, event) = (self.meter, self.now().await, "ü".repeat(128), "E".repeat(64));
        for _ in 0..2 {
            realtime_create(&meter, "sess", &user, "room", 1, HOUR_MS).await.expect("an answer");
        }
        for n in 0..40 {
            let joined = realtime_join(&meter, "sess", &format!("{n:02}{}", &event[2..]), &event, n, HOUR_MS).await;
            assert_eq!(joined.expect("an answer"), Joined::Yes);
        }
        let session = read(&self.meter.redis, "sess").await.expect("an answer").expect("a session");
        assert!(realtime_seen(&meter, "sess", session.rev, HOUR_MS).await.expect("an answer"));
        let only = If::Rev(session.rev + 1);
        assert!(realtime_remove(&meter, "sess", only).await.expect("an answer"));
        let held = (0..MOST - 1).map(|n| [now.to_string(), format!("sess_{n:024}")]).collect();
        self.put("ZADD", &keys::of_user(&user), &[], held).await;
        for n in 0..2 {
            let added = realtime_index(&meter, &user, &format!("more-{n}"), now, MOST as u32, HOUR_MS).await;
            assert_eq!(added.expect("an answer"), n == 0);
        }
        for node in ["one", "one", "two"] {
            realtime_poller(&meter, node, HOUR_MS).await.expect("an answer");
        }
    }
}
