//! Calls of LiveKit's API: Twirp, that is Protocol Buffers over HTTP, `POST <address>/twirp/livekit.<service>/<method>`.
//!
//! The client of LiveKit's own crate drops the path of the address that it is given, so a LiveKit behind a proxy at
//! `https://example.com/livekit` could not be called.

use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use prost::Message;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;

use super::error::is_refusal;
use super::{LiveKitError, SetupError};
use crate::core::error::chain;

const PROTOBUF: &str = "application/protobuf";

pub(super) struct Api {
    http: Client,
    /// With the path at which it is served, without a final slash.
    address: Box<str>,
    key: Box<str>,
    secret: Box<str>,
}

/// How Twirp says no.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    msg: String,
}

impl Api {
    pub fn new(address: &str, key: &str, secret: &str, deadline: Duration) -> Result<Self, SetupError> {
        Url::parse(address).map_err(|_| SetupError::Address)?;
        // A redirect would make a GET of a call.
        let http = Client::builder().timeout(deadline).redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, address: address.trim_end_matches('/').into(), key: key.into(), secret: secret.into() })
    }

    /// One try.
    pub async fn call<Answer: Message + Default>(
        &self,
        service: &str,
        method: &str,
        grants: VideoGrants,
        question: impl Message,
    ) -> Result<Answer, LiveKitError> {
        let token = AccessToken::with_api_key(&self.key, &self.secret).with_grants(grants).to_jwt()?;
        let url = format!("{}/twirp/livekit.{service}/{method}", self.address);
        let call = self.http.post(url).bearer_auth(token).header(CONTENT_TYPE, PROTOBUF).body(question.encode_to_vec());
        let failed = |error: reqwest::Error| LiveKitError::Unavailable(chain(&error.without_url()));
        let answer = call.send().await.map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        if status == StatusCode::OK {
            return Answer::decode(body).map_err(|error| LiveKitError::Unavailable(error.to_string()));
        }
        Err(match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { code, msg }) if is_refusal(&code) => LiveKitError::Refused { code, message: msg },
            Ok(Refusal { code, msg }) => LiveKitError::Unavailable(format!("{code}: {msg}")),
            // It refuses a key in plain words, and quotes the token; so they are not passed on.
            Err(_) => LiveKitError::Unavailable(format!(
                "{status} and no answer of its API; are LIVEKIT_API_KEY, LIVEKIT_API_SECRET and its address right?"
            )),
        })
    }
}
