//! `convoke token`: a token for trying things out. It is signed like a real one, so it works wherever the surface's secret is
//! the hub's. Which surfaces there are, the features say.

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

use crate::app::{Config, FEATURES};
use crate::core::{clock, ids};
use crate::feature::{NoToken, TokenWish};
use crate::settings::duration;

/// The words of the command: those of every surface, and what the surfaces add.
pub(super) fn command() -> Command {
    let surfaces: Vec<_> = FEATURES.iter().filter_map(|feature| feature.tokens()).collect();
    let names: Vec<_> = surfaces.iter().map(|tokens| PossibleValue::new(tokens.surface).help(tokens.about)).collect();
    let first = surfaces.first().map_or("", |tokens| tokens.surface);
    Command::new("token")
        .about("Makes a development token, signed with the secret of its surface")
        .arg(Arg::new("surface").long("surface").value_parser(names).default_value(first).help("What it opens"))
        .arg(Arg::new("role").long("role").help("One of the surface's roles"))
        .arg(
            Arg::new("user")
                .long("user")
                .required(true)
                .help("The user that the token speaks for")
                .value_parser(|text: &str| ids::is_user_id(text).then(|| text.to_owned()).ok_or("not 1–128 characters")),
        )
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .default_value("12h")
                .help("How long it lasts: 12h, 30m, 90s")
                .value_parser(|text: &str| duration(text).ok_or("not a duration")),
        )
        .args(surfaces.into_iter().flat_map(|tokens| tokens.args))
}

pub(super) fn print(words: &ArgMatches, config: &Config) -> anyhow::Result<ExitCode> {
    let now = clock::now_seconds();
    let text = |name: &str| words.get_one::<String>(name).map(String::as_str);
    let ttl = words.get_one::<Duration>("ttl").copied().unwrap_or_default();
    let wish = TokenWish {
        role: text("role"),
        user: text("user").unwrap_or_default(),
        more: words,
        now,
        expires_at: now.saturating_add(ttl.as_secs()),
    };
    let surface = text("surface");
    let is_meant = |feature: &&dyn crate::feature::Feature| feature.tokens().map(|tokens| tokens.surface) == surface;
    let made = match FEATURES.iter().position(is_meant).and_then(|at| config.features.get(at)) {
        Some(feature) => feature.token(&wish),
        None => Err(NoToken::Words("there is no such surface")),
    };
    match made {
        Ok(token) => println!("{token}"),
        // Words that make no sense together end the command as those do that make none alone: with exit code 2.
        Err(NoToken::Words(why)) => super::command().error(ErrorKind::ValueValidation, why).exit(),
        Err(NoToken::Key(error)) => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}
