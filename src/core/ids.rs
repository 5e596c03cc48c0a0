//! Random identifiers, and what scopes, users and nodes may be called.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rand::RngCore;

/// `[A-Za-z0-9_.-]{1,128}`, but not `.` and `..`: what a room may be called. It keeps braces
/// and colons out of keys, and keeps paths from leading elsewhere.
pub fn is_scope_id(id: &str) -> bool {
    !matches!(id, "." | "..")
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A user id is any 1–128 characters; in keys it stands base64url-encoded.
pub fn is_user_id(id: &str) -> bool {
    (1..=128).contains(&id.chars().count())
}

/// `bytes` random bytes from the system's CSPRNG, base64url without padding.
pub fn random(bytes: usize) -> String {
    let mut raw = vec![0; bytes];
    rand::rng().fill_bytes(&mut raw);
    BASE64_URL_SAFE_NO_PAD.encode(raw)
}

/// A node's name as it stands in keys, fields and operation ids: what is not a letter, a digit, `_` or `-` becomes `-`.
pub fn node_label(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_id_keeps_out_of_the_key_syntax() {
        for good in ["a", "room-1", "A.b_c-9", "...", ".a", &"x".repeat(128)] {
            assert!(is_scope_id(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a:b", "{a}", "ä", "a/b", &"x".repeat(129)] {
            assert!(!is_scope_id(bad), "{bad}");
        }
    }
}
