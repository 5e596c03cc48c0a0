//! `convoke token`: a token for trying things out. It is signed like a real one, so it works wherever JWT_SECRET is the hub's.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::Args;

use crate::auth::{self, Claims, Role};
use crate::ids;
use crate::settings::{Settings, duration};

#[derive(Debug, Args)]
pub(super) struct Wish {
    /// citizen, rescuer, dispatcher or admin
    #[arg(long, value_parser = |text: &str| text.parse::<Role>().map_err(|()| "not a role"))]
    role: Role,
    /// The user that the token speaks for
    #[arg(long, value_parser = |text: &str| ids::is_user_id(text).then(|| text.to_owned()).ok_or("not 1–128 characters"))]
    user: String,
    /// An incident that it opens; the first is joined on connect
    #[arg(long, value_parser = |text: &str| ids::is_scope_id(text).then(|| text.to_owned()).ok_or("not 1–128 of A–Z, a–z, 0–9, _, . and -"))]
    sos: Vec<String>,
    /// How long it lasts: 12h, 30m, 90s
    #[arg(long, default_value = "12h", value_parser = |text: &str| duration(text).ok_or("not a duration"))]
    ttl: Duration,
}

pub(super) fn print(wish: &Wish, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    let claims = wish.claims(now);
    let token =
        auth::mint(&settings.sos.identity, &claims, now).context("a token is signed with JWT_SECRET, which is not set")?;
    println!("{token}");
    Ok(ExitCode::SUCCESS)
}

impl Wish {
    fn claims(&self, now_seconds: u64) -> Claims {
        let mut sos_ids: Vec<Box<str>> = Vec::new();
        for id in &self.sos {
            if !sos_ids.iter().any(|known| **known == **id) {
                sos_ids.push(id.as_str().into());
            }
        }
        Claims {
            user_id: self.user.as_str().into(),
            role: self.role,
            sos_id: sos_ids.first().cloned(),
            sos_ids,
            expires_at: Some(now_seconds.saturating_add(self.ttl.as_secs())),
        }
    }
}
