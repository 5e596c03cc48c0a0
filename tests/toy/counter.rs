//! A shared counter: those who look at it hear each click, who comes and who goes. It is a feature as others are, written against
//! what the crate gives to everybody.

use std::sync::{Arc, Weak};
use std::time::Duration;

use convoke::cluster::scripts::scope::{Durability, LostTimer, Member, scope_join, scope_leave, scope_publish};
use convoke::cluster::scripts::{Op, Retention};
use convoke::cluster::{Audience, Except, LocalMember, Message, NotRejoined, Rejoined, ScopeListener, Scopes};
use convoke::core::{Kind, ScopeId};
use convoke::engineio::CloseReason;
use convoke::feature::{Configured, Feature, Parts, World};
use convoke::http::router::{Answer, Call};
use convoke::http::{HttpError, Shape, json};
use convoke::protocol::event::Args;
use convoke::redis::RedisError;
use convoke::rooms::timers::{Due, Fired, OnDue, Timers};
use convoke::settings::table::Group;
use convoke::settings::{Reader, Settings};
use convoke::socketio::{
    Arrival, BoxFuture, Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Identity, Namespace, Reply,
    Socket,
};
use convoke::telemetry::metrics::{Metric, recorder};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::script::{Change, Changed, counter_change};

const COUNTER: Kind = Kind::of("counter");
/// The durable timers: a counter is reset, and a visitor whose link broke has not come back.
const RESET: &str = "reset";
const GONE: &str = "gone";

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
        let window = world.settings.transport.recovery_window.as_millis() as u64;
        let counters = Arc::new(Counters {
            configuration: self.clone(),
            scopes: world.node.scopes.clone(),
            timers: world.timers.clone(),
            retention: Retention { window_ms: window, log_ms: window + 60_000 },
        });
        let handler = Arc::new(Handler(Arc::downgrade(&counters)));
        world.node.scopes.register(COUNTER, handler.clone());
        world.timers.on(COUNTER, RESET, handler.clone());
        world.timers.on(COUNTER, GONE, handler);
        let (namespace, routed) = (counters.clone().namespace(), counters);
        let routes = move |router: &mut convoke::http::router::Router| {
            router.route(Method::GET, "/counter/{id}", Shape::default(), move |call| routed.clone().show(call));
        };
        Ok(Parts { namespaces: vec![namespace], routes: Box::new(routes), ..Parts::default() })
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
    configuration: Configuration,
    scopes: Arc<Scopes>,
    timers: Arc<Timers>,
    retention: Retention,
}

impl Counters {
    fn namespace(self: Arc<Self>) -> Namespace {
        let [on, clicked, reset, off] = [0; 4].map(|_| self.clone());
        Namespace::new("/counter")
            .on_connect(|request: ConnectRequest| async move {
                let Auth { counter, user } = request.auth()?;
                let scope = ScopeId::new(COUNTER, &counter).ok_or_else(|| ConnectError::message("no such counter"))?;
                Ok(Visitor { scope, user })
            })
            .identity(|visitor: &Visitor| Identity { user: visitor.user.clone(), role: "visitor".into(), expires: None })
            .on_move(
                |visitor: &Visitor| serde_json::to_value(visitor).unwrap_or_default(),
                |visitor| serde_json::from_value(visitor).ok(),
            )
            .on_connection(move |socket, arrival| on.clone().arrived(socket, arrival))
            .on("click", move |socket, _| clicked.clone().click(socket))
            .on("reset", move |socket, event| reset.clone().reset_later(socket, event))
            .on_disconnected(move |socket, reason| off.clone().gone(socket, reason))
    }

    async fn arrived(self: Arc<Self>, socket: Arc<Socket>, arrival: Arrival) {
        if arrival == Arrival::New && self.enter(&socket).await.is_err() {
            socket.session().close(CloseReason::TryAgain);
        }
    }

    async fn enter(&self, socket: &Arc<Socket>) -> Result<(), RedisError> {
        let Some(Visitor { scope, user }) = socket.data() else { return Ok(()) };
        let hold = self.scopes.hold(scope, socket, user, "visitor").await?;
        let joined = self.join(scope, socket, user).await?;
        hold.joined(&joined.position).await;
        let Changed { value, .. } = self.change(scope, Change::Look).await?;
        socket.emit("count", serde_json::json!({"value": value, "by": null}));
        hold.release(&joined.position);
        if joined.first { self.tell(scope, "joined", user).await } else { Ok(()) }
    }

    async fn join(
        &self,
        scope: &ScopeId,
        socket: &Socket,
        user: &str,
    ) -> Result<convoke::cluster::scripts::scope::ScopeJoined, RedisError> {
        let (op, node) = (self.scopes.next_op(), self.scopes.node());
        let member = Member { sid: socket.id(), user, role: "visitor", node: &node, session_epoch: socket.epoch() };
        scope_join(self.scopes.redis(), scope, self.op(&op), member).await
    }

    async fn click(self: Arc<Self>, socket: Arc<Socket>) -> Result<Reply, EventError> {
        let Visitor { scope, user } = visitor(&socket)?;
        let change = Change::Add { step: self.configuration.step, by: user };
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
        let node = self.scopes.node();
        let place = format!("{} {node} {} {user}", socket.id(), socket.epoch());
        self.scopes.leave(scope, &socket);
        // What fails here is what is left of a node that dies: a member without a socket.
        let _ = match reason {
            DisconnectReason::TakenOver => Ok(()),
            DisconnectReason::Client | DisconnectReason::Server => self.left(scope, &place).await,
            DisconnectReason::Transport(_) => self.timers.arm(scope, GONE, &place, self.configuration.grace).await,
        };
    }

    /// Ends a membership that nobody has taken over. `place`: sid, node, epoch and user.
    async fn left(&self, scope: &ScopeId, place: &str) -> Result<(), RedisError> {
        let mut words = place.splitn(4, ' ');
        let [sid, node, epoch, user] = [0; 4].map(|_| words.next().unwrap_or_default());
        let member = Member { sid, user, role: "visitor", node, session_epoch: epoch.parse().unwrap_or_default() };
        if scope_leave(self.scopes.redis(), scope, member).await? { self.tell(scope, "left", user).await } else { Ok(()) }
    }

    async fn tell(&self, scope: &ScopeId, event: &str, user: &str) -> Result<(), RedisError> {
        let Ok(args) = Args::of_event(event, user) else { return Ok(()) };
        let body = Message { audience: Audience::All, except: Except::Nobody, key: None, args }.body();
        let op = self.scopes.next_op();
        let told = scope_publish(self.scopes.redis(), scope, self.op(&op), "", Durability::Logged, body).await?;
        self.scopes.written(scope, Some(told.heard), told.listeners);
        Ok(())
    }

    async fn change(&self, scope: &ScopeId, change: Change<'_>) -> Result<Changed, RedisError> {
        let op = self.scopes.next_op();
        let changed = counter_change(self.scopes.redis(), scope, self.op(&op), change).await?;
        self.scopes.written(scope, changed.heard, changed.listeners);
        Ok(changed)
    }

    fn op<'a>(&self, id: &'a str) -> Op<'a> {
        let (retention, database) = (self.retention, self.scopes.redis().database());
        Op { id, client_message_id: "", retention, outbox: false, database }
    }

    async fn show(self: Arc<Self>, call: Call) -> Answer {
        let path = call.path.to_string();
        let scope = ScopeId::new(COUNTER, call.param("id")).ok_or(HttpError::NotFound { path })?;
        let mut changed = self.change(&scope, Change::Look).await.map_err(|_| HttpError::Unavailable)?;
        changed.here.sort();
        Ok(json(StatusCode::OK, serde_json::json!({"value": changed.value, "here": changed.here}).to_string()))
    }

    async fn fire(&self, due: &Due) -> Result<Fired, RedisError> {
        if due.timer == RESET {
            let changed = self.change(&due.scope, Change::Reset).await?;
            return Ok(changed.reset_in.map_or(Fired::Done, Fired::Again));
        }
        for place in &due.subjects {
            self.left(&due.scope, place).await?;
            self.timers.clear(&due.scope, GONE, place).await?;
        }
        Ok(Fired::Done)
    }
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
            counters.fire(&due).await.unwrap_or(Fired::Failed)
        })
    }
}

impl ScopeListener for Handler {
    fn control(&self, _: &ScopeId, _: &bytes::Bytes) {}

    fn refilled(&self, _: &ScopeId, _: Vec<LocalMember>, _: bool) {}

    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>> {
        let counters = self.0.upgrade();
        Box::pin(async move {
            let (Some(counters), Some(Visitor { user, .. })) = (counters, socket.data()) else {
                return Err(NotRejoined::Refused);
            };
            let away = |_| NotRejoined::Unavailable;
            let hold = counters.scopes.hold(&scope, &socket, user, "visitor").await.map_err(away)?;
            let joined = counters.join(&scope, &socket, user).await.map_err(away)?;
            Ok(Rejoined { hold, position: joined.position })
        })
    }

    fn reaped(&self, _: &ScopeId, _: Option<Duration>) -> BoxFuture<()> {
        Box::pin(async {})
    }

    fn lost_timer(&self, _: &ScopeId) -> Option<LostTimer> {
        None
    }

    fn bereaved(&self) {}
}
