//! Interviews as a feature of the hub: settings, checks, and what they give it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Arg;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conductor::postgres::InPostgres;
use super::conductor::redis::InRedis;
use super::conductor::{Conductor, Parts as ConductorParts};
use super::ending::Endings;
use super::gateway::{self, Gateway, Parts as GatewayParts};
use super::live::{Config, Live};
use super::providers::audio::media;
use super::providers::{Providers, check};
use super::recruiter::{self, Recruiter, RecruiterRole, RecruiterVerifier};
use super::revocation::Revocations;
use super::settings::{self, Settings};
use super::signalling::Signalling;
use super::signalling::rooms::Rooms;
use super::{Interviews, Parts as InterviewParts, channel, demo, metrics, routes};
use crate::asyncapi::Channel;
use crate::cluster::scripts::Retention;
use crate::core::ids;
use crate::feature::check::published_keys;
use crate::feature::{Configured, Feature, Finding, NoToken, Parts, Running, Surface, TokenCommand, TokenWish, World, probe};
use crate::livekit::RoomListener;
use crate::settings::table::Group;
use crate::settings::{Reader, Settings as Base};
use crate::telemetry::metrics::Metric;

/// The feature.
pub const INTERVIEWS: &dyn Feature = &OfCompanies;

/// How long workers may take to let go of their interviews.
const HAND_OVER: Duration = Duration::from_secs(5);

struct OfCompanies;

struct SetUp(Settings);

struct AtWork {
    gateway: Arc<Gateway>,
    conductor: Arc<Conductor>,
    signalling: Arc<Signalling>,
    revocations: Arc<Revocations>,
    stopping: CancellationToken,
}

impl Feature for OfCompanies {
    fn settings(&self) -> &'static [Group] {
        settings::GROUPS
    }

    fn metrics(&self) -> &'static [Metric] {
        metrics::METRICS
    }

    fn channels(&self) -> Vec<Channel> {
        vec![channel::channel()]
    }

    fn tokens(&self) -> Option<TokenCommand> {
        let org = Arg::new("org")
            .long("org")
            .help("The organization whose interviews are in sight")
            .value_parser(|text: &str| ids::is_user_id(text).then(|| text.to_owned()).ok_or("not 1–128 characters"));
        let about = "Interviews: recruiters and those beside them";
        Some(TokenCommand { surface: "interviews", about, args: vec![org] })
    }

    fn read(&self, _: &Base, read: &mut Reader<'_>) -> Box<dyn Configured> {
        Box::new(SetUp(Settings::read(read)))
    }
}

impl SetUp {
    fn config(&self, base: &Base) -> Config {
        let settings = &self.0;
        Config {
            retention: Retention::of(base),
            leave_grace: settings.leave_grace,
            heartbeat: settings.heartbeat,
            expire_every: settings.expire_every,
            invites_every: settings.invites_every,
            answer: settings.answer,
            proctoring: settings.proctoring,
            rooms: base.limits.rooms_per_socket,
            relay_bytes: base.limits.relay_bytes,
            call_sockets: settings.call_sockets,
            presence_window: settings.presence_window,
            ..Config::default()
        }
    }
}

impl Configured for SetUp {
    fn surface(&self) -> Option<Surface<'_>> {
        Some(Surface { name: "INTERVIEW", identity: &self.0.identity })
    }

    fn notices(&self, base: &Base) -> Vec<String> {
        let missing = self.0.vendors.missing();
        let mut notices: Vec<_> = [
            (base.store.is_none(), "interviews are off: DATABASE_URL is not set"),
            (
                base.store.is_some() && !self.0.identity.is_configured(),
                "recruiters are off: none of INTERVIEW_JWT_SECRET, INTERVIEW_JWT_PUBLIC_KEY, INTERVIEW_JWKS_URL is set",
            ),
            (
                self.0.open_signalling,
                "INTERVIEW_OPEN_SIGNALLING is true: anyone who knows an interview's id may join its call in any role",
            ),
        ]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, notice)| notice.to_owned())
        .collect();
        if base.store.is_some() && !missing.is_empty() {
            notices.push(format!("interviews go without {}: not set", missing.join(", ")));
        }
        notices
    }

    fn check<'a>(&'a self, base: &'a Base) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            if base.store.is_none() {
                return Vec::new();
            }
            let mut findings = check::findings(&self.0.vendors, base).await;
            findings.extend(published_keys("INTERVIEW_JWKS_URL", &self.0.identity).await);
            findings
        })
    }

    fn token(&self, wish: &TokenWish<'_>) -> Result<String, NoToken> {
        let role = wish.role.ok_or(NoToken::Words("--role is missing"))?;
        let role: RecruiterRole = role.parse().map_err(|_| NoToken::Words("--role is not one of this surface"))?;
        let recruiter = Recruiter {
            user_id: wish.user.into(),
            role,
            org_id: wish.more.get_one::<String>("org").map(|org| org.as_str().into()),
            expires_at: Some(wish.expires_at),
        };
        recruiter::mint(&self.0.identity, &recruiter, wish.now)
            .context("a token is signed with INTERVIEW_JWT_SECRET, which is not set")
            .map_err(NoToken::Key)
    }

    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let recruiters = Arc::new(RecruiterVerifier::new(&self.0.identity).context("tokens cannot be verified")?);
        let Some(store) = world.store.clone() else {
            let demo = world.settings.server.demo.then(|| self.0.identity.clone());
            return Ok(Parts {
                namespaces: vec![gateway::not_configured("DATABASE_URL")],
                routes: Box::new(move |router| {
                    routes::routes(router, None);
                    media::route(router, None);
                    if let Some(identity) = demo {
                        demo::route(router, &identity, None);
                    }
                }),
                ..Parts::default()
            });
        };
        let interviews = Interviews::new(InterviewParts {
            store,
            livekit: world.livekit.clone(),
            recruiters,
            open_signalling: self.0.open_signalling,
        });
        let secret = world.settings.cluster.secret.as_ref().or(world.settings.internal_token.as_ref());
        let providers = Providers::new(&self.0.vendors, &world.redis, secret)?;
        let links = providers.links.clone();
        let rooms = (world.node.scopes.clone(), world.timers.clone());
        let live = Live::new(interviews.clone(), rooms, providers.audio.clone(), self.config(&world.settings));
        let signalling = Signalling::new(live.clone());
        let endings = Endings::new(live.clone(), signalling.clone());
        let conductor = Conductor::new(ConductorParts {
            state: Arc::new(InRedis { live: live.clone(), endings: endings.clone() }),
            records: Arc::new(InPostgres(interviews.store.clone())),
            providers,
        });
        conductor.handle_timer(&live);
        let watch = |livekit| Arc::new(Rooms::new(livekit, signalling.clone())) as Arc<dyn RoomListener>;
        let listener = world.livekit.clone().map(watch);
        let revocations = Revocations::new(live.clone(), signalling.clone(), world.node.registry.clone());
        revocations.answer(&world.node.peers);
        let gateway = Gateway::new(GatewayParts {
            live: live.clone(),
            signalling: signalling.clone(),
            conductor: conductor.clone(),
            endings: endings.clone(),
            revocations: revocations.clone(),
        });
        let dependencies = probe::published_keys("interviewKeys", &self.0.identity)?.into_iter().collect();
        let (limits, token) = (world.limits.clone(), world.settings.internal_token.clone());
        let requests_per_minute = self.0.requests_per_minute;
        let demo = world.settings.server.demo.then(|| self.0.identity.clone());
        let running = Arc::new(AtWork {
            gateway: gateway.clone(),
            conductor,
            signalling,
            revocations: revocations.clone(),
            stopping: CancellationToken::new(),
        });
        Ok(Parts {
            namespaces: vec![gateway.namespace()],
            running,
            routes: Box::new(move |router| {
                if let Some(identity) = demo {
                    demo::route(router, &identity, Some(&interviews));
                }
                let internal_token = token.as_ref();
                let parts = routes::Parts { live, endings, revocations, limits, requests_per_minute, internal_token };
                routes::routes(router, Some(parts));
                media::route(router, links);
            }),
            dependencies,
            livekit: listener,
        })
    }
}

impl Running for AtWork {
    fn start(&self) -> BoxFuture<'_, ()> {
        self.conductor.start_summaries();
        self.signalling.start_jobs(self.stopping.clone());
        self.gateway.start_jobs(self.stopping.clone());
        self.revocations.start_jobs(self.stopping.clone());
        Box::pin(async {})
    }

    fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.conductor.stop(Instant::now() + HAND_OVER))
    }

    fn unsettled(&self) -> usize {
        self.gateway.losses() + self.signalling.unsettled()
    }

    fn stop(&self, by: Instant) -> BoxFuture<'_, ()> {
        self.stopping.cancel();
        Box::pin(self.conductor.stop(by))
    }
}
