//! Lua scripts as typed functions: `lua/<folder>/<noun>_<verb>.lua` is `<noun>_<verb>` in the module that it belongs to.
//!
//! A script decides and writes in one step; what its function returns is what the caller has to answer, to announce or to
//! set a timer for. [`Eval`] is all that is asked of Redis, [`Args`] and [`Reply`] write and read what travels.

mod client;
mod eval;
pub mod reply;

use std::fmt;
use std::sync::OnceLock;

pub use client::OnReader;
pub use eval::{BadReply, Eval};
pub use reply::{Args, Reply};

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

/// A static script: the folder under `lua/` and the name of its file, and the libraries that stand in front of it, each by its
/// path under `lua/`. Its name is that of the file.
macro_rules! script {
    ($static:ident = $folder:literal / $name:literal $(, $lib:literal)*) => {
        static $static: $crate::redis::script::Script = $crate::redis::script::Script::new(
            $name,
            concat!(
                "local NAME = '", $name, "'\n",
                $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $lib, ".lua")), "\n",)*
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $folder, "/", $name, ".lua"))
            ),
        );
    };
}
pub(crate) use script;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_redis_computes() {
        static SCRIPT: Script = Script::new("one", "return 1");
        assert_eq!(SCRIPT.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
