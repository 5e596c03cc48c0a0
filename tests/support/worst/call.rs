//! The scripts of the calls of interviews, in a call that is full and in which everything has gathered.

use std::time::Duration;

use convoke::features::interviews::scripts::call::*;
use convoke::features::interviews::{keys as interview_keys, kinds};
use convoke::redis::keys;
use convoke::redis::keys::user_tag;
use convoke::rooms::presence::Connection;
use convoke::rooms::scripts::Sender;
use uuid::Uuid;

use super::{LONG, Worst, once, plain};

const MOST: u32 = 200;
/// With those who speak, for whom there are more places.
const SOCKETS: usize = 220;
/// Of those who are there no longer something is kept.
const KEPT: usize = 1_000;
const SCREENS: usize = 16;
/// As JSON.
const DOCUMENT: usize = 512 * 1024;
const NODE: Connection<'static> = Connection { node: "node-1.abcdefgh", session_epoch: 1 };
const NOW: Presence = Presence { window: Duration::ZERO, grace: Duration::ZERO };

fn sid(n: usize) -> String {
    format!("s{n:020}")
}

impl Worst<'_> {
    /// `lost`: how many of the sockets have lost their connections.
    async fn full_call(&self, lost: usize) -> Uuid {
        let now = self.now().await;
        let interview = Uuid::new_v4();
        let scope = kinds::call(interview);
        let identity = "ü".repeat(128);
        let (mut members, mut sockets) = (Vec::new(), Vec::new());
        for n in 0..SOCKETS + KEPT {
            let (sid, role) = (sid(n), if n % 2 == 0 { "candidate" } else { "interviewer" });
            let text = format!("{now} {role} 1 1 {} {identity}", user_tag(&identity));
            if n >= SOCKETS {
                sockets.push([format!("g:{sid}"), format!("1 {text}")]);
                continue;
            }
            sockets.push([format!("s:{sid}"), text]);
            let (key, is_lost) = (user_tag(&sid), n < lost);
            members.push([format!("@{key}"), format!("{role} {now} {} 1 {sid}", u32::from(!is_lost))]);
            if n < SCREENS {
                sockets.push([format!("x:{sid}"), "1".into()]);
            }
            if !is_lost {
                members.push([sid, format!("{key} {role} {} 1 {now} {now}", NODE.node)]);
            }
        }
        let kept = [["ev".to_owned(), "7".into()], ["es".into(), sid(0)], ["pw".into(), "1".into()]];
        sockets.extend(kept);
        self.put("HSET", &keys::scope_members(&scope), &[], members).await;
        self.put("HSET", &interview_keys::call(interview), &[], sockets).await;
        self.put("HSET", &keys::scope_meta(&scope), &[], vec![["epoch".into(), "e".into()]]).await;
        self.meter.ask(&["SET", &interview_keys::document(interview), &format!("\"{}\"", "x".repeat(DOCUMENT - 2))]).await;
        interview
    }

    pub async fn calls(&self) {
        let (meter, identity, who) = (self.meter, "ü".repeat(128), sid(SOCKETS - 1));
        let sender = Sender { user: "somebody", role: "", sid: &who, source: "" };
        let named = As::Named { role: "interviewer", identity: &identity, has_token: false };
        let joining = |named, recovered| Joining { named, recovered, most: MOST };
        for (n, joining) in [joining(named, false), joining(As::Before, true)].into_iter().enumerate() {
            let id = self.full_call(SOCKETS - 1).await;
            let joined = call_join(&meter, id, once(""), sender, NODE, joining, NOW).await.expect("an answer");
            assert!(matches!(joined, CallJoin::Joined(_)) || n == 0, "{joined:?}");
            let id = self.full_call(0).await;
            call_join(&meter, id, once(""), sender, NODE, joining, NOW).await.expect("an answer");
            call_join(&meter, id, plain(), sender, NODE, joining, NOW).await.expect("an answer");
        }
        for lost in [None, Some(0)] {
            let id = self.full_call(SOCKETS - 1).await;
            assert!(call_leave(&meter, id, once(""), sender, NODE, lost, NOW).await.expect("an answer").is_some());
        }
        for lost in [0, SOCKETS / 2, SOCKETS] {
            let id = self.full_call(lost).await;
            assert!(call_presence(&meter, id, once(""), NOW).await.expect("an answer").told.is_some());
        }
        let id = self.full_call(0).await;
        let said = call_message(&meter, id, once("m"), sender, &LONG.repeat(4000)).await.expect("an answer");
        assert!(said.is_some());
        let text = format!("\"{}\"", "y".repeat(DOCUMENT - 2));
        for version in [9, 8, 8] {
            call_edit(&meter, id, once("e"), sender, version, &text).await.expect("an answer");
        }
        assert_eq!(call_document(&meter, id).await.expect("an answer").version, 8);
        let show = async |n: usize, active| {
            let sid = sid(n);
            call_share(&meter, id, once("s"), Sender { sid: &sid, ..sender }, active).await.expect("an answer")
        };
        assert_eq!(show(SCREENS, true).await, Shared::Full);
        for active in [false, true] {
            assert!(matches!(show(0, active).await, Shared::Ok { unchanged: false, .. }));
        }
    }
}
