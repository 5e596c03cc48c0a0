//! A Lua script: its name and its text, shared libraries in front.

/// A script as it is sent to Redis.
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    pub source: &'static str,
}

impl Script {
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, source }
    }
}
