//! The candidate's audio: what is taken, in which forms, how much of it, and that what is acknowledged is kept.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use convoke::redis::cmd;
use serde_json::json;

use crate::interviews_world::{Interview, MANY_ADDRESSES, begin, connect, create, join_interview};
use crate::support::booking::World;

/// So many ms of audio.
fn pcm(ms: usize, fill: u8) -> Vec<u8> {
    vec![fill; ms * 32]
}

fn wav(pcm: &[u8], rate: u32) -> Vec<u8> {
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * 2).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((pcm.len() as u32).to_le_bytes());
    wav.extend(pcm);
    wav
}

/// An entry of a stream: its id and its fields.
type Entry = (String, Vec<(String, Vec<u8>)>);

/// The audio that is kept of an interview, in order.
fn kept(world: &World, interview: &Interview) -> Vec<Vec<u8>> {
    let key = format!("interview:audio:{{{}}}", interview.id);
    let entries: Vec<Entry> = world.redis.ask(cmd("XRANGE").arg(&key).arg("-").arg("+"));
    let data = entries.into_iter().filter_map(|(_, fields)| fields.into_iter().find(|(name, _)| name == "d"));
    data.map(|(_, data)| data).filter(|data| !data.is_empty()).collect()
}

#[tokio::test]
async fn base64_binary_and_wav_are_kept_before_they_are_acknowledged() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let base64 = |data: &[u8]| json!({"audioData": BASE64_STANDARD.encode(data)});
    assert_eq!(candidate.ask("audio-chunk", base64(&pcm(250, 1))).await, json!({"ok": true}));
    assert_eq!(candidate.ask("audio-chunk", base64(&wav(&pcm(20, 2), 16_000))).await, json!({"ok": true}));
    let placeholder = json!({"audioData": {"_placeholder": true, "num": 0}});
    candidate.emit_binary("audio-chunk", &[placeholder], &[pcm(1000, 3).into()]);
    candidate.settle().await;
    assert_eq!(kept(&world, &interview), [pcm(250, 1), pcm(20, 2), pcm(1000, 3)]);
}

#[tokio::test]
async fn what_is_no_audio_of_the_right_form_is_refused() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let base64 = |data: &[u8]| json!({"audioData": BASE64_STANDARD.encode(data)});
    for payload in [
        json!({}),
        json!({"audioData": 7}),
        json!({"audioData": "not base64!"}),
        base64(&[0; 3]),
        base64(&pcm(1001, 0)),
        base64(&vec![0; 65_540]),
        base64(&wav(&pcm(20, 0), 44_100)),
    ] {
        let refused = candidate.ask("audio-chunk", payload).await;
        assert_eq!(refused["code"], "INVALID_AUDIO", "{refused}");
    }
    assert!(kept(&world, &interview).is_empty());
}

#[tokio::test]
async fn more_audio_than_anyone_speaks_is_not_taken_and_neither_is_any_before_the_start() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES, ("INTERVIEW_ANSWER_SECONDS", "10")]).await else { return };
    let interview = create(&world, json!({})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    let chunk = json!({"audioData": BASE64_STANDARD.encode(pcm(1000, 1))});
    assert_eq!(candidate.ask("audio-chunk", chunk.clone()).await["code"], "NO_ACTIVE_SESSION");
    let session = join_interview(&candidate, &interview).await;
    assert_eq!(candidate.ask("audio-chunk", chunk.clone()).await["code"], "NO_ACTIVE_SESSION");
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    for _ in 0..10 {
        candidate.ask_ok("audio-chunk", chunk.clone()).await;
    }
    let refused = candidate.ask("audio-chunk", chunk).await;
    assert_eq!(refused["code"], "RATE_LIMITED", "{refused}");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("10 s")), "a refusal names the limit: {refused}");
    assert_eq!(kept(&world, &interview).len(), 10);
}
