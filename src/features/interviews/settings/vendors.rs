//! Settings of the outside vendors. Each vendor is configured as a whole or not at all, and no model has a default: vendors retire
//! them.

use std::path::PathBuf;

use super::*;
use crate::settings::Secret;
use crate::settings::table::Variable;

/// The vendors that are configured.
#[derive(Clone, Debug, Default)]
pub struct Vendors {
    pub speech: Option<Speech>,
    pub ai: Option<Ai>,
    pub voice: Option<Voice>,
    pub audio: Option<Audio>,
}

/// Speech to text by AssemblyAI.
#[derive(Clone, Debug)]
pub struct Speech {
    /// `ws(s)://…`
    pub url: Box<str>,
    pub key: Secret,
    pub model: Box<str>,
    /// New streams, of all nodes together.
    pub sessions_per_minute: u32,
}

/// An OpenAI-compatible chat API.
#[derive(Clone, Debug)]
pub struct Ai {
    /// Without a final slash.
    pub base: Box<str>,
    pub key: Secret,
    pub model: Box<str>,
}

/// An OpenAI-compatible API for speech.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Without a final slash.
    pub base: Box<str>,
    pub key: Secret,
    pub model: Box<str>,
    pub voice: Box<str>,
}

/// Where audio is kept.
#[derive(Clone, Debug)]
pub enum Audio {
    /// A folder, and what stands before `/media/…` in the addresses of what is in it.
    Folder {
        path: PathBuf,
        public_url: Box<str>,
    },
    S3(S3),
}

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    pub bucket: Box<str>,
    /// Without slashes around it; may be empty.
    pub prefix: Box<str>,
    pub region: Box<str>,
    /// `None`: that of AWS.
    pub endpoint: Option<Box<str>>,
    /// `None`: those of the machine's role.
    pub credentials: Option<Credentials>,
}

/// Who the hub is at S3.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub id: Box<str>,
    pub secret: Secret,
    pub session: Option<Secret>,
}

impl Vendors {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        Self { speech: speech(read), ai: ai(read), voice: voice(read), audio: audio(read) }
    }

    /// What an interview goes without, one word for each vendor that is not configured.
    pub fn missing(&self) -> Vec<&'static str> {
        let vendors = [
            (self.speech.is_none(), "speech to text (ASSEMBLYAI_API_KEY)"),
            (self.ai.is_none(), "AI (AI_BASE_URL)"),
            (self.voice.is_none(), "question audio (TTS_BASE_URL)"),
            (self.audio.is_none(), "audio storage (AUDIO_STORAGE_URL)"),
        ];
        vendors.into_iter().filter(|(missing, _)| *missing).map(|(_, name)| name).collect()
    }
}

/// Whether all of them are given. If only some are, each of the others is a fault.
fn all_given(read: &mut Reader<'_>, variables: &[&'static Variable]) -> bool {
    let (given, missing): (Vec<_>, Vec<_>) =
        variables.iter().copied().partition(|variable: &&'static Variable| read.given(variable).is_some());
    if let Some(one) = given.first() {
        for variable in &missing {
            read.fault(variable, format!("must be set, as {} is", one.name));
        }
    }
    missing.is_empty()
}

fn speech(read: &mut Reader<'_>) -> Option<Speech> {
    let url = match read.given(ASSEMBLYAI_URL) {
        Some(_) => read.base(ASSEMBLYAI_URL, ["ws", "wss"]),
        None => ASSEMBLYAI_URL.default.map(Into::into),
    };
    let sessions_per_minute = read.integer(STT_SESSIONS_PER_MINUTE, 1..=100_000);
    if !all_given(read, &[ASSEMBLYAI_API_KEY, ASSEMBLYAI_SPEECH_MODEL]) {
        return None;
    }
    let (key, model) = (read.secret(ASSEMBLYAI_API_KEY)?, read.optional(ASSEMBLYAI_SPEECH_MODEL)?);
    Some(Speech { url: url?, key, model, sessions_per_minute })
}

fn ai(read: &mut Reader<'_>) -> Option<Ai> {
    let base = read.http_base(AI_BASE_URL);
    if !all_given(read, &[AI_BASE_URL, AI_API_KEY, AI_MODEL]) {
        return None;
    }
    Some(Ai { base: base?, key: read.secret(AI_API_KEY)?, model: read.optional(AI_MODEL)? })
}

fn voice(read: &mut Reader<'_>) -> Option<Voice> {
    let base = read.http_base(TTS_BASE_URL);
    if !all_given(read, &[TTS_BASE_URL, TTS_API_KEY, TTS_MODEL, TTS_VOICE]) {
        return None;
    }
    let (key, model) = (read.secret(TTS_API_KEY)?, read.optional(TTS_MODEL)?);
    Some(Voice { base: base?, key, model, voice: read.optional(TTS_VOICE)? })
}

fn audio(read: &mut Reader<'_>) -> Option<Audio> {
    let url = read.given(AUDIO_STORAGE_URL)?;
    if let Some(path) = url.strip_prefix("file://") {
        if !path.starts_with('/') {
            read.fault(AUDIO_STORAGE_URL, "must hold an absolute path: file:///var/lib/audio");
            return None;
        }
        return Some(Audio::Folder { path: path.into(), public_url: read.http_base(AUDIO_PUBLIC_URL).unwrap_or_default() });
    }
    let Some((bucket, prefix)) = url.strip_prefix("s3://").and_then(bucket_and_prefix) else {
        // Not shown: somebody may have written a key into it.
        read.fault(AUDIO_STORAGE_URL, "must be s3://bucket/prefix or file:///folder");
        return None;
    };
    // Other programs of this machine may have theirs, so these are looked at only now.
    let endpoint = read.http_base(AWS_ENDPOINT_URL);
    let has_credentials = all_given(read, &[AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]);
    let credentials = match (read.optional(AWS_ACCESS_KEY_ID), read.secret(AWS_SECRET_ACCESS_KEY)) {
        (Some(id), Some(secret)) if has_credentials => Some(Credentials { id, secret, session: read.secret(AWS_SESSION_TOKEN) }),
        _ => None,
    };
    Some(Audio::S3(S3 {
        bucket: bucket.into(),
        prefix: prefix.into(),
        region: read.text(AWS_REGION).into(),
        endpoint,
        credentials,
    }))
}

/// `bucket/a/b` → (`bucket`, `a/b`).
fn bucket_and_prefix(rest: &str) -> Option<(&str, &str)> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    let prefix = prefix.trim_matches('/');
    let parts = prefix.split('/').all(|part| is_plain(part) && !matches!(part, "." | ".."));
    (!bucket.is_empty() && is_plain(bucket) && parts).then_some((bucket, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

    fn read(pairs: &[(&str, &str)]) -> Result<Vendors, String> {
        let source: Source = pairs.iter().copied().collect();
        let mut reader = Reader::new(&source);
        let vendors = Vendors::read(&mut reader);
        reader.finish().map(|()| vendors).map_err(|faults| faults.to_string())
    }

    #[test]
    fn without_settings_there_is_no_vendor_and_that_is_said() {
        let vendors = read(&[]).unwrap();
        assert!(vendors.speech.is_none() && vendors.ai.is_none() && vendors.voice.is_none() && vendors.audio.is_none());
        assert_eq!(vendors.missing().len(), 4);
    }

    #[test]
    fn a_vendor_that_is_half_configured_is_a_fault_that_names_all_that_is_missing() {
        let faults = read(&[
            ("ASSEMBLYAI_API_KEY", "k-secret"),
            ("AI_BASE_URL", "https://ai.example/v1"),
            ("TTS_VOICE", "alloy"),
            ("AUDIO_STORAGE_URL", "s3://audio"),
            ("AWS_SECRET_ACCESS_KEY", "s-secret"),
        ])
        .unwrap_err();
        for missing in
            ["ASSEMBLYAI_SPEECH_MODEL", "AI_API_KEY", "AI_MODEL", "TTS_BASE_URL", "TTS_API_KEY", "TTS_MODEL", "AWS_ACCESS_KEY_ID"]
        {
            assert!(faults.contains(&format!("{missing} must be set, as ")), "{missing}: {faults}");
        }
        assert!(!faults.contains("secret"), "{faults}");
    }

    #[test]
    fn vendors_that_are_configured_are_read() {
        let vendors = read(&[
            ("ASSEMBLYAI_API_KEY", "k-secret"),
            ("ASSEMBLYAI_SPEECH_MODEL", "a-model"),
            ("AI_BASE_URL", "https://ai.example/v1/"),
            ("AI_API_KEY", "k-secret"),
            ("AI_MODEL", "another-model"),
            ("AUDIO_STORAGE_URL", "s3://audio/of/interviews/"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "k-secret"),
        ])
        .unwrap();
        let speech = vendors.speech.as_ref().unwrap();
        assert_eq!((&*speech.url, speech.sessions_per_minute), ("wss://streaming.assemblyai.com/v3/ws", 100));
        assert_eq!(&*vendors.ai.as_ref().unwrap().base, "https://ai.example/v1");
        let Some(Audio::S3(s3)) = &vendors.audio else { panic!("{vendors:?}") };
        assert_eq!((&*s3.bucket, &*s3.prefix, &*s3.region), ("audio", "of/interviews", "us-east-1"));
        assert!(!format!("{vendors:?}").contains("k-secret"));
    }

    #[test]
    fn audio_is_kept_in_a_bucket_or_a_folder() {
        let folder = read(&[("AUDIO_STORAGE_URL", "file:///var/audio")]).unwrap();
        assert!(matches!(folder.audio, Some(Audio::Folder { path, .. }) if path.as_os_str() == "/var/audio"));
        for bad in ["file://audio", "s3://", "s3://a b", "s3://a/../b", "https://k-secret@a", "/var/audio"] {
            let faults = read(&[("AUDIO_STORAGE_URL", bad)]).unwrap_err();
            assert!(faults.contains("AUDIO_STORAGE_URL must") && !faults.contains("k-secret"), "{bad}: {faults}");
        }
    }
}
