//! What an operator sets for interviews (contract § 4).

use std::time::Duration;

use crate::settings::{Identity, Reader};

crate::settings_table! {
    "Interviews" {
        INTERVIEW_JWT_SECRET = unset, "HS256 secret of the tokens of recruiters, interviewers, observers and admins";
        INTERVIEW_JWT_PUBLIC_KEY = unset, "RS256 or ES256 public key of these tokens, as PEM; \\n stands for a line break";
        INTERVIEW_JWKS_URL = unset, "Where the public keys of these tokens (RS256, ES256) are published";
        INTERVIEW_ISSUER = unset, "The `iss` that these tokens must carry";
        INTERVIEW_AUDIENCE = unset, "The `aud` that these tokens must carry";
        INTERVIEW_OPEN_SIGNALLING = "false", "Anyone may join the call of any interview, and take a token for it: for clients that have none";
        LEAVE_GRACE_MS = "5000", "How long a connection of an interview may be lost before its participant counts as gone";
        INTERVIEW_HEARTBEAT_SECONDS = "90", "A candidate that has once sent a heartbeat is gone after so long without one";
        RATE_LIMIT_INTERVIEWS_PER_MINUTE = "20", "Requests a minute of one caller to each route of interviews";
    }
}

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of recruiters, interviewers, observers and admins.
    pub identity: Identity,
    pub open_signalling: bool,
    /// A connection that was lost for so long is gone.
    pub leave_grace: Duration,
    /// So long may a candidate that sends heartbeats be silent.
    pub heartbeat: Duration,
    /// Requests of one caller to each route.
    pub requests_per_minute: u32,
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        let keys = [INTERVIEW_JWT_SECRET, INTERVIEW_JWT_PUBLIC_KEY, INTERVIEW_JWKS_URL, INTERVIEW_ISSUER, INTERVIEW_AUDIENCE];
        Self {
            identity: Identity::read(read, keys),
            open_signalling: read.flag(INTERVIEW_OPEN_SIGNALLING),
            leave_grace: read.milliseconds(LEAVE_GRACE_MS, 0..=600_000),
            heartbeat: read.seconds(INTERVIEW_HEARTBEAT_SECONDS, 1..=86_400),
            requests_per_minute: read.integer(RATE_LIMIT_INTERVIEWS_PER_MINUTE, 1..=1_000_000),
        }
    }
}
