//! Tokens that let a candidate in: random, opaque, and kept as a hash only.

use sha2::{Digest as _, Sha256};

use super::store::TokenHash;
use crate::core::ids;

/// Of randomness.
const BYTES: usize = 32;

/// A new token. It has no `.`, by which it is told from a JWT.
pub struct Token {
    pub text: String,
    pub hash: TokenHash,
}

impl Token {
    pub fn new() -> Self {
        let text = ids::random(BYTES);
        Self { hash: hash(&text), text }
    }
}

/// No salt and no slow hash: nobody can guess 256 random bits, whatever they have seen of the hash.
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether it can only be a JWT.
pub fn is_jwt(token: &str) -> bool {
    token.contains('.')
}
