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

/// It needs no salt and no slow hash: 256 random bits cannot be guessed, not even with the hash at hand.
pub fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether it can only be a JWT.
pub fn is_jwt(token: &str) -> bool {
    token.contains('.')
}
