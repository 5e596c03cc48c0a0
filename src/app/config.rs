//! The settings of the hub and of all its features, read and judged together.

use super::FEATURES;
use crate::feature::{Configured, Feature};
use crate::settings::reader::LEAST_SECRET;
use crate::settings::table::{self, Group, Variable};
use crate::settings::{Faults, Reader, Settings, Source};

/// What an operator has set.
pub struct Config {
    pub settings: Settings,
    /// In the order in which the features were named.
    pub features: Vec<Box<dyn Configured>>,
    short_secrets: Vec<&'static Variable>,
}

/// The tables of all variables, those that belong to no feature first.
pub fn tables() -> impl Iterator<Item = &'static Group> + Clone {
    table::GROUPS.iter().chain(FEATURES.iter().flat_map(|feature| feature.settings()))
}

/// The variable of this name, if the hub reads it.
pub fn variable(name: &str) -> Option<&'static Variable> {
    tables().flat_map(|group| group.variables).copied().find(|variable| variable.name == name)
}

impl Config {
    /// Reads every variable.
    ///
    /// # Errors
    /// [`Faults`] names all that is wrong, not the first thing only.
    pub fn read(source: &Source) -> Result<Self, Faults> {
        Self::of(FEATURES, source)
    }

    /// [`Config::read`] for a program with other features. [`serve`](super::serve) runs those that are given here.
    ///
    /// # Errors
    /// [`Faults`].
    pub fn of(features: &[&dyn Feature], source: &Source) -> Result<Self, Faults> {
        let mut read = Reader::new(source);
        let settings = Settings::read(&mut read);
        let features: Vec<_> = features.iter().map(|feature| feature.read(&settings, &mut read)).collect();
        let short_secrets = read.short_secrets().to_vec();
        if !settings.server.development {
            for variable in &short_secrets {
                read.fault(variable, format!("must have at least {LEAST_SECRET} characters"));
            }
        }
        check_apart(&mut read, &features);
        read.finish()?;
        Ok(Self { settings, features, short_secrets })
    }

    /// What is off because its settings are missing, and what is dangerous: one sentence each, to be logged once at start.
    pub fn notices(&self) -> Vec<String> {
        let features = self.features.iter().flat_map(|feature| feature.notices(&self.settings));
        let short = self.short_secrets.iter();
        let short =
            short.map(|Variable { name, .. }| format!("{name} is shorter than {LEAST_SECRET} characters: never in production"));
        self.settings.notices().into_iter().chain(features).chain(short).collect()
    }
}

/// The same key on two surfaces would make one of them: that must be meant.
fn check_apart(read: &mut Reader<'_>, features: &[Box<dyn Configured>]) {
    if read.flag(table::JWT_SHARED) {
        return;
    }
    let surfaces: Vec<_> = features.iter().filter_map(|feature| feature.surface()).collect();
    for (at, one) in surfaces.iter().enumerate() {
        for other in surfaces[at + 1..].iter().filter(|other| one.identity.shares_a_key_with(other.identity)) {
            read.fault(table::JWT_SHARED, format!("must be true if {} and {} are to have the same key", one.name, other.name));
        }
    }
}

#[cfg(test)]
#[path = "tests/config.rs"]
mod tests;
