//! Reads one variable after the other and remembers what was wrong with each instead of stopping at the first.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::table::Variable;
use super::{Faults, Secret, Source};

/// One thing that is wrong with the configuration. It never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable, or the file that could not be read.
    pub name: Box<str>,
    /// Reads on from the name: `must be …, not "…"`.
    pub message: String,
}

impl Fault {
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.message)
    }
}

/// Reads variables and collects faults. A secret of ours that can be guessed is noted as well.
pub struct Reader<'a> {
    source: &'a Source,
    faults: Vec<Fault>,
    short_secrets: Vec<&'static Variable>,
}

/// Characters of a secret of ours: a shorter one can be guessed.
pub const LEAST_SECRET: usize = 16;

impl<'a> Reader<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self { source, faults: source.faults().to_vec(), short_secrets: Vec::new() }
    }

    pub fn fault(&mut self, variable: &Variable, message: impl Into<String>) {
        self.faults.push(Fault::new(variable.name, message));
    }

    /// The value as it was given; `None` if it was not, whatever the default.
    pub fn given(&self, variable: &Variable) -> Option<&'a str> {
        self.source.get(variable.name).map(str::trim)
    }

    /// The value or the default; empty if there is neither.
    pub fn text(&self, variable: &Variable) -> &'a str {
        self.given(variable).or(variable.default).unwrap_or_default()
    }

    pub fn secret(&self, variable: &Variable) -> Option<Secret> {
        // Not trimmed: a space may belong to a secret.
        self.source.get(variable.name).map(Secret::new)
    }

    /// A secret that the hub signs or is known with, so that it must not be short. Passwords of other systems are not ours to judge.
    pub fn own_secret(&mut self, variable: &'static Variable) -> Option<Secret> {
        let secret = self.secret(variable);
        self.judge_secret(variable, secret.as_ref());
        secret
    }

    /// Notes the variable if its secret is short.
    pub fn judge_secret(&mut self, variable: &'static Variable, secret: Option<&Secret>) {
        if secret.is_some_and(|secret| secret.expose().chars().count() < LEAST_SECRET) {
            self.short_secrets.push(variable);
        }
    }

    /// The variables of all short secrets that were read.
    pub fn short_secrets(&self) -> &[&'static Variable] {
        &self.short_secrets
    }

    /// Whether anything was wrong.
    ///
    /// # Errors
    /// All faults, in the order in which they were found.
    pub fn finish(self) -> Result<(), Faults> {
        if self.faults.is_empty() { Ok(()) } else { Err(Faults(self.faults)) }
    }

    pub fn optional(&self, variable: &Variable) -> Option<Box<str>> {
        self.given(variable).map(Into::into)
    }

    /// A value that `parse` understands; `expected` says in the fault what it should have been.
    pub fn parsed<T>(&mut self, variable: &Variable, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.given(variable).or(variable.default)?;
        let value = parse(text);
        if value.is_none() {
            self.fault(variable, format!("must be {expected}, not {}", shown(text)));
        }
        value
    }

    /// An integer in `range`. After a fault it gives the least one, which nobody will use.
    pub fn integer<T>(&mut self, variable: &Variable, range: RangeInclusive<T>) -> T
    where
        T: Copy + FromStr + PartialOrd + fmt::Display,
    {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        let value = self.parsed(variable, &expected, |text| text.parse().ok().filter(|value| range.contains(value)));
        value.unwrap_or(*range.start())
    }

    pub fn milliseconds(&mut self, variable: &Variable, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.integer(variable, range))
    }

    pub fn seconds(&mut self, variable: &Variable, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.integer(variable, range))
    }

    pub fn flag(&mut self, variable: &Variable) -> bool {
        let value = self.parsed(variable, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        });
        value.unwrap_or_default()
    }

    /// An `http(s)://` URL without a password in it, as it was given.
    pub fn http_url(&mut self, variable: &Variable) -> Option<Box<str>> {
        self.url(variable, ["http", "https"]).map(|url| url.as_str().into())
    }

    /// [`Reader::http_url`] of something to whose path ours are appended: without its final slash.
    pub fn http_base(&mut self, variable: &Variable) -> Option<Box<str>> {
        self.base(variable, ["http", "https"])
    }

    /// An address with one of two schemes, in lower case, to which a path may be appended.
    pub fn base(&mut self, variable: &Variable, schemes: [&str; 2]) -> Option<Box<str>> {
        let url = self.url(variable, schemes)?;
        if url.query().is_some() || url.fragment().is_some() {
            self.fault(variable, "must end with the path: nothing can follow a ? or a #");
            return None;
        }
        Some(url.as_str().trim_end_matches('/').into())
    }

    fn url(&mut self, variable: &Variable, schemes: [&str; 2]) -> Option<reqwest::Url> {
        match reqwest::Url::parse(self.given(variable)?) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                // Not shown: it holds a secret.
                self.fault(variable, "must not hold a user or a password");
                None
            }
            Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => Some(url),
            _ => {
                self.fault(variable, format!("must be {0} {1}:// or {2}:// URL", article(schemes[0]), schemes[0], schemes[1]));
                None
            }
        }
    }

    /// Each entry of a comma-separated list on its own, so that every bad one is named.
    pub fn list<T>(&mut self, variable: &Variable, expected: &str, mut parse: impl FnMut(&str) -> Option<T>) -> Vec<T> {
        let entries = self.text(variable).split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut values = Vec::new();
        for entry in entries {
            match parse(entry) {
                Some(value) => values.push(value),
                None => self.fault(variable, format!("must list {expected}, not {}", shown(entry))),
            }
        }
        values
    }

    /// A variable that has two names, as it was given under either (not trimmed). Two different values are a fault.
    pub fn either<'v>(&mut self, short: &'v Variable, long: &'v Variable) -> Option<(&'v Variable, &'a str)> {
        match (self.source.get(long.name), self.source.get(short.name)) {
            (Some(a), Some(b)) if a != b => {
                self.fault(long, format!("and {} are two names of one setting and have different values", short.name));
                None
            }
            (Some(value), _) => Some((long, value)),
            (None, value) => value.map(|value| (short, value)),
        }
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with('h') { "an" } else { "a" }
}

/// A value as it may stand in a message: quoted, and not endless.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
