//! Speech to text, against a stand-in that speaks the vendor's protocol: most of it without a network and in paused time.
//!
//! The audio is numbered, 50 ms each, and is heard as these numbers: so each fact about lost or doubled audio is one about numbers.

use std::time::Duration;

use convoke::features::interviews::providers::speech::assemblyai::AssemblyAi;
use convoke::features::interviews::providers::speech::openings::{Openings, SharedOpenings};
use convoke::features::interviews::providers::speech::socket::{Dial, HttpDial, Socket};
use convoke::features::interviews::providers::speech::{
    Chunk, Reason, SpeechAudio, SpeechEvent, SpeechEvents, SpeechStream, SpeechToText, Turn, Unavailable,
};
use convoke::features::interviews::settings::Speech;
use convoke::settings::Secret;
use fastwebsockets::{Frame, OpCode, Role, WebSocket};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::scripts_world::unique;
use crate::support::vendors::speech::{in_memory, numbered, numbers, silence};
use crate::support::vendors::{Server, SpeechFault, Vendors};
use crate::support::{eventually, redis};

/// Samples of 50 ms.
const PIECE: u64 = 800;

/// Leads to the stand-in without a network.
struct InMemory(Vendors);

impl Dial for InMemory {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn Socket>, Unavailable>> {
        Box::pin(async { Ok(Box::new(in_memory(&self.0)) as Box<dyn Socket>) })
    }
}

/// As many streams as anybody wants.
struct Unlimited;

impl Openings for Unlimited {
    fn take(&self) -> BoxFuture<'_, Option<Result<(), Duration>>> {
        Box::pin(async { Some(Ok(())) })
    }
}

fn vendor() -> (Vendors, AssemblyAi) {
    let vendors = Vendors::default();
    let speech = AssemblyAi::with(Box::new(InMemory(vendors.clone())), Box::new(Unlimited), "stand-in");
    (vendors, speech)
}

async fn open(speech: &AssemblyAi) -> Result<SpeechStream, Unavailable> {
    speech.open(Instant::now() + Duration::from_secs(60)).await
}

/// Sends the pieces with these numbers, so many in a chunk; piece `n` begins at `(n - 1) * PIECE`.
async fn send(audio: &SpeechAudio, pieces: std::ops::RangeInclusive<i16>, in_a_chunk: usize) {
    let pieces: Vec<_> = pieces.collect();
    for chunk in pieces.chunks(in_a_chunk) {
        let position = u64::try_from(chunk[0] - 1).unwrap() * PIECE;
        let pcm: Vec<u8> = chunk.iter().flat_map(|number| numbered(*number)).collect();
        if audio.send(Chunk { position, pcm: pcm.into() }).await.is_err() {
            return;
        }
    }
}

/// The final turns up to the event that ends them.
async fn finals(events: &mut SpeechEvents) -> (Vec<Turn>, Option<SpeechEvent>) {
    let mut turns = Vec::new();
    loop {
        match events.next().await {
            Some(SpeechEvent::Turn(turn)) if turn.is_final => turns.push(turn),
            Some(SpeechEvent::Turn(_)) => {}
            end => return (turns, end),
        }
    }
}

fn heard(turns: &[Turn]) -> Vec<i64> {
    turns.iter().flat_map(|turn| numbers(&turn.text)).collect()
}

fn all(to: i64) -> Vec<i64> {
    (1..=to).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_sent_comes_back_as_text_once_and_in_order() {
    for in_a_chunk in [1, 3, 7, 40] {
        let (vendors, speech) = vendor();
        let mut stream = open(&speech).await.unwrap();
        assert!(stream.id.starts_with("stand-in-"));
        send(&stream.audio, 1..=200, in_a_chunk).await;
        stream.audio.close().await.unwrap();
        let (turns, end) = finals(&mut stream.events).await;
        assert_eq!(end, Some(SpeechEvent::Closed));
        assert_eq!(heard(&turns), all(200), "{in_a_chunk}");
        let orders: Vec<_> = turns.iter().map(|turn| turn.order).collect();
        assert_eq!(orders, (0..turns.len() as u64).collect::<Vec<_>>(), "one final for each turn");
        assert!(turns.iter().all(|turn| (turn.confidence - 0.9).abs() < 1e-9));
        assert_eq!(turns.last().unwrap().covered, Some(200 * PIECE));
        let seen = vendors.seen().speech;
        assert_eq!((seen.audio_ms, seen.terminated, seen.closed.len()), (10_000, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_goes_at_real_time_with_what_is_live_behind_it() {
    let (vendors, speech) = vendor();
    let mut stream = open(&speech).await.unwrap();
    let start = Instant::now();
    let sending = async {
        send(&stream.audio, 1..=1200, 20).await;
        stream.audio.close().await.unwrap();
    };
    let ((turns, end), ()) = tokio::join!(finals(&mut stream.events), sending);
    assert_eq!(end, Some(SpeechEvent::Closed), "it was not too fast");
    assert_eq!(heard(&turns), all(1200));
    assert!((58..=62).contains(&start.elapsed().as_secs()), "a minute of audio took {:?}", start.elapsed());
    assert_eq!(vendors.seen().speech.closed.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn partial_turns_tell_what_was_said_so_far() {
    let (_vendors, speech) = vendor();
    let mut stream = open(&speech).await.unwrap();
    send(&stream.audio, 1..=8, 8).await;
    let event = stream.events.next().await;
    let Some(SpeechEvent::Turn(turn)) = event else { panic!("{event:?}") };
    assert!(!turn.is_final && turn.covered.is_none() && numbers(&turn.text).first() == Some(&1), "{turn:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_turn_settles_when_all_that_was_said_before_it_is_final() {
    let (_vendors, speech) = vendor();
    let mut stream = open(&speech).await.unwrap();
    send(&stream.audio, 1..=30, 4).await;
    stream.audio.end_turn().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), (all(30), Some(SpeechEvent::Settled { position: 30 * PIECE })));
    // Nobody says anything.
    let start = Instant::now();
    stream.audio.send(Chunk { position: 30 * PIECE, pcm: silence(2000).into() }).await.unwrap();
    stream.audio.end_turn().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((turns.len(), end), (0, Some(SpeechEvent::Settled { position: 70 * PIECE })));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    send(&stream.audio, 71..=90, 4).await;
    stream.audio.close().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), ((71..=90).collect(), Some(SpeechEvent::Closed)));
}

#[tokio::test(start_paused = true)]
async fn what_follows_the_last_final_goes_into_a_new_stream_and_nothing_is_lost_or_doubled() {
    for seconds in [0.3, 1.0, 2.9, 4.7, 7.0] {
        let (vendors, speech) = vendor();
        vendors.fail(|faults| faults.speech = SpeechFault::Cut { seconds });
        let mut stream = open(&speech).await.unwrap();
        send(&stream.audio, 1..=200, 5).await;
        let (mut turns, end) = finals(&mut stream.events).await;
        assert!(matches!(end, Some(SpeechEvent::Lost(Unavailable { reason: Reason::Unreachable, .. }))), "{end:?}");
        let covered = turns.iter().filter_map(|turn| turn.covered).max().unwrap_or(0);
        vendors.fail(|faults| faults.speech = SpeechFault::None);
        let mut again = open(&speech).await.unwrap();
        assert_ne!(again.id, stream.id);
        send(&again.audio, i16::try_from(covered / PIECE).unwrap() + 1..=200, 5).await;
        again.audio.close().await.unwrap();
        let (more, end) = finals(&mut again.events).await;
        assert_eq!(end, Some(SpeechEvent::Closed));
        turns.extend(more);
        assert_eq!(heard(&turns), all(200), "cut after {seconds} s, covered {covered}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_close_code_says_what_to_do() {
    let cases = [
        (1008, Reason::Unauthorized),
        (3005, Reason::Failed),
        (3006, Reason::Rejected),
        (3007, Reason::Rejected),
        (3008, Reason::Expired),
        (3009, Reason::Busy),
    ];
    for (code, reason) in cases {
        let (vendors, speech) = vendor();
        vendors.fail(|faults| faults.speech = SpeechFault::Close { code, seconds: 1.0 });
        let mut stream = open(&speech).await.unwrap();
        send(&stream.audio, 1..=60, 5).await;
        let (_, end) = finals(&mut stream.events).await;
        let Some(SpeechEvent::Lost(why)) = end else { panic!("{code}: {end:?}") };
        assert_eq!(why.reason, reason, "{code}: {why}");
        assert_eq!(stream.events.next().await, None, "nothing follows");
        let (vendors, speech) = vendor_that_refuses(code);
        assert_eq!(open(&speech).await.unwrap_err().reason, reason, "{code} at the beginning");
        assert_eq!(vendors.seen().speech.refused, 1);
    }
    assert_eq!(Reason::Unauthorized.wait(), None, "a key does not become valid by waiting");
}

fn vendor_that_refuses(code: u16) -> (Vendors, AssemblyAi) {
    let (vendors, speech) = vendor();
    vendors.fail(|faults| faults.speech = SpeechFault::Refuse(code));
    (vendors, speech)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_is_not_tried_again_and_again() {
    let (vendors, speech) = vendor_that_refuses(1008);
    for _ in 0..50 {
        assert_eq!(open(&speech).await.unwrap_err().reason, Reason::Unauthorized);
    }
    assert_eq!(vendors.seen().speech.refused, 1);
    vendors.fail(|faults| faults.speech = SpeechFault::None);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert!(open(&speech).await.is_ok(), "somebody has paid");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_does_not_begin_or_dies_or_falls_silent_is_given_up() {
    let (vendors, speech) = vendor();
    vendors.fail(|faults| faults.speech = SpeechFault::Hang);
    let start = Instant::now();
    assert_eq!(open(&speech).await.unwrap_err().reason, Reason::Unreachable);
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());

    for (fault, reason, within) in [(SpeechFault::Dead, Reason::Unreachable, 45), (SpeechFault::Silent, Reason::Silent, 45)] {
        vendors.fail(|faults| faults.speech = SpeechFault::None);
        let mut stream = open(&speech).await.unwrap();
        vendors.fail(|faults| faults.speech = fault);
        let start = Instant::now();
        // Loud enough for speech.
        let (audio, sending) = (stream.audio.clone(), 2_000_i16..3_500);
        let sent = tokio::spawn(async move {
            for number in sending {
                let position = u64::from(number.unsigned_abs()) * PIECE;
                if audio.send(Chunk { position, pcm: numbered(number).into() }).await.is_err() {
                    return;
                }
            }
        });
        let (turns, end) = finals(&mut stream.events).await;
        assert!(matches!(&end, Some(SpeechEvent::Lost(why)) if why.reason == reason), "{fault:?}: {end:?}");
        assert_eq!(turns, []);
        assert!(start.elapsed() <= Duration::from_secs(within), "{fault:?}: {:?}", start.elapsed());
        sent.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_quiet_for_an_hour_has_a_stream_all_the_same() {
    let (vendors, speech) = vendor();
    let mut stream = open(&speech).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    send(&stream.audio, 1..=20, 4).await;
    stream.audio.close().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), (all(20), Some(SpeechEvent::Closed)));
    assert!(vendors.seen().speech.keep_alives > 100);
}

#[tokio::test(start_paused = true)]
async fn a_slow_vendor_loses_nothing() {
    let (vendors, speech) = vendor();
    vendors.fail(|faults| faults.speech = SpeechFault::Slow { ms: 900 });
    let mut stream = open(&speech).await.unwrap();
    // Loud enough for speech.
    send(&stream.audio, 1001..=1040, 8).await;
    stream.audio.end_turn().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), ((1001..=1040).collect(), Some(SpeechEvent::Settled { position: 1040 * PIECE })));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_is_not_formatted_is_final_as_it_was_heard() {
    let (vendors, speech) = vendor();
    vendors.fail(|faults| faults.speech_formatted = false);
    let mut stream = open(&speech).await.unwrap();
    send(&stream.audio, 1..=30, 5).await;
    stream.audio.end_turn().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), (all(30), Some(SpeechEvent::Settled { position: 30 * PIECE })));
}

#[tokio::test(start_paused = true)]
async fn a_stream_whose_caller_is_gone_ends() {
    let (vendors, speech) = vendor();
    let stream = open(&speech).await.unwrap();
    send(&stream.audio, 1..=5, 5).await;
    drop(stream.events);
    eventually_paused("the vendor was told", || vendors.seen().speech.terminated == 1).await;
    assert!(stream.audio.send(Chunk { position: 0, pcm: numbered(1).into() }).await.is_err());
    let stream = open(&speech).await.unwrap();
    let (audio, mut events) = (stream.audio, stream.events);
    drop(audio);
    assert_eq!(finals(&mut events).await.1, Some(SpeechEvent::Closed));
    assert_eq!(vendors.seen().speech.terminated, 2);
    eventually_paused("both are closed", || vendors.seen().speech.open == 0).await;
}

/// In paused time: a wait costs nothing.
async fn eventually_paused(fact: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "never happened: {fact}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_new_streams_than_the_vendor_allows_are_busy() {
    let (vendors, speech) = vendor();
    vendors.fail(|faults| faults.speech_per_minute = 2);
    let _open = (open(&speech).await.unwrap(), open(&speech).await.unwrap());
    assert_eq!(open(&speech).await.unwrap_err().reason, Reason::Busy);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(open(&speech).await.is_ok());
}

#[tokio::test]
async fn new_streams_of_all_nodes_are_counted_together() {
    let account = unique("account");
    let (one, other) = (redis::single().client().await, redis::single().client().await);
    let (one, other) = (SharedOpenings::new(one, &account, 20), SharedOpenings::new(other, &account, 20));
    assert_eq!(one.take().await, Some(Ok(())));
    assert_eq!(other.take().await, Some(Ok(())));
    let refused = other.take().await;
    assert!(matches!(refused, Some(Err(wait)) if wait > Duration::ZERO && wait <= Duration::from_secs(4)), "{refused:?}");
    let another = SharedOpenings::new(redis::single().client().await, &unique("account"), 20);
    assert_eq!(another.take().await, Some(Ok(())), "another account");
}

fn settings(url: String) -> Speech {
    Speech { url: url.into(), key: Secret::new("the key"), model: "stand-in".into(), sessions_per_minute: 100 }
}

fn over_http(url: String) -> AssemblyAi {
    AssemblyAi::with(Box::new(HttpDial::new(&settings(url)).unwrap()), Box::new(Unlimited), "stand-in")
}

#[tokio::test]
async fn over_the_network_the_key_is_in_a_header_and_the_audio_is_described_in_the_address() {
    let server = Server::start().await;
    let speech = over_http(format!("ws://{}/v3/ws", server.address));
    let mut stream = open(&speech).await.unwrap();
    send(&stream.audio, 1..=30, 5).await;
    stream.audio.close().await.unwrap();
    let (turns, end) = finals(&mut stream.events).await;
    assert_eq!((heard(&turns), end), (all(30), Some(SpeechEvent::Closed)));
    let seen = server.vendors.seen().speech;
    assert_eq!(seen.key, "the key");
    assert_eq!(seen.query, "sample_rate=16000&encoding=pcm_s16le&format_turns=true&speech_model=stand-in");
    eventually("its connection is closed", || server.vendors.seen().speech.open == 0).await;
}

#[tokio::test]
async fn a_vendor_that_answers_with_a_status_or_not_at_all_is_not_available() {
    let server = Server::start().await;
    let url = format!("ws://{}/v3/ws", server.address);
    for (status, reason) in [
        (401, Reason::Unauthorized),
        (402, Reason::Unauthorized),
        (404, Reason::Rejected),
        (429, Reason::Busy),
        (503, Reason::Failed),
    ] {
        server.vendors.fail(|faults| faults.speech = SpeechFault::Status(status));
        let refused = open(&over_http(url.clone())).await.unwrap_err();
        assert_eq!(refused.reason, reason, "{status}");
        assert!(!refused.to_string().contains("the key"), "{refused}");
    }
    drop(server);
    assert_eq!(open(&over_http(url)).await.unwrap_err().reason, Reason::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn the_stand_in_is_as_strict_as_the_vendor() {
    let too_fast = vec![silence(1000); 2];
    let cases = [
        (too_fast, "", 3007),
        (vec![silence(49)], "", 3007),
        (vec![silence(1001)], "", 3007),
        (Vec::new(), "{", 3006),
        (Vec::new(), r#"{"type":"Stop"}"#, 3006),
        (vec![silence(1000)], r#"{"type":"Terminate"}"#, 1000),
    ];
    for (audio, message, expected) in cases {
        let vendors = Vendors::default();
        let mut raw = WebSocket::after_handshake(in_memory(&vendors), Role::Client);
        // Nobody reads an answer to a close.
        raw.set_auto_close(false);
        for piece in audio {
            raw.write_frame(Frame::binary(piece.into())).await.unwrap();
        }
        if !message.is_empty() {
            raw.write_frame(Frame::text(message.as_bytes().to_vec().into())).await.unwrap();
        }
        let closed = loop {
            let frame = raw.read_frame().await.unwrap();
            if frame.opcode == OpCode::Close {
                break u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            }
        };
        assert_eq!(closed, expected, "{message}");
    }
}
