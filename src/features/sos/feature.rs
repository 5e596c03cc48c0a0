//! Incidents as a feature of the hub: settings, checks, and what they give it.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Arg;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::hand_over::{self, Others};
use super::ports::Ports;
use super::service_client::SosService;
use super::settings::{self, Settings};
use super::{Config, Parts as SosParts, Sos, channel, demo, metrics, routes};
use crate::asyncapi::Channel;
use crate::cluster::scripts::Retention;
use crate::core::ids;
use crate::feature::check::published_keys;
use crate::feature::{Configured, Feature, Finding, NoToken, Parts, Running, Surface, TokenCommand, TokenWish, World, probe};
use crate::features::sos::auth::{self, Claims, Role, SosVerifier};
use crate::settings::table::Group;
use crate::settings::{Reader, Secret, Settings as Base, table};
use crate::telemetry::metrics::Metric;

/// The feature.
pub const SOS: &dyn Feature = &Incidents;

struct Incidents;

struct Set(Settings);

struct AtWork {
    sos: Arc<Sos>,
    others: Others,
}

impl Feature for Incidents {
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
        let sos = Arg::new("sos")
            .long("sos")
            .action(clap::ArgAction::Append)
            .help("An incident that it opens; the first is joined on connect")
            .value_parser(|text: &str| {
                let bad = "not 1–128 of A–Z, a–z, 0–9, _, . and -, or it is . or ..";
                ids::is_scope_id(text).then(|| text.to_owned()).ok_or(bad)
            });
        Some(TokenCommand { surface: "sos", about: "Incidents", args: vec![sos] })
    }

    fn read(&self, base: &Base, read: &mut Reader<'_>) -> Box<dyn Configured> {
        let settings = Settings::read(read);
        if base.server.demo && settings.identity.secret.is_none() {
            read.fault(table::DEMO, "needs JWT_SECRET: the page hands out tokens signed with it");
        }
        if read.given(settings::SOS_MS_URL).is_some() && base.internal_token.is_none() {
            read.fault(settings::SOS_MS_URL, "needs INTERNAL_AUTH_TOKEN: every call to the SOS service carries it");
        }
        Box::new(Set(settings))
    }
}

impl Set {
    /// `None`: no service is configured.
    fn service(&self, token: Option<&Secret>) -> anyhow::Result<Option<SosService>> {
        let (Some(base), Some(token)) = (&self.0.service_url, token) else { return Ok(None) };
        Ok(Some(SosService::new(base, token).context("the SOS service cannot be called")?))
    }

    fn verifier(&self) -> anyhow::Result<SosVerifier> {
        SosVerifier::new(&self.0.identity).context("tokens cannot be verified")
    }

    fn config(&self, base: &Base) -> Config {
        let settings = &self.0;
        Config {
            retention: Retention::of(base),
            ack_after: settings.ack_after,
            lookup_every: settings.lookup_every,
            sweep_every: settings.sweep_every,
            offline_after: settings.offline_after,
            presence_window: settings.presence_window,
            token_grace: settings.token_grace,
            devices: settings.devices,
            rooms: base.limits.rooms_per_socket,
            sockets: base.limits.sockets_per_user,
            relay_bytes: base.limits.relay_bytes,
            state_bytes: base.limits.state_bytes,
            ..Config::default()
        }
    }
}

impl Configured for Set {
    fn surface(&self) -> Option<Surface<'_>> {
        Some(Surface { name: "SOS", identity: &self.0.identity })
    }

    fn notices(&self, _: &Base) -> Vec<String> {
        let Settings { identity, service_url, .. } = &self.0;
        let notices = [
            (!identity.is_configured(), "incidents are off: none of JWT_SECRET, JWT_PUBLIC_KEY, SOS_JWKS_URL is set"),
            (service_url.is_none(), "incidents are neither looked up nor reported back: SOS_MS_URL is not set"),
            (identity.secret.as_ref().is_some_and(|secret| secret.expose().len() < 32), "JWT_SECRET is shorter than 32 bytes"),
        ];
        notices.into_iter().filter(|(holds, _)| *holds).map(|(_, notice)| notice.to_owned()).collect()
    }

    fn check<'a>(&'a self, base: &'a Base) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let mut findings = Vec::new();
            findings.extend(published_keys("SOS_JWKS_URL", &self.0.identity).await);
            if let Some(url) = self.0.service_url.as_deref() {
                match self.service(base.internal_token.as_ref()) {
                    Ok(None) => {}
                    Ok(Some(service)) => findings.push(match service.try_token().await {
                        Ok(()) => Finding::Good(format!("SOS service {url}")),
                        Err(error) => Finding::Bad(format!("SOS service {url}: {:#}", anyhow::Error::from(error))),
                    }),
                    Err(error) => findings.push(Finding::Bad(format!("{error:#}"))),
                }
            }
            findings
        })
    }

    fn token(&self, wish: &TokenWish<'_>) -> Result<String, NoToken> {
        let role = wish.role.ok_or(NoToken::Words("--role is missing"))?;
        let role: Role = role.parse().map_err(|()| NoToken::Words("--role is not one of this surface"))?;
        let mut sos_ids: Vec<Box<str>> = Vec::new();
        for id in wish.more.get_many::<String>("sos").into_iter().flatten() {
            if !sos_ids.iter().any(|known| **known == **id) {
                sos_ids.push(id.as_str().into());
            }
        }
        let claims = Claims {
            user_id: wish.user.into(),
            role,
            sos_id: sos_ids.first().cloned(),
            sos_ids,
            expires_at: Some(wish.expires_at),
        };
        auth::mint(&self.0.identity, &claims, wish.now)
            .context("a token is signed with JWT_SECRET, which is not set")
            .map_err(NoToken::Key)
    }

    fn build(&self, world: &World) -> anyhow::Result<Parts> {
        let (verifier, service) = (Arc::new(self.verifier()?), self.service(world.settings.internal_token.as_ref())?);
        let sos = Sos::new(SosParts {
            scopes: world.node.scopes.clone(),
            timers: world.timers.clone(),
            config: self.config(&world.settings),
            ports: Ports { verifier: verifier.clone(), service: Arc::new(service.clone()) },
        });
        hand_over::wire(&world.node.peers, &sos);
        let mut dependencies = Vec::new();
        if let Some(service) = service {
            dependencies.push(probe::watched("sosService", probe::EVERY, service, |service| async move {
                service.reach().await.map_err(probe::why)
            }));
        }
        dependencies.extend(probe::published_keys("publishedKeys", &self.0.identity)?);
        let (token, identity) = (world.settings.internal_token.clone(), self.0.identity.clone());
        let (routed, with_demo) = (sos.clone(), world.settings.server.demo);
        let others = Others { peers: world.node.peers.clone(), registry: world.node.registry.clone() };
        Ok(Parts {
            namespaces: vec![sos.namespace()],
            routes: Box::new(move |router| {
                routes::routes(router, &routed, token.as_ref());
                if with_demo {
                    demo::routes(router, &routed, identity);
                }
            }),
            dependencies,
            running: Arc::new(AtWork { sos, others }),
            ..Parts::default()
        })
    }
}

impl Running for AtWork {
    fn start(&self) -> BoxFuture<'_, ()> {
        self.sos.start();
        Box::pin(async {})
    }

    fn unsettled(&self) -> usize {
        self.sos.losses()
    }

    fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(hand_over::hand_over(&self.sos, &self.others))
    }

    fn stop(&self, _: Instant) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
