//! The scripts of a call: who is in it, when the pair is complete, the chat, the document, who shows a screen.

use std::time::Duration;

use convoke::cluster::scripts::scope::{LostTimer, scope_read, scope_reap};
use convoke::core::{Position, ScopeId, StreamId};
use convoke::features::interviews::scripts::call::*;
use convoke::features::interviews::{keys as interview_keys, kinds};
use convoke::redis::{Redis, keys};
use convoke::rooms::history::room_history;
use convoke::rooms::presence::Connection;
use convoke::rooms::relay::{Recipient, Relayed, room_relay};
use convoke::rooms::scripts::Sender;
use convoke::rooms::timers::scripts::due_read;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::scripts_world::{Channel, Heard, Twice, cmid, newest, op, plain, signal};

crate::on_both!(
    who_joins_is_told_to_all_once_in_a_window_and_a_repeat_only_to_itself,
    a_large_call_is_announced_less_often,
    a_lost_socket_is_there_until_the_grace_is_over,
    a_lost_socket_is_gone_when_its_user_joins_with_another_one,
    a_dead_nodes_sockets_are_gone_a_grace_after_its_last_renewal,
    who_comes_back_after_the_grace_is_announced_again_as_what_it_was,
    the_pair_is_told_each_time_it_becomes_complete,
    a_call_has_only_so_many_sockets_and_keeps_places_for_those_who_speak,
    without_a_token_nobody_takes_the_name_of_one_who_has_one,
    a_signal_reaches_a_socket_whose_connection_is_lost,
    the_chat_says_who_wrote_and_keeps_it,
    a_document_is_taken_only_by_who_knew_the_last_one,
    a_screen_is_shown_until_its_socket_is_gone,
    a_repeated_call_has_its_effect_once,
);

const NODE: Connection<'static> = Connection { node: "n1.a", session_epoch: 1 };
/// What is due is announced at once.
const NOW: Presence = Presence { window: Duration::ZERO, grace: Duration::ZERO };
/// Only the first change is announced at once, and nobody's grace ends.
const SLOW: Presence = Presence { window: Duration::from_secs(60), grace: Duration::from_secs(60) };
/// Everything is announced at once, but nobody's grace ends.
const PATIENT: Presence = Presence { window: Duration::ZERO, grace: Duration::from_secs(60) };
const MOST: u32 = 300;

struct Call {
    redis: Redis,
    id: Uuid,
    scope: ScopeId,
}

/// Its socket is `s-<user>`.
fn person(user: &str) -> Sender<'_> {
    let sid: &'static str = Box::leak(format!("s-{user}").into_boxed_str());
    Sender { user, role: "", sid, source: "" }
}

impl Call {
    fn new(redis: Redis) -> Self {
        let id = Uuid::new_v4();
        Self { redis, id, scope: kinds::call(id) }
    }

    async fn join_as(&self, sender: Sender<'_>, joining: Joining<'_>, presence: Presence) -> CallJoin {
        call_join(&self.redis, self.id, plain(), sender, NODE, joining, presence).await.unwrap()
    }

    async fn join(&self, user: &str, role: &str, presence: Presence) -> CallJoined {
        self.join_at(person(user), role, presence).await
    }

    async fn join_at(&self, sender: Sender<'_>, role: &str, presence: Presence) -> CallJoined {
        match self.join_as(sender, joining(sender.user, role), presence).await {
            CallJoin::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    async fn return_of(&self, user: &str, presence: Presence) -> CallJoin {
        let joining = Joining { named: As::Before, recovered: true, most: MOST };
        self.join_as(person(user), joining, presence).await
    }

    async fn leave(&self, user: &str, lost_at: Option<u64>, presence: Presence) -> Option<CallChanged> {
        call_leave(&self.redis, self.id, plain(), person(user), NODE, lost_at, presence).await.unwrap()
    }

    async fn look(&self, presence: Presence) -> CallChanged {
        call_presence(&self.redis, self.id, plain(), presence).await.unwrap()
    }

    async fn heard(&self) -> Vec<Heard> {
        let start = |epoch: &str| Position::new(epoch, StreamId::default());
        let epoch = scope_read(&self.redis, &self.scope, &start(""), 1).await.unwrap().epoch;
        let log = scope_read(&self.redis, &self.scope, &start(&epoch), 1000).await.unwrap();
        log.entries.iter().map(|entry| Heard::parse(&entry.body)).collect()
    }

    async fn names(&self) -> Vec<String> {
        self.heard().await.into_iter().map(|heard| heard.name).collect()
    }

    /// The sockets of each announcement so far.
    async fn announced(&self) -> Vec<String> {
        let heard = self.heard().await;
        heard.iter().filter(|heard| heard.name == "presence:update").map(|heard| sids(&heard.data)).collect()
    }

    async fn timers(&self) -> usize {
        due_read(&self.redis, &self.scope, 10).await.unwrap().rows.len()
    }
}

fn joining<'a>(identity: &'a str, role: &'a str) -> Joining<'a> {
    Joining { named: As::Named { role, identity, has_token: true }, recovered: false, most: MOST }
}

fn sids(list: &Value) -> String {
    let sid = |socket: &Value| socket["socketId"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(sid).collect::<Vec<_>>().join(" ")
}

async fn who_joins_is_told_to_all_once_in_a_window_and_a_repeat_only_to_itself(redis: Redis) {
    let call = Call::new(redis);
    let ann = call.join("ann", "candidate", SLOW).await;
    assert!(ann.first && ann.announce_in.is_none() && ann.present.is_none(), "at once after a quiet window: {ann:?}");
    let heard = call.heard().await.pop().unwrap();
    assert_eq!(heard.data, json!([{"socketId": "s-ann", "identity": "ann", "role": "candidate"}]));
    assert!(heard.head.starts_with("* - "), "to all, the one who joined included");
    for user in ["ben", "cid", "dan"] {
        assert!(call.join(user, "observer", SLOW).await.announce_in.is_some());
    }
    assert!(call.look(SLOW).await.announce_in.is_some(), "not before the window's end");
    assert_eq!(call.announced().await, ["s-ann"]);
    assert!(call.look(NOW).await.announce_in.is_none());
    assert_eq!(call.announced().await, ["s-ann", "s-ann s-ben s-cid s-dan"], "in the order in which they came");
    assert_eq!(call.look(NOW).await.told, None, "nothing else has changed");

    let again = call.join("ben", "observer", NOW).await;
    assert!(!again.first);
    let present: Value = serde_json::from_str(&again.present.unwrap()).unwrap();
    assert_eq!(sids(&present), "s-ann s-ben s-cid s-dan");
    assert_eq!(call.announced().await.len(), 2, "nobody else hears of that");
    call.join("ben", "interviewer", NOW).await;
    let announced = call.heard().await.into_iter().rfind(|heard| heard.name == "presence:update").unwrap();
    assert_eq!(announced.data[1], json!({"socketId": "s-ben", "identity": "ben", "role": "interviewer"}), "another role is told");
}

async fn a_large_call_is_announced_less_often(redis: Redis) {
    let call = Call::new(redis);
    for n in 0..120 {
        call.join(&format!("u{n:03}"), "observer", Presence { window: Duration::from_secs(3600), grace: Duration::ZERO }).await;
    }
    call.look(NOW).await;
    assert_eq!(call.announced().await.last().unwrap().split(' ').count(), 120);
    call.join("ann", "observer", NOW).await;
    let window = Presence { window: Duration::from_secs(10), grace: Duration::ZERO };
    call.leave("ann", None, window).await.unwrap();
    let left = call.leave("u000", None, window).await.unwrap().announce_in.unwrap();
    assert!(left > Duration::from_secs(20) && left <= Duration::from_secs(30), "three windows for 120 sockets: {left:?}");
}

async fn a_lost_socket_is_there_until_the_grace_is_over(redis: Redis) {
    let call = Call::new(redis);
    for user in ["ann", "ben"] {
        call.join(user, "observer", NOW).await;
    }
    let lost = call.leave("ben", Some(0), PATIENT).await.unwrap();
    assert!(lost.timer_in.is_some_and(|wait| wait > Duration::from_secs(50)));
    let looked = call.look(PATIENT).await;
    assert!(looked.told.is_none() && looked.timer_in.is_some_and(|wait| wait > Duration::from_secs(50)), "{looked:?}");
    assert!(call.join("cid", "observer", PATIENT).await.first);
    assert_eq!(call.announced().await.last().unwrap(), "s-ann s-ben s-cid", "others come meanwhile");
    let CallJoin::Joined(back) = call.return_of("ben", PATIENT).await else { panic!("it was there") };
    assert!(!back.first && back.role == "observer" && back.identity == "ben");
    call.look(NOW).await;
    assert_eq!(call.announced().await.len(), 3, "who comes back in time is not announced");
    assert_eq!(call.timers().await, 0);

    call.leave("ben", Some(0), PATIENT).await.unwrap();
    assert!(call.look(NOW).await.told.is_some());
    assert_eq!((call.announced().await.last().unwrap().as_str(), call.timers().await), ("s-ann s-cid", 0));
    assert!(call.leave("ann", None, PATIENT).await.is_some());
    assert_eq!(call.announced().await.last().unwrap(), "s-cid", "who leaves is gone at once");
    assert_eq!(call.leave("ann", None, PATIENT).await, None);
}

async fn a_lost_socket_is_gone_when_its_user_joins_with_another_one(redis: Redis) {
    let call = Call::new(redis);
    call.join("ann", "candidate", NOW).await;
    call.join("ben", "interviewer", NOW).await;
    call.leave("ann", Some(0), PATIENT).await.unwrap();
    call.join_at(Sender { sid: "s-other", ..person("ann") }, "candidate", PATIENT).await;
    let heard = call.heard().await;
    assert_eq!(sids(&heard[heard.len() - 2].data), "s-ben s-other");
    assert_eq!(heard.last().unwrap().name, "call:ready", "with a new socket the peers begin anew");
    assert_eq!(call.look(PATIENT).await.timer_in, None, "nobody else is lost");
}

async fn a_dead_nodes_sockets_are_gone_a_grace_after_its_last_renewal(redis: Redis) {
    let call = Call::new(redis);
    call.join("ann", "candidate", NOW).await;
    call.join("ben", "observer", NOW).await;
    let timer = |after| Some(LostTimer { name: GONE, after });
    let long_ago = 1;
    let reaped = scope_reap(&call.redis, &call.scope, NODE.node, long_ago, timer(PATIENT.grace)).await.unwrap();
    assert_eq!((reaped.lost, reaped.due_in), (2, Some(Duration::ZERO)));
    call.look(PATIENT).await;
    assert_eq!(call.announced().await.last().unwrap(), "");
}

async fn who_comes_back_after_the_grace_is_announced_again_as_what_it_was(redis: Redis) {
    let call = Call::new(redis);
    assert_eq!(call.return_of("ann", NOW).await, CallJoin::Missing, "nothing is known of it");
    call.join("ann", "candidate", NOW).await;
    call.join("ben", "interviewer", NOW).await;
    call.leave("ann", Some(0), NOW).await.unwrap();
    call.look(NOW).await;
    assert_eq!(call.announced().await.last().unwrap(), "s-ben");
    let CallJoin::Joined(back) = call.return_of("ann", NOW).await else { panic!("it is known") };
    assert!(back.first && back.role == "candidate" && back.identity == "ann", "{back:?}");
    assert_eq!(call.announced().await.last().unwrap(), "s-ben s-ann");
    assert_eq!(call.names().await.last().unwrap(), "call:ready");
    call.leave("ann", None, NOW).await.unwrap();
    assert_eq!(call.return_of("ann", NOW).await, CallJoin::Missing, "who left by itself has no place to come back to");
    let named = As::Named { role: "observer", identity: "eve", has_token: false };
    call.join_as(person("eve"), Joining { named, ..joining("", "") }, NOW).await;
    call.leave("eve", Some(0), NOW).await.unwrap();
    call.look(NOW).await;
    let CallJoin::Joined(back) = call.return_of("eve", NOW).await else { panic!("it is known") };
    assert!(back.first && back.identity == "eve", "one without a token too: {back:?}");
}

async fn the_pair_is_told_each_time_it_becomes_complete(redis: Redis) {
    let call = Call::new(redis);
    let count = async || call.names().await.iter().filter(|name| *name == "call:ready").count();
    call.join("obs", "observer", NOW).await;
    call.join("ann", "candidate", NOW).await;
    call.join("obs2", "observer", NOW).await;
    assert_eq!(count().await, 0);
    call.join("ben", "interviewer", NOW).await;
    let heard = call.heard().await;
    assert_eq!(heard.last().unwrap().data, json!({"interviewId": &*call.scope.id}));
    assert_eq!(heard[heard.len() - 2].name, "presence:update", "who is there comes first");
    call.join("cid", "recruiter", NOW).await;
    call.join("obs3", "observer", NOW).await;
    call.join("ben", "interviewer", NOW).await;
    assert_eq!(count().await, 1, "it was complete");
    call.leave("ben", None, NOW).await.unwrap();
    assert_eq!(count().await, 1, "it is still");
    call.leave("cid", None, NOW).await.unwrap();
    call.join("ben", "interviewer", NOW).await;
    assert_eq!(count().await, 2);
    call.leave("ann", None, NOW).await.unwrap();
    call.join("ann", "candidate", NOW).await;
    assert_eq!(count().await, 3);
    // All within one window.
    call.leave("ann", None, SLOW).await.unwrap();
    call.look(NOW).await;
    call.join("dot", "observer", SLOW).await;
    call.join("ann", "candidate", SLOW).await;
    call.leave("ben", None, SLOW).await.unwrap();
    call.join("ben", "interviewer", SLOW).await;
    call.look(NOW).await;
    assert_eq!(count().await, 4, "once for all that came together");
    call.look(NOW).await;
    assert_eq!(count().await, 4);
}

async fn a_call_has_only_so_many_sockets_and_keeps_places_for_those_who_speak(redis: Redis) {
    let call = Call::new(redis);
    let most = 3;
    let join = async |user: &str, role: &str| {
        let joining = Joining { most, ..joining(user, role) };
        matches!(call.join_as(person(user), joining, SLOW).await, CallJoin::Joined(_))
    };
    for user in ["a", "b", "c"] {
        assert!(join(user, "observer").await);
    }
    assert!(!join("d", "observer").await);
    assert!(join("a", "observer").await, "who is there already may join again");
    assert!(join("ann", "candidate").await && join("ben", "interviewer").await);
    for n in 0..18 {
        assert!(join(&format!("more{n}"), "candidate").await);
    }
    assert!(!join("one-too-many", "candidate").await);
    call.look(NOW).await;
    assert_eq!(call.announced().await.pop().unwrap().split(' ').count(), 23);
}

async fn without_a_token_nobody_takes_the_name_of_one_who_has_one(redis: Redis) {
    let call = Call::new(redis);
    call.join("ann", "candidate", NOW).await;
    let sender = Sender { user: "ben", ..person("ben") };
    call.join_as(sender, joining("Benjamin", "interviewer"), NOW).await;
    let open = async |identity: &'static str| {
        let named = As::Named { role: "interviewer", identity, has_token: false };
        let sender = Sender { user: identity, sid: "s-open", ..person("open") };
        call.join_as(sender, Joining { named, ..joining("", "") }, NOW).await
    };
    for taken in ["ann", "Benjamin", "ben"] {
        assert_eq!(open(taken).await, CallJoin::Taken, "{taken}");
    }
    assert!(matches!(open("eve").await, CallJoin::Joined(_)));
    assert_eq!(open("ann").await, CallJoin::Taken, "nor by joining again");
    assert!(matches!(call.join("eve", "interviewer", NOW).await, CallJoined { first: true, .. }), "a token's user may");
    assert!(matches!(open("eve").await, CallJoin::Joined(_)), "who had the name keeps it");
}

async fn a_signal_reaches_a_socket_whose_connection_is_lost(redis: Redis) {
    let call = Call::new(redis);
    for user in ["ann", "ben"] {
        call.join(user, "observer", NOW).await;
    }
    let relay =
        async |to| room_relay(&call.redis, &call.scope, plain(), person("ann"), to, signal(r#"["offer",{}]"#)).await.unwrap();
    assert!(matches!(relay(Recipient::Named("s-ben")).await, Relayed::Sent(_)));
    assert_eq!(call.heard().await.last().unwrap().head, "s:s-ben s-ann - -");
    assert_eq!(relay(Recipient::Named("ben")).await, Relayed::NoSuchMember, "a socket is named, not a user");
    call.leave("ben", Some(0), PATIENT).await.unwrap();
    assert!(matches!(relay(Recipient::Named("s-ben")).await, Relayed::Sent(_)), "it hears of it when it is back");
    let key = keys::user_tag("s-ben");
    assert_eq!(call.heard().await.last().unwrap().head, format!("u:{key} s-ann - -"));
    call.look(NOW).await;
    assert_eq!(relay(Recipient::Named("s-ben")).await, Relayed::NoSuchMember);
}

async fn the_chat_says_who_wrote_and_keeps_it(redis: Redis) {
    let call = Call::new(redis);
    call.join("ann", "candidate", NOW).await;
    let say = async |id: &'static str, user: &'static str, text: &'static str| {
        call_message(&call.redis, call.id, cmid(id), person(user), text).await.unwrap()
    };
    let said = say("c-1", "ann", "a \"word\"\n").await.unwrap();
    let heard = call.heard().await.pop().unwrap();
    let expected = json!({"interviewId": &*call.scope.id, "messageId": said.message_id, "clientMessageId": "c-1",
        "socketId": "s-ann", "identity": "ann", "role": "candidate", "text": "a \"word\"\n", "timestamp": said.timestamp});
    assert_eq!((heard.name.as_str(), heard.data), ("chat:message", expected));
    let ms: jiff::Timestamp = said.timestamp.parse().expect("ISO 8601");
    assert_eq!(u64::try_from(ms.as_millisecond()).unwrap(), said.told.at);
    let again = say("c-1", "ann", "another").await.unwrap();
    assert!(again.told.duplicate && again.message_id == said.message_id);
    assert_eq!(say("", "eve", "I am not there").await, None);
    let kept =
        room_history(&call.redis, &call.scope, &interview_keys::chat(call.id), Some("s-ann"), newest(10)).await.unwrap().unwrap();
    let sender = r#""socketId":"s-ann","identity":"ann","role":"candidate""#;
    assert_eq!(kept.messages.len(), 1);
    assert_eq!((kept.messages[0].sender.as_deref(), kept.messages[0].timestamp), (Some(sender), said.told.at));
}

async fn a_document_is_taken_only_by_who_knew_the_last_one(redis: Redis) {
    let call = Call::new(redis);
    let mut channel = Channel::listen(&call.redis, &keys::scope_channel(&call.scope, 0)).await;
    for user in ["ann", "ben"] {
        call.join(user, "observer", NOW).await;
        channel.next().await;
    }
    let edit = async |user: &'static str, version, json: &'static str| {
        call_edit(&call.redis, call.id, plain(), person(user), version, json).await.unwrap()
    };
    assert_eq!(call_document(&call.redis, call.id).await.unwrap(), Document::default());
    for wrong in [0, 2] {
        assert_eq!(edit("ann", wrong, "\"x\"").await, Edited::Conflict(Document::default()), "{wrong}");
    }
    assert!(matches!(edit("ann", 1, "\"one\"").await, Edited::Taken { version: 1, .. }));
    let heard = channel.next().await;
    assert!(
        heard.ends_with("* s-ann editor -\n[\"editor:update\",{\"socketId\":\"s-ann\",\"update\":\"one\",\"version\":1}]"),
        "{heard}"
    );
    assert!(heard.contains(" ~\n"), "volatile: {heard}");
    let kept = Document { version: 1, writer: "s-ann".into(), json: Some("\"one\"".into()) };
    assert_eq!(edit("ben", 1, "\"two\"").await, Edited::Conflict(kept.clone()));
    assert!(matches!(edit("ann", 1, "\"one\"").await, Edited::Taken { version: 1, .. }), "a repeat");
    assert!(matches!(edit("ben", 2, "\"two\"").await, Edited::Taken { version: 2, .. }));
    assert_eq!(edit("eve", 3, "\"x\"").await, Edited::NotMember);
    let joined = call.join("cid", "observer", NOW).await;
    assert_eq!(joined.document_version, 2);
    let kept = Document { version: 2, writer: "s-ben".into(), json: Some("\"two\"".into()) };
    assert_eq!(call_document(&call.redis, call.id).await.unwrap(), kept);
}

async fn a_screen_is_shown_until_its_socket_is_gone(redis: Redis) {
    let call = Call::new(redis);
    for user in ["ann", "ben"] {
        call.join(user, "observer", NOW).await;
    }
    let share = async |user: &'static str, active| call_share(&call.redis, call.id, plain(), person(user), active).await.unwrap();
    assert!(matches!(share("ann", false).await, Shared::Ok { unchanged: true, .. }), "it showed none");
    assert!(matches!(share("ann", true).await, Shared::Ok { unchanged: false, .. }));
    assert!(matches!(share("ann", true).await, Shared::Ok { unchanged: true, .. }));
    assert_eq!(share("eve", true).await, Shared::NotMember);
    let heard = call.heard().await.pop().unwrap();
    assert_eq!(heard.data, json!({"socketId": "s-ann", "identity": "ann", "active": true}));
    assert_eq!(heard.head, "* s-ann - -", "to the others");
    let shown = vec![("s-ann".to_owned(), "ann".to_owned())];
    assert_eq!(call.join("cid", "observer", NOW).await.screens, shown);
    assert_eq!(call.join("ann", "observer", NOW).await.screens, [], "not one's own");
    call.leave("ann", Some(0), PATIENT).await.unwrap();
    assert_eq!(call.join("dan", "observer", PATIENT).await.screens, shown, "it may come back");
    call.look(NOW).await;
    let heard = call.heard().await;
    let [ended, presence] = &heard[heard.len() - 2..] else { panic!("two events") };
    assert_eq!((ended.data["active"].as_bool(), sids(&presence.data).as_str()), (Some(false), "s-ben s-cid s-dan"));
    share("ben", true).await;
    call.leave("ben", None, NOW).await.unwrap();
    assert_eq!(call.join("eve", "observer", NOW).await.screens, []);
    for n in 0..17 {
        let user: &'static str = Box::leak(format!("u{n}").into_boxed_str());
        call.join(user, "observer", NOW).await;
        assert_eq!(share(user, true).await == Shared::Full, n == 16, "{n}");
    }
}

async fn a_repeated_call_has_its_effect_once(redis: Redis) {
    let call = Call::new(redis);
    let (id, twice, ann) = (call.id, &Twice(&call.redis), person("ann"));
    call_join(twice, id, op("j"), ann, NODE, joining("ann", "candidate"), NOW).await.unwrap();
    assert_eq!(call.names().await, ["presence:update"]);
    assert!(call_message(twice, id, op("m"), ann, "hello").await.unwrap().is_some());
    assert!(matches!(call_edit(twice, id, op("e"), ann, 1, "\"x\"").await.unwrap(), Edited::Taken { version: 1, .. }));
    assert!(matches!(call_share(twice, id, op("s"), ann, true).await.unwrap(), Shared::Ok { unchanged: false, .. }));
    assert!(call_leave(twice, id, op("l"), ann, NODE, None, NOW).await.unwrap().is_some());
    let expected = ["presence:update", "chat:message", "screen:share", "screen:share", "presence:update"];
    assert_eq!(call.names().await, expected);
}
