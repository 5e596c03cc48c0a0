//! Calls of LiveKit's API: Twirp, that is Protocol Buffers over HTTP, `POST <address>/twirp/livekit.<service>/<method>`.
//!
//! The client of LiveKit's own crate drops the path of the address that it is given, so a LiveKit behind a proxy at
//! `https://example.com/livekit` could not be called.

use std::time::Duration;

use prost::Message;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use uuid::Uuid;

use super::error::is_refusal;
use super::{LiveKitError, SetupError};
use crate::core::error::chain;

const PROTOBUF: &str = "application/protobuf";
/// The same on each try of a call. LiveKit Cloud does such a call once; the open server, up to 1.13.11, does not look at it.
const REQUEST_ID: &str = "x-livekit-request-id";

pub(super) struct Api {
    http: Client,
    /// With the path at which it is served, without a final slash.
    address: Box<str>,
}

/// What LiveKit is asked for, however often it is tried.
pub(super) struct Call<Question> {
    pub service: &'static str,
    pub method: &'static str,
    pub token: String,
    pub id: Uuid,
    pub question: Question,
}

/// How Twirp says no.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    msg: String,
}

impl Api {
    pub fn new(address: &str, deadline: Duration) -> Result<Self, SetupError> {
        Url::parse(address).map_err(|_| SetupError::Address)?;
        // A redirect would make a GET of a call.
        let http = Client::builder().timeout(deadline).redirect(redirect::Policy::none()).build()?;
        Ok(Self { http, address: address.trim_end_matches('/').into() })
    }

    /// One try.
    pub async fn send<Answer: Message + Default>(&self, call: &Call<impl Message>) -> Result<Answer, LiveKitError> {
        let url = format!("{}/twirp/livekit.{}/{}", self.address, call.service, call.method);
        let request = self.http.post(url).bearer_auth(&call.token).header(REQUEST_ID, call.id.to_string());
        let request = request.header(CONTENT_TYPE, PROTOBUF).body(call.question.encode_to_vec());
        let failed = |error: reqwest::Error| LiveKitError::Unavailable(chain(&error.without_url()));
        let answer = request.send().await.map_err(failed)?;
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
