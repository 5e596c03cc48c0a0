//! Wires what stands on PostgreSQL and LiveKit: interview sessions, from their settings to their routes, jobs and readiness.
//! Each part is off on its own when its settings are missing; its routes say so.

use std::sync::Arc;
use std::time::Duration;

use super::{ServeError, probe};
use crate::auth::{RecruiterVerifier, SessionsVerifier};
use crate::features::bookings::{self, Bookings};
use crate::features::interviews::{self, Interviews};
use crate::http::guards::RateLimits;
use crate::http::router::Router;
use crate::http::routes;
use crate::http::routes::health::Dependency;
use crate::livekit::{LiveKit, RoomListener};
use crate::redis::Redis;
use crate::settings::Settings;
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(10);

/// What was made of the settings.
pub struct Booking {
    store: Option<Store>,
    livekit: Option<LiveKit>,
    verifier: Arc<SessionsVerifier>,
    /// Where there is a store.
    sessions: Option<Arc<Bookings>>,
    recruiters: Arc<RecruiterVerifier>,
    /// Where there is a store.
    interviews: Option<Arc<Interviews>>,
    limits: RateLimits,
}

impl Booking {
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub fn new(settings: &Settings, redis: &Redis) -> Result<Self, ServeError> {
        let store = settings.store.as_ref().map(Store::new).transpose()?;
        let livekit = settings.livekit.as_ref().map(LiveKit::new).transpose()?;
        let sessions = store.clone().map(|store| {
            let (livekit, rules) = (livekit.clone(), settings.sessions.rules.clone());
            Bookings::new(bookings::Parts { store, livekit, redis: redis.clone(), rules })
        });
        let verifier = Arc::new(SessionsVerifier::from_settings(settings)?);
        let recruiters = Arc::new(RecruiterVerifier::from_settings(settings)?);
        let interviews = store.clone().map(|store| {
            let (livekit, recruiters) = (livekit.clone(), recruiters.clone());
            let open_signalling = settings.interviews.open_signalling;
            Interviews::new(interviews::Parts { store, livekit, recruiters, open_signalling })
        });
        let limits = RateLimits::new(redis.clone());
        Ok(Self { store, livekit, verifier, sessions, recruiters, interviews, limits })
    }

    /// Interview sessions, where there is a store.
    pub fn sessions(&self) -> Option<&Arc<Bookings>> {
        self.sessions.as_ref()
    }

    /// Starts the jobs. PostgreSQL may be down.
    pub async fn start(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.start_jobs().await;
        }
    }

    /// Adds all routes, also of what is off.
    pub fn routes(&self, router: &mut Router, settings: &Settings) {
        let parts = self.sessions.clone().map(|sessions| bookings::routes::Parts {
            bookings: sessions,
            verifier: self.verifier.clone(),
            limits: self.limits.clone(),
            settings: &settings.sessions,
            internal_token: settings.sos.internal_token.as_ref(),
        });
        bookings::routes::routes(router, parts);
        let listener = |sessions: &Arc<Bookings>| -> Arc<dyn RoomListener> { sessions.clone() };
        routes::livekit::routes(router, self.livekit.as_ref(), self.sessions.iter().map(listener).collect());
        let parts = self.interviews.clone().map(|interviews| interviews::routes::Parts {
            interviews,
            limits: self.limits.clone(),
            requests_per_minute: settings.interviews.requests_per_minute,
            internal_token: settings.sos.internal_token.as_ref(),
        });
        interviews::routes::routes(router, parts);
    }

    /// What is named in `/ready` when it is away. Starts a task for each.
    pub fn dependencies(&self, settings: &Settings) -> Vec<Dependency> {
        let mut dependencies = Vec::new();
        if let Some(store) = self.store.clone() {
            dependencies.push(probe::watched("postgres", EVERY, move || {
                let store = store.clone();
                async move { store.ping().await.map_err(probe::why) }
            }));
        }
        if let Some(livekit) = self.livekit.clone() {
            dependencies.push(probe::watched("livekit", EVERY, move || {
                let livekit = livekit.clone();
                async move { livekit.ping().await.map_err(probe::why) }
            }));
        }
        if let Some(sessions) = self.sessions.clone() {
            if settings.sessions.identity.jwks_url.is_some() {
                let verifier = self.verifier.clone();
                dependencies.push(probe::published_keys("sessionsKeys", move || {
                    let verifier = verifier.clone();
                    async move { probe::fetched(verifier.fetch_published_keys().await) }
                }));
            }
            if settings.interviews.identity.jwks_url.is_some() {
                let verifier = self.recruiters.clone();
                dependencies.push(probe::published_keys("interviewKeys", move || {
                    let verifier = verifier.clone();
                    async move { probe::fetched(verifier.fetch_published_keys().await) }
                }));
            }
            dependencies.push(Dependency { name: "sessionLimits", is_there: Box::new(move || sessions.limits_agree()) });
        }
        dependencies
    }

    /// Lets what is under way come to its end, for a bounded time.
    pub async fn stop(&self) {
        if let Some(sessions) = &self.sessions {
            sessions.stop().await;
        }
    }
}
