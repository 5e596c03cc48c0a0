//! Key pairs for tokens, made anew in every run: no private key lies in the repository.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A private key that signs, and its public half.
pub struct TestKey {
    pub algorithm: Algorithm,
    pub public_pem: String,
    private: EncodingKey,
}

impl TestKey {
    pub fn rs256() -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: Pkcs8V1Der = pair.as_der().expect("a key that was just made");
        let public: PublicKeyX509Der = pair.public_key().as_der().expect("a key that was just made");
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("our own PEM");
        Self { algorithm: Algorithm::RS256, public_pem: pem("PUBLIC KEY", public.as_ref()), private }
    }

    pub fn es256() -> Self {
        Self::ecdsa(Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// A curve that the hub does not take.
    pub fn es384() -> Self {
        Self::ecdsa(Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    fn ecdsa(algorithm: Algorithm, curve: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).expect("a key");
        let private = pair.to_pkcs8v1().expect("a key that was just made");
        let public: PublicKeyX509Der = pair.public_key().as_der().expect("a key that was just made");
        let private = EncodingKey::from_ec_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("our own PEM");
        Self { algorithm, public_pem: pem("PUBLIC KEY", public.as_ref()), private }
    }

    pub fn sign(&self, claims: &Value, kid: Option<&str>) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.private).expect("claims that serialize")
    }

    /// The public half as an entry of a JWKS.
    pub fn jwk(&self, kid: &str) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm).expect("a key that was just made");
        let mut jwk = json!(jwk);
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
