//! Whether the vendors take us, as an operator is told by `convoke check`.

use bytes::Bytes;

use super::ai::openai::OpenAi;
use super::audio::AudioStorage as _;
use super::audio::store::ObjectAudio;
use super::speech::assemblyai;
use super::voice::openai::OpenAiVoice;
use crate::feature::Finding;
use crate::feature::check::PATIENCE;
use crate::features::interviews::settings::Vendors;
use crate::settings::Settings as Base;

/// What a vendor says, or why it says nothing.
type Outcome = Result<String, String>;

/// Tries each vendor that is configured: begins and ends a speech stream, asks the APIs for their models, and stores a few bytes.
pub async fn findings(vendors: &Vendors, base: &Base) -> Vec<Finding> {
    let speech = async { Some(("speech to text", assemblyai::check(vendors.speech.as_ref()?).await)) };
    let ai = async {
        let settings = vendors.ai.as_ref()?;
        Some(("AI", check_ai(OpenAi::new(settings)).await))
    };
    let voice = async {
        let settings = vendors.voice.as_ref()?;
        let outcome = match OpenAiVoice::new(settings) {
            Ok(voice) => voice.check().await,
            Err(error) => Err(error.to_string()),
        };
        Some(("question audio", outcome))
    };
    let storage = async { Some(("audio storage", store(vendors, base).await?)) };
    let (speech, ai, voice, storage) = tokio::join!(speech, ai, voice, storage);
    [speech, ai, voice, storage].into_iter().flatten().map(|(vendor, outcome)| finding(vendor, outcome)).collect()
}

async fn check_ai(ai: Result<OpenAi, super::SetupError>) -> Outcome {
    ai.map_err(|error| error.to_string())?.check().await
}

async fn store(vendors: &Vendors, base: &Base) -> Option<Outcome> {
    let secret = base.cluster.secret.as_ref().or(base.internal_token.as_ref());
    let storage = match ObjectAudio::new(vendors.audio.as_ref()?, secret) {
        Ok(storage) => storage.within(PATIENCE),
        Err(error) => return Some(Err(error.to_string())),
    };
    let put = storage.put("convoke-check.txt", "text/plain", Bytes::from_static(b"convoke check\n")).await;
    Some(put.map(|()| "it stores what it is given".into()).map_err(|error| error.to_string()))
}

fn finding(vendor: &str, outcome: Outcome) -> Finding {
    match outcome {
        Ok(told) => Finding::Good(format!("{vendor}: {told}")),
        Err(why) => Finding::Bad(format!("{vendor}: {why}")),
    }
}
