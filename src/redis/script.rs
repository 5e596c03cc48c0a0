//! A Lua script as a function: its name, its text, and the hash under which Redis remembers it.

use std::fmt;
use std::sync::OnceLock;

/// One Lua script. Declare it as a `static` and hand it to [`Redis::eval`](super::Redis::eval):
///
/// ```
/// use convoke::redis::script::Script;
/// static DOUBLE: Script = Script::new("double", "return 2 * ARGV[1]");
/// assert_eq!(DOUBLE.sha().len(), 40);
/// ```
///
/// By contract a script that writes takes an operation id among its arguments and answers a repeat with its first answer,
/// because group commit repeats a call whose outcome is unknown.
pub struct Script {
    /// `<noun>_<verb>`, as in the file's name; used in metrics and errors.
    pub name: &'static str,
    /// The whole text, libraries in front: `concat!(include_str!("…/lib/scope.lua"), include_str!("…/scope_publish.lua"))`.
    pub source: &'static str,
    sha: OnceLock<Box<str>>,
}

impl Script {
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, source, sha: OnceLock::new() }
    }

    /// SHA-1 of the text in lower-case hex, computed once.
    pub fn sha(&self) -> &str {
        self.sha.get_or_init(|| ::redis::Script::new(self.source).get_hash().into())
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_redis_computes() {
        static SCRIPT: Script = Script::new("one", "return 1");
        assert_eq!(SCRIPT.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
