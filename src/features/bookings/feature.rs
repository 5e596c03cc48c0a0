//! Interview sessions as a feature of the hub: settings, checks, and what they give it.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Arg;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::holder::{self, HolderVerifier};
use super::settings::{self, Settings};
use super::store::write_limits;
use super::{Bookings, Parts as BookingParts, check, demo, metrics, routes};
use crate::feature::{Configured, Feature, Finding, NoToken, Parts, Running, Surface, TokenCommand, TokenWish, World, probe};
use crate::http::routes::health::Dependency;
use crate::livekit::RoomListener;
use crate::livekit::rooms::Watch;
use crate::settings::table::Group;
use crate::settings::{Reader, Settings as Base};
use crate::store::Schema;
use crate::telemetry::metrics::Metric;

/// The feature.
pub const BOOKINGS: &dyn Feature = &InterviewSessions;

struct InterviewSessions;

struct SetUp(Settings);

struct Jobs(Arc<Bookings>);

impl Feature for InterviewSessions {
    fn settings(&self) -> &'static [Group] {
        settings::GROUPS
    }

    fn metrics(&self) -> &'static [Metric] {
        metrics::METRICS
    }

    fn tokens(&self) -> Option<TokenCommand> {
        let email = Arg::new("email").long("email").help("The e-mail address of a user of sessions");
        let about = "Interview sessions: those who hold them; --user is a UUID";
        Some(TokenCommand { surface: "sessions", about, args: vec![email] })
    }

    fn read(&self, _: &Base, read: &mut Reader<'_>) -> Box<dyn Configured> {
        Box::new(SetUp(Settings::read(read)))
    }
}

impl Configured for SetUp {
    fn surface(&self) -> Option<Surface<'_>> {
        Some(Surface { name: "SESSIONS", identity: &self.0.identity })
    }

    fn notices(&self, base: &Base) -> Vec<String> {
        let notices = [
            (base.store.is_none(), "interview sessions are off: DATABASE_URL is not set"),
            (
                base.store.is_some() && base.livekit.is_none(),
                "no session starts and nobody gets a token for a room: LIVEKIT_WS_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET are not set",
            ),
            (
                base.store.is_some() && !self.0.identity.is_configured(),
                "interview sessions are off: none of SESSIONS_JWT_SECRET, SESSIONS_JWT_PUBLIC_KEY, SESSIONS_JWKS_URL is set",
            ),
        ];
        notices.into_iter().filter(|(holds, _)| *holds).map(|(_, notice)| notice.to_owned()).collect()
    }

    fn check<'a>(&'a self, base: &'a Base) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(check::findings(&self.0, base))
    }

    fn migrate<'a>(&'a self, schema: &'a Schema) -> BoxFuture<'a, anyhow::Result<Vec<String>>> {
        Box::pin(async move {
            let limits = self.0.rules.limits();
            Ok(check::written(write_limits(schema, limits).await?, limits))
        })
    }

    fn token(&self, wish: &TokenWish<'_>) -> Result<String, NoToken> {
        let user = Uuid::parse_str(wish.user).map_err(|_| NoToken::Words("--user must be a UUID"))?;
        let email = wish.more.get_one::<String>("email").map(String::as_str);
        holder::mint(&self.0.identity, user, email, wish.expires_at, wish.now)
            .context("a token is signed with SESSIONS_JWT_SECRET, which is not set")
            .map_err(NoToken::Key)
    }

    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let verifier = Arc::new(HolderVerifier::new(&self.0.identity).context("tokens cannot be verified")?);
        let Some(store) = world.store.clone() else { return Ok(self.switched_off(world)) };
        let (livekit, redis, rules) = (world.livekit.clone(), world.redis.clone(), self.0.rules.clone());
        let bookings = Bookings::new(BookingParts { store, livekit, redis, rules });
        let mut dependencies: Vec<_> = probe::published_keys("sessionsKeys", &self.0.identity)?.into_iter().collect();
        let agreed = bookings.clone();
        dependencies.push(Dependency { name: "sessionLimits", is_there: Box::new(move || agreed.limits_agree()) });
        let (settings, token) = (self.0.clone(), world.settings.internal_token.clone());
        let (limits, with_demo, routed) = (world.limits.clone(), world.settings.server.demo, bookings.clone());
        let watch = |livekit| Arc::new(Watch { livekit, owner: bookings.clone() }) as Arc<dyn RoomListener>;
        let listener = world.livekit.clone().map(watch);
        Ok(Parts {
            routes: Box::new(move |router| {
                if with_demo {
                    demo::route(router, &settings.identity, Some(&routed));
                }
                let (settings, internal_token) = (&settings, token.as_ref());
                let parts = routes::Parts { bookings: routed, verifier, limits, settings, internal_token };
                routes::routes(router, Some(parts));
            }),
            dependencies,
            livekit: listener,
            running: Arc::new(Jobs(bookings)),
            ..Parts::default()
        })
    }
}

impl SetUp {
    /// Without PostgreSQL all routes say that it is not configured.
    fn switched_off(&self, world: &World) -> Parts {
        let (with_demo, identity) = (world.settings.server.demo, self.0.identity.clone());
        Parts {
            routes: Box::new(move |router| {
                routes::routes(router, None);
                if with_demo {
                    demo::route(router, &identity, None);
                }
            }),
            ..Parts::default()
        }
    }
}

impl Running for Jobs {
    /// PostgreSQL may be down.
    fn start(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.start_jobs())
    }

    fn stop(&self, by: Instant) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = timeout_at(by, self.0.stop()).await;
        })
    }
}
