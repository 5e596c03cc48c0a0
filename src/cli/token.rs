//! `convoke token`: a token for trying things out. It is signed like a real one, so it works wherever the surface's secret is
//! the hub's.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, ValueEnum};
use uuid::Uuid;

use super::Cli;
use crate::auth::{self, Claims, Recruiter, RecruiterRole, Role};
use crate::core::ids;
use crate::settings::{Settings, duration};

/// Whose tokens.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Surface {
    /// Incidents
    Sos,
    /// Interviews: recruiters and those beside them
    Interviews,
    /// Interview sessions: those who hold them
    Sessions,
}

#[derive(Debug, Args)]
pub(super) struct Wish {
    /// What it opens
    #[arg(long, value_enum, default_value = "sos")]
    surface: Surface,
    /// citizen, rescuer, dispatcher or admin; of interviews: recruiter, interviewer, observer or admin
    #[arg(long)]
    role: Option<String>,
    /// The user that the token speaks for; of sessions: a UUID
    #[arg(long, value_parser = |text: &str| ids::is_user_id(text).then(|| text.to_owned()).ok_or("not 1–128 characters"))]
    user: String,
    /// An incident that it opens; the first is joined on connect
    #[arg(long, value_parser = |text: &str| ids::is_scope_id(text).then(|| text.to_owned()).ok_or("not 1–128 of A–Z, a–z, 0–9, _, . and -, or it is . or .."))]
    sos: Vec<String>,
    /// The organization whose interviews are in sight
    #[arg(long, value_parser = |text: &str| ids::is_user_id(text).then(|| text.to_owned()).ok_or("not 1–128 characters"))]
    org: Option<String>,
    /// The e-mail address of a user of sessions
    #[arg(long)]
    email: Option<String>,
    /// How long it lasts: 12h, 30m, 90s
    #[arg(long, default_value = "12h", value_parser = |text: &str| duration(text).ok_or("not a duration"))]
    ttl: Duration,
}

pub(super) fn print(wish: &Wish, settings: &Settings) -> anyhow::Result<ExitCode> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    let expires_at = now.saturating_add(wish.ttl.as_secs());
    let (token, secret) = match wish.surface {
        Surface::Sos => (auth::mint(&settings.sos.identity, &wish.claims(expires_at), now), "JWT_SECRET"),
        Surface::Interviews => {
            (auth::mint_recruiter(&settings.interviews.identity, &wish.recruiter(expires_at), now), "INTERVIEW_JWT_SECRET")
        }
        Surface::Sessions => {
            let user = Uuid::parse_str(&wish.user).unwrap_or_else(|_| refuse("--user must be a UUID"));
            let email = wish.email.as_deref();
            (auth::mint_holder(&settings.sessions.identity, user, email, expires_at, now), "SESSIONS_JWT_SECRET")
        }
    };
    println!("{}", token.with_context(|| format!("a token is signed with {secret}, which is not set"))?);
    Ok(ExitCode::SUCCESS)
}

impl Wish {
    fn claims(&self, expires_at: u64) -> Claims {
        let mut sos_ids: Vec<Box<str>> = Vec::new();
        for id in &self.sos {
            if !sos_ids.iter().any(|known| **known == **id) {
                sos_ids.push(id.as_str().into());
            }
        }
        Claims {
            user_id: self.user.as_str().into(),
            role: self.role::<Role>(),
            sos_id: sos_ids.first().cloned(),
            sos_ids,
            expires_at: Some(expires_at),
        }
    }

    fn recruiter(&self, expires_at: u64) -> Recruiter {
        Recruiter {
            user_id: self.user.as_str().into(),
            role: self.role::<RecruiterRole>(),
            org_id: self.org.as_deref().map(Into::into),
            expires_at: Some(expires_at),
        }
    }

    fn role<R: FromStr>(&self) -> R {
        let role = self.role.as_deref().unwrap_or_else(|| refuse("--role is missing"));
        role.parse().unwrap_or_else(|_| refuse("--role is not one of this surface"))
    }
}

/// Words that make no sense together end the command as those do that make none alone: with exit code 2.
fn refuse(why: &str) -> ! {
    Cli::command().error(ErrorKind::ValueValidation, why).exit()
}
