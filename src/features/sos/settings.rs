//! What an operator sets for incidents (contract § 3).

use std::time::Duration;

use crate::settings::verifier::public_key;
use crate::settings::{Reader, Secret, VerifierSettings};

crate::settings_table! {
    "Incidents (SOS)" {
        JWT_SECRET = unset, "HS256 secret of the tokens of citizens, rescuers, dispatchers and admins";
        SOS_JWT_SECRET = unset, "Another name of JWT_SECRET";
        JWT_PUBLIC_KEY = unset, "RS256 or ES256 public key of these tokens, as PEM; \\n stands for a line break";
        SOS_JWT_PUBLIC_KEY = unset, "Another name of JWT_PUBLIC_KEY";
        SOS_JWKS_URL = unset, "Where the public keys of these tokens (RS256, ES256) are published";
        SOS_ISSUER = unset, "The `iss` that these tokens must carry";
        SOS_AUDIENCE = unset, "The `aud` that these tokens must carry";
        SOS_MS_URL = unset, "Base URL of the SOS service; without it no incident is looked up and none is reported back";
        SOS_ACK_SECONDS = "60", "An incident that nobody has acknowledged for so long is announced to the watchers";
        SOS_LOOKUP_SECONDS = "30", "How often a provisional incident with members is looked up again";
        SOS_SWEEP_SECONDS = "60", "How often each node looks over all incidents for what others have left undone";
        PRESENCE_OFFLINE_SECONDS = "5", "How long a lost connection may stay unannounced";
        PRESENCE_WINDOW_MS = "250", "Who comes to an incident and goes is announced at most once in so long, all changes together";
        TOKEN_GRACE_SECONDS = "43200", "How long a citizen or rescuer keeps its incident after its token expired; 0 turns it off";
        DEVICES_PER_USER = "8", "Devices of one user whose clocks an incident tells apart; the one silent longest is forgotten first";
    }
}

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    pub identity: VerifierSettings,
    /// Base URL of the SOS service, without a final slash. There is an `internal_token` then.
    pub service_url: Option<Box<str>>,
    /// After so long without acknowledgement an incident is announced as unacknowledged.
    pub ack_after: Duration,
    /// A provisional incident is looked up again so often.
    pub lookup_every: Duration,
    pub sweep_every: Duration,
    /// After so long a lost connection is announced as offline.
    pub offline_after: Duration,
    /// The presence of one incident is announced at most once in so long.
    pub presence_window: Duration,
    /// How long an expired token still opens its own incident; zero: not at all.
    pub token_grace: Duration,
    /// Devices of a user whose clocks an incident tells apart.
    pub devices: u32,
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        Self {
            identity: identity(read),
            service_url: read.http_base(SOS_MS_URL),
            ack_after: read.seconds(SOS_ACK_SECONDS, 1..=86_400),
            lookup_every: read.seconds(SOS_LOOKUP_SECONDS, 1..=86_400),
            sweep_every: read.seconds(SOS_SWEEP_SECONDS, 1..=86_400),
            offline_after: read.seconds(PRESENCE_OFFLINE_SECONDS, 0..=3600),
            presence_window: read.milliseconds(PRESENCE_WINDOW_MS, 0..=60_000),
            token_grace: read.seconds(TOKEN_GRACE_SECONDS, 0..=31_536_000),
            devices: read.integer(DEVICES_PER_USER, 1..=64),
        }
    }
}

/// Secret and public key have two names each.
fn identity(read: &mut Reader<'_>) -> VerifierSettings {
    let secret = read.either(JWT_SECRET, SOS_JWT_SECRET).map(|(variable, secret)| (variable, Secret::new(secret)));
    if let Some((variable, secret)) = &secret {
        read.judge_secret(variable, Some(secret));
    }
    VerifierSettings {
        secret: secret.map(|(_, secret)| secret),
        public_key: read.either(JWT_PUBLIC_KEY, SOS_JWT_PUBLIC_KEY).map(|(variable, pem)| public_key(read, variable, pem)),
        jwks_url: read.http_url(SOS_JWKS_URL),
        issuer: read.optional(SOS_ISSUER),
        audience: read.optional(SOS_AUDIENCE),
    }
}
