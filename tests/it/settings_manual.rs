//! `docs/settings.md` is what the tables of settings say.

use std::fmt::Write as _;

use convoke::app;
use convoke::settings::table::Variable;

use crate::support::node::root;

const HEAD: &str = "# Settings

Every variable of the environment that the hub reads. An empty value counts as an unset one. A bad value stops the start with a list of all
that is wrong. With `NODE_ENV=development` the files `.env.development` and `.env` are read too, in this order; what the environment says
wins. `convoke serve --help` prints the same table, `convoke check` tries what is set.

Durations are Go's (`24h`, `500ms`), or a bare number of seconds. A feature whose settings are missing is off and says so once at the
start; its routes answer 501 and name the setting.
";

/// In what a value is counted, by the end of its name.
fn unit(variable: &Variable) -> &'static str {
    let name = variable.name;
    let is = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if is(&["_TTL", "_INTERVAL"]) {
        "duration"
    } else if is(&["_MS"]) {
        "milliseconds"
    } else if is(&["BYTES_PER_SECOND"]) {
        "bytes a second"
    } else if is(&["_PER_SECOND", "_PER_SECOND_PER_ADDRESS", "_PER_SECOND_PER_USER"]) {
        "a second"
    } else if is(&["_PER_MINUTE"]) {
        "a minute"
    } else if is(&["_SECONDS"]) {
        "seconds"
    } else if is(&["_MINUTES"]) {
        "minutes"
    } else if is(&["_BYTES", "BODY_LIMIT", "MAX_PAYLOAD"]) {
        "bytes"
    } else if matches!(variable.default, Some("true" | "false")) {
        "true or false"
    } else if variable.default.is_some_and(|default| default.parse::<f64>().is_ok()) && !is(&["PORT", "_DB"]) {
        "number"
    } else {
        ""
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn manual() -> String {
    let mut text = HEAD.to_owned();
    for group in app::tables() {
        let _ = write!(text, "\n## {}\n\n| name | default | unit | meaning |\n|---|---|---|---|\n", group.title);
        for variable in group.variables {
            let default = variable.default.map_or_else(|| "unset".to_owned(), |default| format!("`{}`", cell(default)));
            let _ = writeln!(text, "| `{}` | {default} | {} | {} |", variable.name, unit(variable), cell(variable.meaning));
        }
    }
    text
}

#[test]
fn the_manual_of_the_settings_is_what_their_tables_say() {
    let file = root().join("docs/settings.md");
    let made = manual();
    if std::env::var_os("WRITE_MANUAL").is_some() {
        std::fs::write(&file, &made).expect("it can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let at = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    let how = "write it anew: WRITE_MANUAL=1 cargo test --test it the_manual_of_the_settings";
    assert!(made == written, "docs/settings.md is not what the tables say ({at:?}); {how}");
}
