//! The command line: `convoke serve` (what it does without a word), `convoke check`, `convoke migrate`, `convoke token`.

mod check;
mod migrate;
mod serve;
mod token;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Command;

use crate::app::{self, Config};
use crate::settings::{Source, table};

/// The words that the program understands.
fn command() -> Command {
    Command::new("convoke")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A realtime hub: Socket.IO through any load balancer, scaled out over Redis.")
        .after_help("All settings: convoke serve --help")
        .subcommand(Command::new("serve").about("Runs a node of the hub (the default)").after_help(table::help(app::tables())))
        .subcommand(
            Command::new("check")
                .about("Says what is wrong with the settings, and whether Redis, PostgreSQL, LiveKit and the services answer"),
        )
        .subcommand(
            Command::new("migrate")
                .about("Brings the schema in PostgreSQL up to date, and makes the limits of the settings those of all nodes"),
        )
        .subcommand(token::command())
}

/// Does what was asked. 0: it went well; 1: it did not; 2: the settings or the words of the command are wrong.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = command().get_matches_from(words);
    let (name, words) = matches.subcommand().map_or(("serve", &matches), |(name, words)| (name, words));
    let source = Source::from_process(|name| app::variable(name).is_some());
    let config = match Config::read(&source) {
        Ok(config) => config,
        Err(faults) => {
            match name {
                "serve" => serve::refuse(&faults, &source),
                _ => eprintln!("{faults}"),
            }
            return ExitCode::from(2);
        }
    };
    let outcome = match name {
        "check" => check::check(&config),
        "migrate" => migrate::migrate(&config),
        "token" => token::print(words, &config),
        _ => serve::serve(config),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("convoke: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_help_of_serve_lists_every_setting() {
        let mut command = command();
        let help = command.find_subcommand_mut("serve").unwrap().render_help().to_string();
        for variable in app::tables().flat_map(|group| group.variables) {
            assert!(help.contains(variable.name), "{}", variable.name);
        }
    }

    #[test]
    fn without_a_word_it_serves() {
        assert!(command().try_get_matches_from(["convoke"]).unwrap().subcommand().is_none());
        assert!(command().try_get_matches_from(["convoke", "server"]).is_err());
    }
}
