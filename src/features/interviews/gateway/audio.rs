//! A piece of the candidate's audio, as its client sends it: PCM, signed, 16 bits little-endian, 16 kHz, mono; with or without a WAV
//! header, as base64 or binary. Pure.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::features::interviews::error::InterviewError;
use crate::protocol::event::Args;
use crate::protocol::fields::Fields;

/// Bytes of one piece, decoded, its header included.
const MAX_BYTES: usize = 64 * 1024;
/// The longest piece.
const MAX_LENGTH: Duration = Duration::from_millis(1000);
/// Samples of two bytes in a ms.
const BYTES_PER_MS: usize = 32;
/// How a placeholder in the payload stands for the one attachment.
const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// A piece of audio that is fit to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub pcm: Bytes,
    pub length: Duration,
}

fn invalid(why: &'static str) -> InterviewError {
    InterviewError::InvalidAudio(why)
}

impl Chunk {
    /// Reads `audio-chunk {audioData}`.
    ///
    /// # Errors
    /// [`InterviewError::InvalidAudio`]; `Invalid` if the payload is no object.
    pub fn read(args: &Args) -> Result<Self, InterviewError> {
        let no_object = || InterviewError::Invalid("the payload must be an object".into());
        let fields = Fields::parse(args.payload()).ok_or_else(no_object)?;
        let raw = fields.raw("audioData").ok_or(invalid("audioData is required"))?;
        let data = match args.attachments.as_slice() {
            [data] if raw == PLACEHOLDER => data.clone(),
            [] => {
                let text = fields.text("audioData", usize::MAX).ok().flatten();
                let text = text.ok_or(invalid("audioData must be base64 or binary"))?;
                if text.len() / 4 * 3 > MAX_BYTES + 2 {
                    return Err(invalid("audioData must have at most 65536 bytes"));
                }
                BASE64.decode(&*text).map_err(|_| invalid("audioData is not base64"))?.into()
            }
            _ => return Err(invalid("audioData must be the one attachment")),
        };
        Self::of(data)
    }

    fn of(data: Bytes) -> Result<Self, InterviewError> {
        if data.len() > MAX_BYTES {
            return Err(invalid("audioData must have at most 65536 bytes"));
        }
        let pcm = if data.starts_with(b"RIFF") { without_header(&data)? } else { data };
        if pcm.is_empty() || pcm.len() % 2 != 0 {
            return Err(invalid("audioData must hold whole samples of 16 bits"));
        }
        if pcm.len() > MAX_LENGTH.as_millis() as usize * BYTES_PER_MS {
            return Err(invalid("audioData must be at most 1000 ms of 16 kHz, 16 bits, mono"));
        }
        let length = Duration::from_micros((pcm.len() * 1000 / BYTES_PER_MS) as u64);
        Ok(Self { pcm, length })
    }
}

/// The samples of a WAV file. <https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html>
fn without_header(data: &Bytes) -> Result<Bytes, InterviewError> {
    const BAD: &str = "the WAV header must say PCM, 16 kHz, 16 bits, mono";
    let word = |at: usize| data.get(at..at + 2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let long = |at: usize| data.get(at..at + 4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if data.get(8..12) != Some(b"WAVE") {
        return Err(invalid(BAD));
    }
    let (mut at, mut is_ours) = (12, false);
    while let (Some(name), Some(length)) = (data.get(at..at + 4), long(at + 4)) {
        let (begin, length) = (at + 8, length as usize);
        match name {
            b"fmt " => {
                // 1 is PCM; 0xFFFE says that the rest of the chunk tells, which begins with the same number.
                let format = if word(begin) == Some(0xfffe) { word(begin + 24) } else { word(begin) };
                let told = (format, word(begin + 2), long(begin + 4), word(begin + 14));
                is_ours = told == (Some(1), Some(1), Some(16_000), Some(16));
            }
            // One who streams does not know the length yet, and says 0 or the most.
            b"data" if is_ours => {
                let rest = data.len() - begin;
                let length = if length == 0 { rest } else { length.min(rest) };
                return Ok(data.slice(begin..begin + length));
            }
            b"data" => break,
            _ => {}
        }
        // Chunks begin at even places.
        at = begin.saturating_add(length).saturating_add(length % 2);
    }
    Err(invalid(BAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(format: u16, channels: u16, rate: u32, bits: u16, length: u32) -> Vec<u8> {
        let mut wav = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
        wav.extend(format.to_le_bytes());
        wav.extend(channels.to_le_bytes());
        wav.extend(rate.to_le_bytes());
        wav.extend((rate * 2).to_le_bytes());
        wav.extend(2_u16.to_le_bytes());
        wav.extend(bits.to_le_bytes());
        wav.extend(b"data");
        wav.extend(length.to_le_bytes());
        wav
    }

    fn sent(payload: &str, attachments: &[&[u8]]) -> Result<Chunk, InterviewError> {
        let attachments = attachments.iter().map(|data| Bytes::copy_from_slice(data)).collect();
        Chunk::read(&Args { attachments, ..Args::event("audio-chunk", payload) })
    }

    #[test]
    fn base64_and_binary_are_the_same() {
        let expected = Ok(Chunk { pcm: vec![0; 320].into(), length: Duration::from_millis(10) });
        let text = BASE64.encode([0; 320]);
        assert_eq!(sent(&format!(r#"{{"audioData":"{text}"}}"#), &[]), expected);
        assert_eq!(sent(&format!(r#"{{"audioData":"{}"}}"#, text.trim_end_matches('=')), &[]), expected);
        assert_eq!(sent(&format!(r#"{{"audioData":{PLACEHOLDER}}}"#), &[&[0; 320]]), expected);
    }

    #[test]
    fn a_wav_header_of_our_format_is_stripped_whatever_length_it_tells() {
        for length in [0, 320, u32::MAX] {
            let wav = [header(1, 1, 16_000, 16, length), vec![7; 320]].concat();
            assert_eq!(Chunk::of(wav.into()).map(|chunk| chunk.pcm), Ok(vec![7; 320].into()), "{length}");
        }
        let others = [(3, 1, 16_000, 16), (1, 2, 16_000, 16), (1, 1, 44_100, 16), (1, 1, 16_000, 8)];
        for (format, channels, rate, bits) in others {
            let wav = [header(format, channels, rate, bits, 320), vec![7; 320]].concat();
            assert!(matches!(Chunk::of(wav.into()), Err(InterviewError::InvalidAudio(_))), "{format} {channels} {rate} {bits}");
        }
        let wav = header(1, 1, 16_000, 16, 320);
        for cut in 4..wav.len() {
            assert!(Chunk::of(wav[..cut].to_vec().into()).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_no_audio_of_ours_is_refused() {
        let long = BASE64.encode(vec![0; 32_002]);
        let large = BASE64.encode(vec![0; MAX_BYTES + 4]);
        for payload in [
            "{}",
            r#"{"audioData":7}"#,
            r#"{"audioData":""}"#,
            r#"{"audioData":"%"}"#,
            r#"{"audioData":"AAAA"}"#,
            &format!(r#"{{"audioData":"{long}"}}"#),
            &format!(r#"{{"audioData":"{large}"}}"#),
            &format!(r#"{{"audioData":{PLACEHOLDER}}}"#),
        ] {
            assert!(matches!(sent(payload, &[]), Err(InterviewError::InvalidAudio(_))), "{}", &payload[..payload.len().min(80)]);
        }
        assert!(matches!(sent("[]", &[]), Err(InterviewError::Invalid(_))), "no object");
        assert!(sent(r#"{"audioData":"AAA="}"#, &[&[0, 0]]).is_err(), "an attachment that stands nowhere");
    }
}
