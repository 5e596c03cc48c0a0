//! What the rooms of every feature share, on a scope that belongs to none: relay, history, audit trail, leases.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke::cluster::scripts::scope::{Member, scope_join, scope_read};
use convoke::core::{Kind, Position, ScopeId, StreamId};
use convoke::protocol::event::Args;
use convoke::redis::{Redis, keys};
use convoke::rooms::audit::{Line, room_audit, room_events};
use convoke::rooms::coalesce::{Coalesced, Newest, volatile_flush, volatile_send};
use convoke::rooms::history::{HistoryQuery, Message, Sent, room_history, room_message};
use convoke::rooms::lease::{Lease, lease_release, lease_take, lease_take_over};
use convoke::rooms::presence::{
    Announcing, Connection, RoomChanged, RoomJoined, room_announce, room_join, room_leave, room_members, room_presence,
};
use convoke::rooms::relay::{Recipient, Relayed, room_relay};
use convoke::rooms::scripts::Sender;
use convoke::rooms::timers::scripts::due_read;
use convoke::rooms::worker::{Turn, Work, Workers};
use serde_json::{Value, json};

use crate::scripts_world::{Channel, Heard, cmid, newest, op, plain, signal, unique};
use crate::support::eventually;

crate::on_both!(
    a_signal_goes_to_the_others_to_a_socket_or_to_a_user_and_only_from_a_member,
    a_message_reaches_all_is_kept_and_a_repeat_is_answered_with_the_first_answer,
    a_history_is_read_backwards_in_pages_by_members,
    the_trail_keeps_who_did_what_and_what_was_refused_of_whom,
    who_comes_and_goes_is_announced_once_in_a_window_and_the_lost_after_the_grace,
    a_socket_that_comes_back_within_the_grace_is_not_announced,
    of_events_in_one_window_the_first_and_the_newest_go_out,
    of_many_owners_one_holds_a_lease_and_a_dead_ones_is_taken_over_at_once,
    of_two_nodes_one_works_for_a_scope_and_the_other_takes_over_when_it_is_dead,
);

struct Room {
    redis: Redis,
    scope: ScopeId,
    messages: String,
    trail: String,
}

const ANN: Sender<'static> = Sender { user: "ann", role: "host", sid: "s-ann", source: "socket" };
const BEN: Sender<'static> = Sender { user: "ben", role: "guest", sid: "s-ben", source: "socket" };

impl Room {
    async fn new(redis: Redis) -> Self {
        let scope = ScopeId { kind: Kind::of("chat"), id: unique("room").into() };
        let key = |what: &str| format!("chat:{what}:{{{}}}", scope.id);
        let room = Self { redis, messages: key("messages"), trail: key("trail"), scope };
        for Sender { user, role, sid, .. } in [ANN, BEN] {
            let member = Member { sid, user, role, node: "n1.a", session_epoch: 1 };
            scope_join(&room.redis, &room.scope, plain(), member).await.unwrap();
        }
        room
    }

    async fn heard(&self) -> Vec<Heard> {
        let start = |epoch: &str| Position::new(epoch, StreamId::default());
        let epoch = scope_read(&self.redis, &self.scope, &start(""), 1).await.unwrap().epoch;
        let log = scope_read(&self.redis, &self.scope, &start(&epoch), 1000).await.unwrap();
        log.entries.iter().map(|entry| Heard::parse(&entry.body)).collect()
    }

    async fn say(&self, client_message_id: &str, sender: Sender<'_>, text: &str) -> Option<Sent> {
        let (head, fields) = (format!(r#""room":"{}""#, self.scope.id), format!(r#""by":"{}""#, sender.user));
        let message = Message { event: "chat:message", head: &head, sender: &fields, text };
        let op = cmid(client_message_id);
        room_message(&self.redis, &self.scope, &self.messages, op, sender, message, true).await.unwrap()
    }
}

async fn a_signal_goes_to_the_others_to_a_socket_or_to_a_user_and_only_from_a_member(redis: Redis) {
    let room = Room::new(redis).await;
    let relay = async |id: &'static str, sender, to| {
        room_relay(&room.redis, &room.scope, op(id), sender, to, signal(r#"["offer",{}]"#)).await.unwrap()
    };
    let user = format!("u:{} s-ann - -", convoke::redis::keys::user_tag("ben"));
    let cases = [
        (Recipient::Others, "* s-ann - -"),
        (Recipient::Named("s-ben"), "s:s-ben s-ann - -"),
        (Recipient::Named("ben"), &user),
        (Recipient::Socket("s-ben"), "s:s-ben s-ann - -"),
    ];
    for (to, head) in cases {
        assert!(matches!(relay("", ANN, to).await, Relayed::Sent(_)));
        assert_eq!(room.heard().await.pop().unwrap().head, head);
    }
    let count = room.heard().await.len();
    for nobody in [Recipient::Named("nobody"), Recipient::Named("_"), Recipient::Named("@ben"), Recipient::Socket("ben")] {
        assert_eq!(relay("", ANN, nobody).await, Relayed::NoSuchMember, "{nobody:?}");
    }
    assert_eq!(relay("", Sender { sid: "s-x", ..ANN }, Recipient::Others).await, Relayed::NotMember);
    assert_eq!(relay("once", ANN, Recipient::Others).await, relay("once", ANN, Recipient::Others).await);
    assert_eq!(room.heard().await.len(), count + 1, "a repeated call publishes once");
}

async fn a_message_reaches_all_is_kept_and_a_repeat_is_answered_with_the_first_answer(redis: Redis) {
    let room = Room::new(redis).await;
    let text = "quote \" slash / nul \u{0} line\u{2028} 🚑";
    let sent = room.say("c-1", ANN, text).await.unwrap();
    let payload = json!({"room": &*room.scope.id, "messageId": sent.message_id, "clientMessageId": "c-1", "by": "ann",
        "text": text, "timestamp": sent.timestamp});
    let heard = room.heard().await.pop().unwrap();
    assert_eq!((heard.name, heard.data, heard.head), ("chat:message".into(), payload.clone(), "* - - -".into()));
    let history = room_history(&room.redis, &room.scope, &room.messages, Some("s-ben"), newest(50)).await.unwrap().unwrap();
    let head = format!(r#""room":"{}""#, room.scope.id);
    let page: Value = serde_json::from_str(&history.page(1 << 20, |kept| kept.payload(&head))).unwrap();
    assert_eq!(page, json!({"ok": true, "messages": [payload], "nextBefore": null}));

    let repeats = futures_util::future::join_all((0..50).map(|_| room.say("same", ANN, "hello"))).await;
    let repeats: Vec<_> = repeats.into_iter().map(Option::unwrap).collect();
    assert_eq!(repeats.iter().filter(|sent| !sent.told.duplicate).count(), 1);
    assert_eq!(repeats.iter().map(|sent| &sent.message_id).collect::<HashSet<_>>().len(), 1);
    assert!(!room.say("same", BEN, "hello").await.unwrap().told.duplicate, "an id belongs to its user");
    assert_eq!(room.say("x", Sender { sid: "s-x", ..ANN }, "hello").await, None, "for members only");
}

async fn a_history_is_read_backwards_in_pages_by_members(redis: Redis) {
    let room = Room::new(redis).await;
    for text in ["0", "1", "2", "3", "4", "5", "6"] {
        room.say("", ANN, text).await.unwrap();
    }
    let (mut before, mut pages) = (None, Vec::new());
    loop {
        let query = HistoryQuery { before, limit: 3 };
        let page = room_history(&room.redis, &room.scope, &room.messages, None, query).await.unwrap().unwrap();
        pages.push(page.messages.iter().map(|message| message.text.clone()).collect::<String>());
        match page.next_before {
            Some(next) => before = Some(next.parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(pages, ["456", "123", "0"]);
    let stranger = room_history(&room.redis, &room.scope, &room.messages, Some("s-x"), newest(3)).await.unwrap();
    assert_eq!(stranger, None);
}

async fn the_trail_keeps_who_did_what_and_what_was_refused_of_whom(redis: Redis) {
    let room = Room::new(redis).await;
    let line = Line { event: "moved", note: "why", status: "b", old_status: "a" };
    room_audit(&room.redis, &room.scope, &room.trail, ANN, line, false).await.unwrap();
    let refused = Line { event: "moved", note: "FORBIDDEN", ..Line::default() };
    room_audit(&room.redis, &room.scope, &room.trail, BEN, refused, true).await.unwrap();
    let page = room_events(&room.redis, &room.trail, None, 10).await.unwrap();
    let lines: Vec<_> =
        page.entries.iter().map(|entry| (&*entry.event, entry.user_id.as_deref(), entry.note.as_deref())).collect();
    assert_eq!(lines, [("moved", Some("ann"), Some("why")), ("refusal", Some("ben"), Some("moved FORBIDDEN"))]);
    let first = &page.entries[0];
    let said = (first.status.as_deref(), first.old_status.as_deref(), &*first.source, first.socket.as_deref());
    assert_eq!(said, (Some("b"), Some("a"), "socket", Some("s-ann")));
    let after = room_events(&room.redis, &room.trail, first.id.parse().ok(), 10).await.unwrap();
    assert_eq!((after.entries.len(), after.more), (1, false));
    let short = room_events(&room.redis, &room.trail, None, 1).await.unwrap();
    assert_eq!((short.entries.len(), short.more), (1, true));
}

async fn of_many_owners_one_holds_a_lease_and_a_dead_ones_is_taken_over_at_once(redis: Redis) {
    let room = Room::new(redis).await;
    let take = async |owner: &str, ms| lease_take(&room.redis, &room.scope, "lease:work", owner, ms, None).await.unwrap();
    assert_eq!((take("a", 60_000).await, take("a", 60_000).await), (Lease::Held, Lease::Held), "it is renewed");
    assert!(matches!(take("b", 60_000).await, Lease::Busy { for_ms: 50_000.., owner } if owner == "a"));
    let other = lease_take(&room.redis, &room.scope, "lease:other", "b", 60_000, None).await.unwrap();
    assert_eq!(other, Lease::Held, "each kind of work has its own");
    let take_over =
        async |is_live: bool| lease_take_over(&room.redis, &room.scope, "lease:work", "b", 60_000, |_| is_live).await.unwrap();
    assert!(matches!(take_over(true).await, Lease::Busy { .. }));
    assert_eq!(take_over(false).await, Lease::Held);
    assert!(!lease_release(&room.redis, &room.scope, "lease:work", "a").await.unwrap(), "it is another's by now");
    assert!(lease_release(&room.redis, &room.scope, "lease:work", "b").await.unwrap());
    assert_eq!(take("c", 0).await, Lease::Held);
    assert_eq!(take("d", 60_000).await, Lease::Held, "a lease ends by itself");
}

/// What there is to do for a scope, and who has done it.
#[derive(Default)]
struct Heap {
    left: AtomicUsize,
    done: Mutex<Vec<&'static str>>,
    /// Turns that were another node's.
    waits: AtomicUsize,
    /// The first node is known to be dead.
    is_dead: AtomicBool,
}

/// The work of a node. The first one dies in its first turn, with the lease in its hand.
struct Node {
    name: &'static str,
    redis: Redis,
    scope: ScopeId,
    heap: Arc<Heap>,
}

impl Work for Node {
    fn turn<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>> {
        Box::pin(async move {
            let Self { name, redis, scope, heap } = self;
            let is_live = |owner: &str| owner != "first" || !heap.is_dead.load(Ordering::Relaxed);
            let lease = lease_take_over(redis, scope, "lease:work", name, 60_000, is_live).await.unwrap();
            if lease != Lease::Held {
                heap.waits.fetch_add(1, Ordering::Relaxed);
                return Turn::Wait(Duration::from_millis(5));
            }
            if *name == "first" {
                std::future::pending::<()>().await;
            }
            if heap.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
                lease_release(redis, scope, "lease:work", name).await.unwrap();
                return Turn::Done;
            }
            heap.done.lock().unwrap().push(name);
            Turn::GoOn
        })
    }
}

async fn of_two_nodes_one_works_for_a_scope_and_the_other_takes_over_when_it_is_dead(redis: Redis) {
    let room = Room::new(redis).await;
    let heap = Arc::new(Heap { left: 3.into(), ..Heap::default() });
    let node = |name| Arc::new(Node { name, redis: room.redis.clone(), scope: room.scope.clone(), heap: heap.clone() });
    let (first, second) = ((node("first"), Workers::default()), (node("second"), Workers::default()));
    let pauses = (Duration::from_millis(5), Duration::from_millis(50));
    let take = async |owner: &str| lease_take(&room.redis, &room.scope, "lease:work", owner, 1, None).await.unwrap();
    first.1.wake(&first.0, &room.scope.id, pauses);
    while !matches!(take("nobody").await, Lease::Busy { owner, .. } if owner == "first") {}
    second.1.wake(&second.0, &room.scope.id, pauses);
    eventually("it is the other one's turn", || heap.waits.load(Ordering::Relaxed) >= 3).await;
    assert!(heap.done.lock().unwrap().is_empty());
    heap.is_dead.store(true, Ordering::Relaxed);
    eventually("nothing is left", || second.1.running().is_empty()).await;
    assert_eq!(*heap.done.lock().unwrap(), ["second"; 3]);
    assert_eq!(take("third").await, Lease::Held, "it has given the lease back");
}

const NODE: Connection<'static> = Connection { node: "n1.a", session_epoch: 1 };

/// An announcement that is due at once, and lost connections that are announced at once.
fn announcing(window_ms: u64, grace_ms: u64) -> Announcing<'static> {
    let (window, grace) = (Duration::from_millis(window_ms), Duration::from_millis(grace_ms));
    Announcing { window, grace, timer: "gone", head: r#""room":"x""# }
}

/// A room in which nobody is.
fn empty(redis: Redis) -> Room {
    let scope = ScopeId { kind: Kind::of("chat"), id: unique("room").into() };
    Room { redis, scope, messages: String::new(), trail: String::new() }
}

impl Room {
    /// The users of each announcement so far, with whether each is online.
    async fn announced(&self) -> Vec<Vec<(String, bool)>> {
        let users = |data: &Value| {
            let members = data["members"].as_array().unwrap();
            assert_eq!((&data["room"], data["count"].as_u64()), (&json!("x"), Some(members.len() as u64)), "{data}");
            let user = |member: &Value| (member["userId"].as_str().unwrap().to_owned(), member["online"] == true);
            let mut users: Vec<_> = members.iter().map(user).collect();
            users.sort();
            users
        };
        let heard = self.heard().await;
        heard.iter().filter(|heard| heard.name == "presence:update").map(|heard| users(&heard.data)).collect()
    }

    async fn join(&self, sender: Sender<'_>, recovered: bool, announcing: Announcing<'_>) -> RoomJoined {
        room_join(&self.redis, &self.scope, plain(), sender, NODE, recovered, announcing).await.unwrap()
    }

    async fn leave(&self, sender: Sender<'_>, lost_at: Option<u64>, announcing: Announcing<'_>) -> Option<RoomChanged> {
        room_leave(&self.redis, &self.scope, plain(), sender, NODE, lost_at, announcing).await.unwrap()
    }
}

async fn who_comes_and_goes_is_announced_once_in_a_window_and_the_lost_after_the_grace(redis: Redis) {
    let room = empty(redis);
    let (here, gone) = (|user: &str| (user.to_owned(), true), |user: &str| (user.to_owned(), false));
    let long = announcing(60_000, 0);
    let first = room.join(ANN, false, long).await;
    assert!(first.first && first.announce_in.is_none(), "at once after a quiet window");
    let second = room.join(BEN, false, long).await;
    assert!(second.announce_in.is_some() && second.position.id > first.position.id);
    assert_eq!(room.announced().await, [vec![here("ann")]]);
    assert!(!room.join(ANN, false, long).await.first);
    // The window is over.
    let now = announcing(0, 0);
    let changed = room_announce(&room.redis, &room.scope, plain(), now).await.unwrap();
    assert!(changed.told.is_some() && changed.announce_in.is_none());
    assert_eq!(room.announced().await[1..], [vec![here("ann"), here("ben")]]);
    let (_, members, sockets) = room_members(&room.redis, &room.scope).await.unwrap();
    assert_eq!((members.len(), sockets.len()), (2, 2));

    let lost = room.leave(BEN, Some(0), now).await.unwrap();
    assert!(lost.timer_in.is_some(), "a timer announces it");
    assert_eq!(room.announced().await.len(), 2, "nothing before that");
    assert_eq!(due_read(&room.redis, &room.scope, 10).await.unwrap().rows[0].row, "gone");
    let announced = room_presence(&room.redis, &room.scope, plain(), now).await.unwrap();
    assert!(announced.told.is_some() && announced.timer_in.is_none());
    assert_eq!(room.announced().await[2..], [vec![here("ann"), gone("ben")]]);
    assert!(due_read(&room.redis, &room.scope, 10).await.unwrap().rows.is_empty());

    assert!(room.leave(ANN, None, now).await.is_some(), "who leaves vanishes at once");
    assert_eq!(room.announced().await[3..], [vec![gone("ben")]]);
    assert_eq!(room.leave(ANN, None, now).await, None);
}

async fn a_socket_that_comes_back_within_the_grace_is_not_announced(redis: Redis) {
    let room = empty(redis);
    let slow = announcing(0, 60_000);
    room.join(ANN, false, slow).await;
    room.leave(ANN, Some(0), slow).await.unwrap();
    let waiting = room_presence(&room.redis, &room.scope, plain(), slow).await.unwrap();
    assert!(waiting.told.is_none() && waiting.timer_in.is_some_and(|wait| wait > Duration::from_secs(50)));
    assert!(room.join(ANN, true, slow).await.first);
    room_presence(&room.redis, &room.scope, plain(), announcing(0, 0)).await.unwrap();
    assert_eq!(room.announced().await.len(), 1);
}

async fn of_events_in_one_window_the_first_and_the_newest_go_out(redis: Redis) {
    let room = Room::new(redis).await;
    let (scope, hash) = (&room.scope, format!("chat:newest:{{{}}}", room.scope.id));
    let mut channel = Channel::listen(&room.redis, &keys::scope_channel(scope, 0)).await;
    let send = async |key: &str, n: u32, window: Duration| {
        let args = Args::event("moved", &n.to_string());
        let newest = Newest { key, window, except: None, args: &args };
        volatile_send(&room.redis, scope, &hash, plain(), newest).await.unwrap()
    };
    let flush = async |window| volatile_flush(&room.redis, scope, &hash, plain(), "ann", window).await.unwrap();
    let long = Duration::from_secs(60);
    assert!(matches!(send("ann", 1, long).await, Coalesced::Sent(_)));
    assert!(matches!(send("ben", 2, long).await, Coalesced::Sent(_)), "each key has its window");
    for n in [3, 4] {
        assert!(matches!(send("ann", n, long).await, Coalesced::Waits(left) if left > Duration::from_secs(50)));
    }
    assert!(matches!(flush(long).await, Coalesced::Waits(_)), "not before the end");
    // Asked with a shorter window, the end is too far ahead to be one.
    assert!(matches!(flush(Duration::from_secs(1)).await, Coalesced::Sent(_)));
    assert_eq!(flush(long).await, Coalesced::Nothing, "once");
    for expected in [r#"["moved",1]"#, r#"["moved",2]"#, r#"["moved",4]"#] {
        let heard = channel.next().await;
        assert!(heard.ends_with(expected), "{heard}");
    }
}
