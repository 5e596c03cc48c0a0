//! Realtime sessions as a feature of the hub: settings, checks, and what they give it.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::auth::{UserVerifier, mint};
use super::names::Names;
use super::settings::{self, Auth, Settings};
use super::{Realtime, metrics, routes};
use crate::feature::check::published_keys;
use crate::feature::{Configured, Feature, Finding, NoToken, Parts, Running, Surface, TokenCommand, TokenWish, World, probe};
use crate::livekit::RoomListener;
use crate::settings::table::{self, Group};
use crate::settings::{Reader, Settings as Base};
use crate::telemetry::metrics::Metric;

/// The feature.
pub const REALTIME: &dyn Feature = &RealtimeSessions;

struct RealtimeSessions;

struct SetUp(Settings);

struct Polling(Arc<Realtime>);

impl Feature for RealtimeSessions {
    fn settings(&self) -> &'static [Group] {
        settings::GROUPS
    }

    fn metrics(&self) -> &'static [Metric] {
        metrics::METRICS
    }

    fn tokens(&self) -> Option<TokenCommand> {
        Some(TokenCommand { surface: "realtime", about: "Realtime sessions: their users", args: Vec::new() })
    }

    fn read(&self, _: &Base, read: &mut Reader<'_>) -> Box<dyn Configured> {
        Box::new(SetUp(Settings::read(read)))
    }
}

impl SetUp {
    /// The setting without which the feature is off, if so.
    fn missing(&self, base: &Base) -> Option<&'static str> {
        if base.livekit.is_none() {
            return Some(table::LIVEKIT_WS_URL.name);
        }
        matches!(self.0.auth, Auth::Unset).then_some(settings::JWKS_URL.name)
    }
}

impl Configured for SetUp {
    fn surface(&self) -> Option<Surface<'_>> {
        self.0.identity().map(|identity| Surface { name: "REALTIME", identity })
    }

    fn notices(&self, base: &Base) -> Vec<String> {
        let off = match self.missing(base) {
            Some(name) if name == settings::JWKS_URL.name => {
                Some("realtime sessions are off: JWKS_URL, ISSUER, AUDIENCE are not set, nor is AUTH_ENABLED false".to_owned())
            }
            Some(_) => {
                Some("realtime sessions are off: LIVEKIT_WS_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET are not set".to_owned())
            }
            None => None,
        };
        let is_open = off.is_none() && matches!(self.0.auth, Auth::Off);
        let open = "realtime sessions are open to everybody, who all are one user: AUTH_ENABLED is false";
        off.into_iter().chain(is_open.then(|| open.to_owned())).collect()
    }

    /// LiveKit itself is checked by the hub.
    fn check<'a>(&'a self, _: &'a Base) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            match self.0.identity() {
                Some(identity) => published_keys(settings::JWKS_URL.name, identity).await.into_iter().collect(),
                None => Vec::new(),
            }
        })
    }

    fn token(&self, wish: &TokenWish<'_>) -> Result<String, NoToken> {
        let identity = self.0.identity().ok_or(NoToken::Words("no token is asked for while AUTH_ENABLED is false"))?;
        mint(identity, wish.user, wish.expires_at, wish.now)
            .context("a token is signed with REALTIME_JWT_SECRET, which is not set")
            .map_err(NoToken::Key)
    }

    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let settings = self.0.clone();
        let verifier = UserVerifier::new(&settings).context("tokens cannot be verified")?;
        let (Some(livekit), Some(verifier)) = (world.livekit.clone(), verifier) else {
            let missing = self.missing(&world.settings).unwrap_or(settings::JWKS_URL.name);
            let routes = move |router: &mut _| routes::routes(router, &settings, Err(missing));
            return Ok(Parts { routes: Box::new(routes), ..Parts::default() });
        };
        let dependencies = match settings.identity() {
            Some(identity) => probe::published_keys("realtimeKeys", identity)?.into_iter().collect(),
            None => Vec::new(),
        };
        let names = Names::new(&world.settings, &settings);
        let (redis, node) = (world.redis.clone(), (&*world.node.scopes.node()).into());
        let realtime = Realtime::new(super::Parts { redis, livekit, settings: settings.clone(), names, node });
        let (routed, limits) = (realtime.clone(), world.limits.clone());
        let routes = move |router: &mut _| {
            routes::routes(router, &settings, Ok(routes::Parts { realtime: routed, verifier, limits }));
        };
        Ok(Parts {
            routes: Box::new(routes),
            dependencies,
            livekit: Some(realtime.clone() as Arc<dyn RoomListener>),
            running: Arc::new(Polling(realtime)),
            ..Parts::default()
        })
    }
}

impl Running for Polling {
    /// LiveKit and Redis may be down.
    fn start(&self) -> BoxFuture<'_, ()> {
        self.0.start();
        Box::pin(async {})
    }

    fn stop(&self, by: Instant) -> BoxFuture<'_, ()> {
        Box::pin(self.0.stop(by))
    }
}
