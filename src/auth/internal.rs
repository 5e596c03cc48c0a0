//! The `X-Internal-Token` between the company's own services and the hub.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::AuthError;
use crate::settings::Secret;

/// What the `X-Internal-Token` of a request must be.
#[derive(Clone)]
pub struct InternalToken(Option<[u8; 32]>);

impl InternalToken {
    /// `None`: the internal API is off.
    pub fn new(token: Option<&Secret>) -> Self {
        Self(token.map(|token| digest(token.expose().as_bytes())))
    }

    /// Compares in constant time. Digests are compared instead of the tokens, so that not even the length shows.
    ///
    /// # Errors
    /// [`AuthError::NotConfigured`], [`AuthError::Missing`] or [`AuthError::Invalid`]; the wire makes one 401 of the last two.
    pub fn check(&self, given: Option<&[u8]>) -> Result<(), AuthError> {
        let expected = self.0.as_ref().ok_or(AuthError::NotConfigured)?;
        let given = given.filter(|given| !given.is_empty()).ok_or(AuthError::Missing)?;
        if bool::from(digest(given).ct_eq(expected)) { Ok(()) } else { Err(AuthError::Invalid) }
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_passes() {
        let token = InternalToken::new(Some(&Secret::new("s3cret")));
        assert_eq!(token.check(Some(b"s3cret")), Ok(()));
        for bad in ["s3cre", "s3cret ", "S3cret", "s3cret\0", "x"] {
            assert_eq!(token.check(Some(bad.as_bytes())), Err(AuthError::Invalid), "{bad}");
        }
        assert_eq!(token.check(Some(b"")), Err(AuthError::Missing));
        assert_eq!(token.check(None), Err(AuthError::Missing));
    }

    #[test]
    fn without_a_token_of_its_own_the_hub_lets_nobody_in() {
        let token = InternalToken::new(None);
        assert_eq!(token.check(Some(b"")), Err(AuthError::NotConfigured));
        assert_eq!(token.check(Some(b"anything")), Err(AuthError::NotConfigured));
    }
}
