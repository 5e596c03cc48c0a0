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
/// use convoke::cluster::scripts::libraries;
/// use convoke::redis::script::Script;
/// static DOUBLE: Script = Script::new("double", "return 2 * ARGV[1]");
/// static TOUCH: Script = Script::with("room_touch", &[libraries::SCOPE, libraries::LOG], "open('', 0) return ensure()");
/// assert_eq!(DOUBLE.sha().len(), 40);
/// assert!(TOUCH.source().starts_with("local NAME = 'room_touch'\n"));
/// ```
///
/// By contract a script that writes takes an operation id among its arguments and answers a repeat with its first answer,
/// because group commit repeats a call whose outcome is unknown.
pub struct Script {
    /// `<noun>_<verb>`, as in the file's name; used in metrics and errors, and in the keys of answers that are remembered: a
    /// script that is in use keeps its name.
    pub name: &'static str,
    libraries: &'static [&'static str],
    text: &'static str,
    whole: OnceLock<(Box<str>, Box<str>)>,
}

impl Script {
    /// A script that needs no library.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, libraries: &[], text, whole: OnceLock::new() }
    }

    /// A script behind the texts of libraries, such as those in [`cluster`](crate::cluster::scripts::libraries) and
    /// [`rooms`](crate::rooms::scripts::libraries). In front of them stands `local NAME`, the script's name.
    pub const fn with(name: &'static str, libraries: &'static [&'static str], text: &'static str) -> Self {
        Self { name, libraries, text, whole: OnceLock::new() }
    }

    /// What Redis runs, libraries in front.
    pub fn source(&self) -> &str {
        &self.whole().0
    }

    /// SHA-1 of the source in lower-case hex.
    pub fn sha(&self) -> &str {
        &self.whole().1
    }

    /// Put together once.
    fn whole(&self) -> &(Box<str>, Box<str>) {
        self.whole.get_or_init(|| {
            let source = match self.libraries {
                [] => self.text.to_owned(),
                libraries => format!("local NAME = '{}'\n{}\n{}", self.name, libraries.join("\n"), self.text),
            };
            let sha = ::redis::Script::new(&source).get_hash().into();
            (source.into(), sha)
        })
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({})", self.name)
    }
}

/// A static script of this crate: the folder under `lua/` and the name of its file, and the libraries that stand in front of
/// it, each by its path under `lua/`; those of a set ([`script_set!`]) first. Its name is that of the file. A feature outside of
/// this crate uses [`Script::with`].
macro_rules! script {
    ($static:ident = $folder:literal / $name:literal $(in $set:path)? $(, $lib:literal)*) => {
        static $static: $crate::redis::script::Script = $crate::redis::script::Script::with(
            $name,
            &[$($set,)? $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $lib, ".lua"))),*],
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $folder, "/", $name, ".lua")),
        );
    };
}
pub(crate) use script;

/// The text of libraries that several scripts have in front of them: `script!(JOIN = "rooms" / "room_join" in ROOM)`.
macro_rules! script_set {
    ($($lib:literal),+ $(,)?) => {
        concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $lib, ".lua")), "\n"),+)
    };
}
pub(crate) use script_set;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_redis_computes() {
        static SCRIPT: Script = Script::new("one", "return 1");
        assert_eq!(SCRIPT.sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    }
}
