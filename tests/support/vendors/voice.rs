//! An OpenAI-compatible `POST /audio/speech`.

use hyper::header::HeaderMap;
use serde_json::{Value, json};

use super::{Answer, Vendors, VoiceFault, hang, respond, respond_json};

/// Samples a second of what it says.
const RATE: u32 = 16_000;

pub async fn answer(vendors: &Vendors, headers: &HeaderMap, body: &[u8]) -> Answer {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let input = call["input"].as_str().unwrap_or_default();
    if !headers.get("authorization").is_some_and(|key| key.as_bytes().starts_with(b"Bearer ")) {
        return Ok(respond_json(401, &json!({"error": {"message": "no key"}})));
    }
    let has = |name: &str| call[name].as_str().is_some_and(|text| !text.is_empty());
    if !has("model") || !has("voice") || !(1..=4096).contains(&input.chars().count()) {
        return Ok(respond_json(400, &json!({"error": {"message": "model, voice and 1–4096 characters of input"}})));
    }
    let fault = {
        let mut state = vendors.state();
        state.seen.voice.calls += 1;
        state.seen.voice.input = input.to_owned();
        let fault = state.faults.voice;
        state.seen.voice.failed += u64::from(fault != VoiceFault::None);
        fault
    };
    match fault {
        VoiceFault::None => Ok(respond(200, "audio/wav", spoken(input))),
        VoiceFault::Status(status) => Ok(respond_json(status, &json!({"error": {"message": "as it was told"}}))),
        VoiceFault::Garbage => Ok(respond_json(200, &json!({"error": "no audio today"}))),
        VoiceFault::Endless => Ok(respond(200, "audio/wav", vec![b'R'; 40 << 20])),
        VoiceFault::Hang => hang().await,
    }
}

/// A WAV file with a short tone for each word.
pub fn spoken(text: &str) -> Vec<u8> {
    let words = text.split_whitespace().count().clamp(1, 40);
    let mut samples = Vec::new();
    for word in 0..words {
        let pitch = 180.0 + 15.0 * (word % 5) as f64;
        for n in 0..RATE / 10 {
            let wave = (f64::from(n) * pitch * std::f64::consts::TAU / f64::from(RATE)).sin();
            samples.push((wave * 3000.0) as i16);
        }
        samples.extend(std::iter::repeat_n(0, RATE as usize / 20));
    }
    let length = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + length as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(length + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&length.to_le_bytes());
    samples.iter().for_each(|sample| file.extend_from_slice(&sample.to_le_bytes()));
    file
}
