//! The command line: `convoke serve` (what it does without a word), `convoke check`, `convoke migrate`, `convoke token`.

mod check;
mod migrate;
mod serve;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::settings::{Settings, Source, table};

/// A realtime hub: Socket.IO through any load balancer, scaled out over Redis.
#[derive(Debug, Parser)]
#[command(name = "convoke", version, about, after_help = "All settings: convoke serve --help")]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a node of the hub (the default)
    #[command(after_help = table::help())]
    Serve,
    /// Says what is wrong with the settings, and whether Redis, PostgreSQL, LiveKit and the services answer
    Check,
    /// Brings the schema in PostgreSQL up to date, and makes the limits of the settings those of all nodes
    Migrate,
    /// Makes a development token, signed with the secret of its surface
    Token(token::Wish),
}

impl Cli {
    /// Does what was asked. 0: it went well; 1: it did not; 2: the settings or the words of the command are wrong.
    pub fn run(self) -> ExitCode {
        let source = Source::from_process();
        let (settings, command) = (Settings::from_source(&source), self.command.unwrap_or(Command::Serve));
        let settings = match settings {
            Ok(settings) => settings,
            Err(faults) => {
                match command {
                    Command::Serve => serve::refuse(&faults, &source),
                    _ => eprintln!("{faults}"),
                }
                return ExitCode::from(2);
            }
        };
        let outcome = match command {
            Command::Serve => serve::serve(settings),
            Command::Check => check::check(&settings),
            Command::Migrate => migrate::migrate(&settings),
            Command::Token(wish) => token::print(&wish, &settings),
        };
        outcome.unwrap_or_else(|error| {
            eprintln!("convoke: {error:#}");
            ExitCode::FAILURE
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_serve_lists_every_setting() {
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("serve").unwrap().render_help().to_string();
        for variable in table::GROUPS.iter().flat_map(|group| group.variables) {
            assert!(help.contains(variable.name), "{}", variable.name);
        }
    }

    #[test]
    fn without_a_word_it_serves() {
        assert!(Cli::try_parse_from(["convoke"]).unwrap().command.is_none());
        assert!(Cli::try_parse_from(["convoke", "server"]).is_err());
    }
}
