//! The presence of all rooms of one kind, for a feature without rules of its own about it: this node announces what a window has
//! gathered, notes a lost connection until Redis has taken it, and does what is due when the grace is over.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Announcing, Connection, RoomChanged, RoomJoined, room_announce, room_join, room_leave, room_presence};
use crate::cluster::Scopes;
use crate::cluster::scripts::scope::{LostTimer, Member};
use crate::cluster::scripts::{Op, Retention};
use crate::core::{Kind, ScopeId};
use crate::redis::RedisError;
use crate::rooms::clock::Clock;
use crate::rooms::coalesce::Windows;
use crate::rooms::pending::Losses;
use crate::rooms::scripts::{Sender, Told};
use crate::rooms::timers::{Due, Fired, OnDue, Timers};
use crate::socketio::{Abandoned, BoxFuture};

/// An announcement that fails is tried again, so often; then it is left to the next change.
const ANNOUNCE_TRIES: u32 = 6;
const ANNOUNCE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// How presence is announced in rooms of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub kind: Kind,
    /// At most one announcement in so long.
    pub window: Duration,
    /// How long a lost connection stays unannounced.
    pub grace: Duration,
    /// The durable timer by which the lost are announced: a name that no other timer of this kind has.
    pub timer: &'static str,
    pub retention: Retention,
    /// What an announcement begins with, such as the room's id: fields of a JSON object.
    pub head: fn(&ScopeId) -> String,
}

/// Presence in rooms of one kind, on this node.
pub struct Presence {
    scopes: Arc<Scopes>,
    timers: Arc<Timers>,
    rules: Rules,
    windows: Windows<ScopeId>,
    losses: Losses,
    clock: Clock,
}

impl Presence {
    /// Registers the timer. Before the start.
    pub fn new(scopes: Arc<Scopes>, timers: Arc<Timers>, rules: Rules) -> Arc<Self> {
        let windows = Windows::new(ANNOUNCE_TRIES, ANNOUNCE_RETRY);
        let (losses, clock) = (Losses::default(), Clock::default());
        let presence = Arc::new(Self { scopes, timers, rules, windows, losses, clock });
        presence.timers.on(rules.kind, rules.timer, Arc::new(Handler(Arc::downgrade(&presence))));
        presence
    }

    /// Makes a socket a member, and this node a listener. `recovered`: it has come back, and is not announced again.
    ///
    /// # Errors
    /// [`RedisError`]; it may be a member all the same.
    pub async fn join(self: &Arc<Self>, scope: &ScopeId, member: Member<'_>, recovered: bool) -> Result<RoomJoined, RedisError> {
        let (op, head) = (self.scopes.next_op(), (self.rules.head)(scope));
        let (sender, connection) = parts(member);
        let joined =
            room_join(self.scopes.redis(), scope, self.op(&op), sender, connection, recovered, self.announcing(&head)).await?;
        self.after(scope, Some(joined.told), joined.announce_in);
        Ok(joined)
    }

    /// A member leaves, and is announced as gone. False: it was no member under this node and session epoch.
    ///
    /// # Errors
    /// [`RedisError`]; it may be gone all the same.
    pub async fn leave(self: &Arc<Self>, scope: &ScopeId, member: Member<'_>) -> Result<bool, RedisError> {
        let op = self.scopes.next_op();
        self.end(scope, &op, member, None).await
    }

    /// A connection is lost, with its places in rooms of this kind: it is announced as gone once the grace is over. Returns at
    /// once; while Redis is away the loss is noted later, as of now.
    pub fn lose(self: &Arc<Self>, lost: Abandoned) {
        let loss = (self.scopes.next_op(), self.clock.now_ms(), lost);
        self.losses.note(self, loss, |presence, loss| async move {
            let (op, at, lost) = &*loss;
            presence.note_lost(op, lost, *at).await
        });
    }

    /// Lost connections that are not noted yet, for [`Running::unsettled`](crate::feature::Running::unsettled).
    pub fn unsettled(&self) -> usize {
        self.losses.count()
    }

    /// What [`ScopeListener::lost_timer`](crate::cluster::ScopeListener::lost_timer) has to answer.
    pub fn lost_timer(&self) -> LostTimer {
        LostTimer { name: self.rules.timer, after: self.rules.grace }
    }

    /// What [`ScopeListener::reaped`](crate::cluster::ScopeListener::reaped) has to do: the members of the dead node have their
    /// timer, and what that node was to announce in a moment is announced.
    pub async fn reaped(self: &Arc<Self>, scope: &ScopeId, due_in: Option<Duration>) {
        if let Some(wait) = due_in {
            self.timers.expect(scope, wait).await;
            self.timers.set(scope, Some(wait));
        }
        self.announce_in(scope, Some(Duration::ZERO));
    }

    async fn note_lost(self: &Arc<Self>, op: &str, lost: &Abandoned, at: u64) -> bool {
        let Abandoned { sid, user, role, node, epoch, rooms } = lost;
        let member = Member { sid, user, role, node, session_epoch: *epoch };
        for scope in rooms.iter().filter(|scope| scope.kind == self.rules.kind) {
            self.timers.expect(scope, self.rules.grace).await;
            if let Err(error) = self.end(scope, op, member, Some(at)).await {
                tracing::debug!(%scope, %error, "a lost connection cannot be noted yet");
                return false;
            }
        }
        true
    }

    async fn end(
        self: &Arc<Self>,
        scope: &ScopeId,
        op: &str,
        member: Member<'_>,
        lost_at: Option<u64>,
    ) -> Result<bool, RedisError> {
        let head = (self.rules.head)(scope);
        let (sender, connection) = parts(member);
        let announcing = self.announcing(&head);
        let changed = room_leave(self.scopes.redis(), scope, self.op(op), sender, connection, lost_at, announcing).await?;
        if let Some(changed) = changed {
            self.changed(scope, changed);
        }
        Ok(changed.is_some())
    }

    fn changed(self: &Arc<Self>, scope: &ScopeId, changed: RoomChanged) {
        self.timers.set(scope, changed.timer_in);
        self.after(scope, changed.told, changed.announce_in);
    }

    fn after(self: &Arc<Self>, scope: &ScopeId, told: Option<Told>, announce_in: Option<Duration>) {
        if let Some(Told { heard, listeners, at, .. }) = told {
            self.clock.learn(at);
            self.scopes.written(scope, heard, listeners);
        }
        self.announce_in(scope, announce_in);
    }

    /// Announces what has changed when the window ends. Should this node not come to it, the next change does, or the node that
    /// reaps this one.
    fn announce_in(self: &Arc<Self>, scope: &ScopeId, wait: Option<Duration>) {
        let Some(wait) = wait else { return };
        let weak = Arc::downgrade(self);
        self.windows.end_in(scope.clone(), wait, move |scope| {
            let presence = weak.upgrade();
            async move {
                match presence {
                    Some(presence) => presence.scopes.may_act().await && presence.announce(&scope).await,
                    None => true,
                }
            }
        });
    }

    async fn announce(self: &Arc<Self>, scope: &ScopeId) -> bool {
        let (op, head) = (self.scopes.next_op(), (self.rules.head)(scope));
        match room_announce(self.scopes.redis(), scope, self.op(&op), self.announcing(&head)).await {
            Ok(changed) => {
                self.after(scope, changed.told, changed.announce_in);
                true
            }
            Err(error) => {
                tracing::debug!(%scope, %error, "presence cannot be announced yet");
                false
            }
        }
    }

    async fn grace_over(self: &Arc<Self>, scope: &ScopeId) -> Fired {
        let (op, head) = (self.scopes.next_op(), (self.rules.head)(scope));
        match room_presence(self.scopes.redis(), scope, self.op(&op), self.announcing(&head)).await {
            Ok(changed) => {
                self.after(scope, changed.told, changed.announce_in);
                changed.timer_in.map_or(Fired::Done, Fired::Again)
            }
            Err(error) => {
                tracing::debug!(%scope, %error, "the lost cannot be announced yet");
                Fired::Failed
            }
        }
    }

    fn announcing<'a>(&self, head: &'a str) -> Announcing<'a> {
        let Rules { window, grace, timer, .. } = self.rules;
        Announcing { window, grace, timer, head }
    }

    fn op<'a>(&self, id: &'a str) -> Op<'a> {
        let database = self.scopes.redis().database();
        Op { id, client_message_id: "", retention: self.rules.retention, extra: "", database }
    }
}

fn parts(member: Member<'_>) -> (Sender<'_>, Connection<'_>) {
    let Member { sid, user, role, node, session_epoch } = member;
    (Sender { user, role, sid, source: "" }, Connection { node, session_epoch })
}

/// Handed to the timers, which must not keep the feature alive.
struct Handler(Weak<Presence>);

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let presence = self.0.upgrade();
        Box::pin(async move {
            match presence {
                Some(presence) => presence.grace_over(&due.scope).await,
                None => Fired::Failed,
            }
        })
    }
}
