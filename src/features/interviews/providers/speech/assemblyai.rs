//! AssemblyAI's Universal-Streaming v3.

use std::sync::Mutex;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout, timeout_at};

use super::openings::{Line, Openings, SharedOpenings};
use super::session::{self, Session};
use super::socket::{Dial, HttpDial};
use super::wire::unreachable;
use super::{Reason, SpeechStream, SpeechToText, Unavailable};
use crate::core::sync::lock;
use crate::features::interviews::metrics::SPEECH_STREAMS;
use crate::features::interviews::providers::{SetupError, count, http};
use crate::features::interviews::settings;
use crate::redis::Redis;
use crate::telemetry::due;

/// So long after a key was refused nobody asks again.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Opens streams.
pub struct AssemblyAi {
    dial: Box<dyn Dial>,
    line: Line,
    model: Box<str>,
    refused: Mutex<Option<(Instant, Unavailable)>>,
}

impl AssemblyAi {
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: &settings::Speech, redis: Redis) -> Result<Self, SetupError> {
        // The vendor counts by account.
        let digest = Sha256::digest(format!("convoke speech account, version 1 {}", settings.key.expose()));
        let account = BASE64_URL_SAFE_NO_PAD.encode(&digest[..12]);
        let openings = SharedOpenings::new(redis, &account, settings.sessions_per_minute);
        Ok(Self::with(Box::new(HttpDial::new(settings)?), Box::new(openings), &settings.model))
    }

    /// With another way to connect, and another count.
    pub fn with(dial: Box<dyn Dial>, openings: Box<dyn Openings>, model: &str) -> Self {
        Self { dial, line: Line::new(openings), model: model.into(), refused: Mutex::new(None) }
    }

    async fn try_open(&self, deadline: Instant) -> Result<SpeechStream, Unavailable> {
        if let Some((_, why)) = lock(&self.refused).clone().filter(|(at, _)| at.elapsed() < REFUSED_FOR) {
            return Err(why);
        }
        self.line.turn(deadline).await?;
        let begun = timeout_at(deadline, connect(&*self.dial)).await.unwrap_or_else(|_| Err(unreachable("no stream in time")))?;
        if let Some(model) = &begun.model
            && **model != *self.model
            && let Some(times) = due("the vendor has taken another speech model")
        {
            tracing::warn!(asked = %self.model, taken = model, times, "the vendor has taken another speech model");
        }
        let (stream, commands, tell) = SpeechStream::channel(&begun.id);
        // It ends with the stream: when both of its ends are dropped, at the latest.
        tokio::spawn(async move {
            let _open = Open::count();
            Session::new(begun, commands, tell).run().await;
        });
        Ok(stream)
    }
}

async fn connect(dial: &dyn Dial) -> Result<session::Begun, Unavailable> {
    let socket = timeout(http::CONNECT, dial.dial()).await;
    let socket = socket.unwrap_or_else(|_| Err(unreachable("no connection in time")))?;
    session::begin(socket).await
}

/// Whether the vendor begins a stream for us; for `convoke check`. The stream ends at once.
///
/// # Errors
/// Why it does not.
pub async fn check(settings: &settings::Speech) -> Result<String, String> {
    let dial = HttpDial::new(settings).map_err(|error| error.to_string())?;
    let begun = connect(&dial).await.map_err(|why| why.to_string())?;
    let model = begun.model.clone();
    begun.end().await;
    match model {
        Some(model) if *model != *settings.model => Err(format!("it has taken the model {model} instead of {}", settings.model)),
        _ => Ok(format!("it begins streams with {}", settings.model)),
    }
}

/// A stream that is counted while it is open.
struct Open;

impl Open {
    fn count() -> Self {
        metrics::gauge!(SPEECH_STREAMS).increment(1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!(SPEECH_STREAMS).decrement(1);
    }
}

impl SpeechToText for AssemblyAi {
    fn open(&self, deadline: Instant) -> BoxFuture<'_, Result<SpeechStream, Unavailable>> {
        Box::pin(async move {
            let opened = self.try_open(deadline).await;
            count("speech", &opened, |why| why.reason.as_str());
            if let Err(why) = &opened {
                let is_new = why.reason == Reason::Unauthorized;
                let mut refused = lock(&self.refused);
                if is_new && refused.as_ref().is_none_or(|(at, _)| at.elapsed() >= REFUSED_FOR) {
                    *refused = Some((Instant::now(), why.clone()));
                }
                if let Some(times) = due("no speech stream can be opened") {
                    tracing::warn!(%why, times, "no speech stream can be opened");
                }
            }
            opened
        })
    }
}
