//! A shared counter: those who look at it hear each click, and who is there. It is a feature as others are, written against what
//! the crate gives to everybody.

use std::sync::{Arc, Weak};
use std::time::Duration;

use convoke::cluster::scripts::scope::{LostTimer, Member};
use convoke::cluster::scripts::{Op, Retention};
use convoke::cluster::{LocalMember, NotRejoined, PendingJoin, Rejoined, ScopeListener, Scopes};
use convoke::core::{Kind, ScopeId};
use convoke::engineio::CloseReason;
use convoke::feature::{Configured, Feature, Parts, Running, World};
use convoke::http::router::{Answer, Call};
use convoke::http::{HttpError, Shape, json};
use convoke::redis::RedisError;
use convoke::rooms::presence::{Presence, RoomJoined, Rules};
use convoke::rooms::timers::{Due, Fired, OnDue, Timers};
use convoke::settings::table::Group;
use convoke::settings::{Reader, Settings};
use convoke::socketio::{
    Abandoned, Arrival, BoxFuture, Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Identity, Namespace,
    Reply, Socket, bind, bind_event,
};
use convoke::telemetry::metrics::{Metric, recorder};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::script::{Change, Changed, counter_change};

const COUNTER: Kind = Kind::of("counter");
const ROLE: &str = "visitor";
/// The durable timers: a counter is reset, and a visitor whose link broke has not come back.
const RESET: &str = "reset";
const GONE: &str = "gone";
/// Who comes and goes is announced at most once in so long.
const WINDOW: Duration = Duration::from_millis(100);

mod settings {
    convoke::settings_table! {
        "Counter" {
            COUNTER_STEP = "1", "What one click adds";
            COUNTER_GRACE_MS = "5000", "How long a visitor whose link broke is still here";
        }
    }
}

mod metrics {
    convoke::metrics_table! {
        CLICKS: describe_counter = "counter_clicks_total", "Clicks on all counters";
    }
}

pub struct CounterFeature;

#[derive(Clone)]
struct Configuration {
    step: u64,
    grace: Duration,
}

impl Feature for CounterFeature {
    fn settings(&self) -> &'static [Group] {
        settings::GROUPS
    }

    fn metrics(&self) -> &'static [Metric] {
        metrics::METRICS
    }

    fn read(&self, _: &Settings, read: &mut Reader<'_>) -> Box<dyn Configured> {
        let step = read.integer(settings::COUNTER_STEP, 1..=1_000);
        let grace = read.milliseconds(settings::COUNTER_GRACE_MS, 0..=600_000);
        Box::new(Configuration { step, grace })
    }
}

impl Configured for Configuration {
    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let (scopes, timers) = (world.node.scopes.clone(), world.timers.clone());
        let retention = Retention::of(&world.settings);
        let head = |scope: &ScopeId| format!(r#""counter":"{}""#, scope.id);
        let rules = Rules { kind: COUNTER, window: WINDOW, grace: self.grace, timer: GONE, retention, head };
        let presence = Presence::new(scopes.clone(), timers.clone(), rules);
        let counters = Arc::new(Counters { step: self.step, scopes, timers, presence, retention });
        let handler = Arc::new(Handler(Arc::downgrade(&counters)));
        world.node.scopes.register(COUNTER, handler.clone());
        world.timers.on(COUNTER, RESET, handler);
        let (namespace, routed) = (counters.namespace(), counters.clone());
        let routes = move |router: &mut convoke::http::router::Router| {
            router.route(Method::GET, "/counter/{id}", Shape::default(), move |call| routed.clone().show(call)).unlisted();
        };
        Ok(Parts { namespaces: vec![namespace], routes: Box::new(routes), running: counters, ..Parts::default() })
    }
}

/// What a client says of itself.
#[derive(Deserialize)]
struct Auth {
    counter: String,
    user: String,
}

#[derive(Serialize, Deserialize)]
struct Visitor {
    scope: ScopeId,
    user: String,
}

struct Counters {
    step: u64,
    scopes: Arc<Scopes>,
    timers: Arc<Timers>,
    presence: Arc<Presence>,
    retention: Retention,
}

impl Running for Counters {
    fn unsettled(&self) -> usize {
        self.presence.unsettled()
    }
}

impl Counters {
    fn namespace(self: &Arc<Self>) -> Namespace {
        Namespace::new("/counter")
            .on_connect(|request: ConnectRequest| async move {
                let Auth { counter, user } = request.auth()?;
                let scope = ScopeId::new(COUNTER, &counter).ok_or_else(|| ConnectError::message("no such counter"))?;
                Ok(Visitor { scope, user })
            })
            .identity(|visitor: &Visitor| Identity { user: visitor.user.clone(), role: ROLE.into(), expires: None })
            .on_move(
                |visitor: &Visitor| serde_json::to_value(visitor).unwrap_or_default(),
                |visitor| serde_json::from_value(visitor).ok(),
            )
            .on_connection(bind_event(self, Self::arrived))
            .on("click", bind_event(self, Self::click))
            .on("reset", bind_event(self, Self::reset_later))
            .on_disconnected(bind_event(self, Self::gone))
            .on_abandoned(bind(self, Self::abandoned))
    }

    async fn abandoned(self: Arc<Self>, abandoned: Abandoned) {
        self.presence.lose(abandoned);
    }

    async fn arrived(self: Arc<Self>, socket: Arc<Socket>, arrival: Arrival) {
        if arrival == Arrival::New && self.enter(&socket).await.is_err() {
            socket.session().close(CloseReason::TryAgain);
        }
    }

    async fn enter(&self, socket: &Arc<Socket>) -> Result<(), RedisError> {
        let Some(visitor) = socket.data::<Visitor>() else { return Ok(()) };
        let (hold, joined) = self.join(visitor, socket, false).await?;
        hold.joined(&joined.position).await;
        let Changed { value, .. } = self.change(&visitor.scope, Change::Look).await?;
        socket.emit("count", serde_json::json!({"value": value, "by": null}));
        hold.release(&joined.position);
        Ok(())
    }

    async fn join(
        &self,
        Visitor { scope, user }: &Visitor,
        socket: &Arc<Socket>,
        recovered: bool,
    ) -> Result<(PendingJoin, RoomJoined), RedisError> {
        let hold = self.scopes.hold(scope, socket, user, ROLE).await?;
        let node = self.scopes.node();
        let member = Member { sid: socket.id(), user, role: ROLE, node: &node, session_epoch: socket.epoch() };
        let joined = self.presence.join(scope, member, recovered).await?;
        Ok((hold, joined))
    }

    async fn click(self: Arc<Self>, socket: Arc<Socket>, _: Event) -> Result<Reply, EventError> {
        let Visitor { scope, user } = visitor(&socket)?;
        let change = Change::Add { step: self.step, by: user };
        let changed = self.change(scope, change).await.map_err(unavailable)?;
        recorder::counter!(metrics::CLICKS).increment(1);
        Reply::of(&changed.value)
    }

    async fn reset_later(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        let after = Duration::from_millis(event.arg::<u64>(0)?.min(600_000));
        self.timers.arm(&visitor(&socket)?.scope, RESET, "", after).await.map_err(unavailable)?;
        Ok(Reply::Ok)
    }

    async fn gone(self: Arc<Self>, socket: Arc<Socket>, reason: DisconnectReason) {
        let Some(Visitor { scope, user }) = socket.data() else { return };
        self.scopes.leave(scope, &socket);
        let (sid, node, epoch) = (socket.id(), self.scopes.node(), socket.epoch());
        match reason {
            DisconnectReason::TakenOver => {}
            DisconnectReason::Client | DisconnectReason::Server => {
                let member = Member { sid, user, role: ROLE, node: &node, session_epoch: epoch };
                if self.presence.leave(scope, member).await.is_err() {
                    self.presence.lose(place(scope, user, sid, &node, epoch));
                }
            }
            DisconnectReason::Transport(_) => self.presence.lose(place(scope, user, sid, &node, epoch)),
        }
    }

    async fn change(&self, scope: &ScopeId, change: Change<'_>) -> Result<Changed, RedisError> {
        let op = self.scopes.next_op();
        let changed = counter_change(self.scopes.redis(), scope, self.op(&op), change).await?;
        self.scopes.written(scope, changed.heard, changed.listeners);
        Ok(changed)
    }

    fn op<'a>(&self, id: &'a str) -> Op<'a> {
        let (retention, database) = (self.retention, self.scopes.redis().database());
        Op { id, client_message_id: "", retention, extra: "", database }
    }

    async fn show(self: Arc<Self>, call: Call) -> Answer {
        let path = call.path.to_string();
        let scope = ScopeId::new(COUNTER, call.param("id")).ok_or(HttpError::NotFound { path })?;
        let mut changed = self.change(&scope, Change::Look).await.map_err(|_| HttpError::Unavailable)?;
        changed.here.sort();
        Ok(json(StatusCode::OK, serde_json::json!({"value": changed.value, "here": changed.here}).to_string()))
    }

    async fn reset(&self, scope: &ScopeId) -> Result<Fired, RedisError> {
        let changed = self.change(scope, Change::Reset).await?;
        Ok(changed.reset_in.map_or(Fired::Done, Fired::Again))
    }
}

fn place(scope: &ScopeId, user: &str, sid: &str, node: &str, epoch: u64) -> Abandoned {
    let [sid, user, role, node] = [sid, user, ROLE, node].map(str::to_owned);
    Abandoned { sid, user, role, node, epoch, rooms: vec![scope.clone()] }
}

fn visitor(socket: &Socket) -> Result<&Visitor, EventError> {
    socket.data().ok_or_else(|| EventError::new(Code::INTERNAL, "internal error"))
}

fn unavailable(_: RedisError) -> EventError {
    EventError::new(Code::UNAVAILABLE, "try again")
}

/// What the hub calls; it must not keep the feature alive.
struct Handler(Weak<Counters>);

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let counters = self.0.upgrade();
        Box::pin(async move {
            let Some(counters) = counters else { return Fired::Failed };
            counters.reset(&due.scope).await.unwrap_or(Fired::Failed)
        })
    }
}

impl ScopeListener for Handler {
    fn control(&self, _: &ScopeId, _: &bytes::Bytes) {}

    fn refilled(&self, _: &ScopeId, _: Vec<LocalMember>, _: bool) {}

    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>> {
        let counters = self.0.upgrade();
        Box::pin(async move {
            let (Some(counters), Some(visitor)) = (counters, socket.data::<Visitor>()) else {
                return Err(NotRejoined::Refused);
            };
            if visitor.scope != scope {
                return Err(NotRejoined::Refused);
            }
            let joined = counters.join(visitor, &socket, true).await;
            let (hold, joined) = joined.map_err(|_| NotRejoined::Unavailable)?;
            Ok(Rejoined { hold, position: joined.position })
        })
    }

    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()> {
        let (counters, scope) = (self.0.upgrade(), scope.clone());
        Box::pin(async move {
            if let Some(counters) = counters {
                counters.presence.reaped(&scope, due_in).await;
            }
        })
    }

    fn lost_timer(&self, _: &ScopeId) -> Option<LostTimer> {
        Some(self.0.upgrade()?.presence.lost_timer())
    }

    fn node_died(&self) {}
}
