//! AI, question audio and storage of interviews, against a stand-in that fails as it is told.

use std::time::Duration;

use bytes::Bytes;
use convoke::features::interviews::providers::ai::openai::OpenAi;
use convoke::features::interviews::providers::ai::{About, Ai, AiError, Answered, Recommendation};
use convoke::features::interviews::providers::audio::store::ObjectAudio;
use convoke::features::interviews::providers::audio::{AudioStorage, StorageError, wav};
use convoke::features::interviews::providers::voice::openai::OpenAiVoice;
use convoke::features::interviews::providers::voice::{Voice, VoiceError};
use convoke::features::interviews::settings::{self, Audio, Credentials, S3};
use convoke::settings::Secret;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::booking::{Answer, World};
use crate::support::hub::{CLUSTER_SECRET, Hub};
use crate::support::vendors::{AiFault, Server, SpeechFault, StorageFault, VoiceFault};
use crate::support::{postgres, redis, within};

const ABOUT: About<'_> = About { title: "Backend engineer", assessment: "Basics" };
/// For calls that are never answered.
const SHORT: Duration = Duration::from_secs(1);

fn ai(server: &Server) -> OpenAi {
    let base = format!("http://{}/v1", server.address).into();
    OpenAi::new(&settings::Ai { base, key: Secret::new("the key"), model: "stand-in".into() }).unwrap()
}

fn said(answer: &str) -> Answered {
    Answered { question: "What is a lease?".into(), kind: "TECHNICAL".into(), answer: answer.into(), score: None }
}

#[tokio::test]
async fn the_ai_scores_answers_words_questions_and_judges_interviews() {
    let server = Server::start().await;
    let ai = ai(&server);
    let evaluation = ai.evaluate(ABOUT, &said("A promise with an end.")).await.unwrap();
    assert_eq!((evaluation.score, &*evaluation.evaluation), (55, "The answer has 5 words."));
    assert_eq!(ai.evaluate(ABOUT, &said("")).await.unwrap().score, 0);
    assert_eq!(ai.next_question(ABOUT, &[said("A promise.")], "And a fence?").await.unwrap(), "And a fence?");
    let scored = Answered { score: Some(90), ..said("A promise.") };
    let summary = ai.summarize(ABOUT, &[scored.clone(), scored]).await.unwrap();
    assert_eq!((summary.overall_score, summary.recommendation), (90, Recommendation::StrongHire));
    assert!(!summary.strengths.is_empty() && !summary.weaknesses.is_empty() && summary.summary.contains('2'));
    let seen = server.vendors.seen().ai;
    assert_eq!(json!(seen.calls), json!({"answer_evaluation": 2, "next_question": 1, "interview_summary": 1}));
}

#[tokio::test]
async fn what_the_ai_answers_wrong_is_a_failure_of_that_try_and_there_are_two() {
    let server = Server::start().await;
    let ai = ai(&server).within(SHORT);
    let calls = || server.vendors.seen().ai.calls.values().sum::<u64>();
    let cases = [
        (AiFault::Status(500), AiError::Status(500)),
        (AiFault::Status(429), AiError::Status(429)),
        (AiFault::Garbage, AiError::Unfit("it is no completion")),
        (AiFault::Malformed, AiError::Unfit("it is no JSON")),
        (AiFault::WrongSchema, AiError::Unfit("it has other fields than the schema")),
        (AiFault::Refusal, AiError::Refused),
        (AiFault::Length, AiError::CutOff),
        (AiFault::Slow { ms: 60_000 }, AiError::TimedOut),
        (AiFault::Hang, AiError::TimedOut),
    ];
    for (fault, expected) in cases {
        let before = calls();
        server.vendors.fail(|faults| (faults.ai, faults.ai_times) = (fault, None));
        assert_eq!(ai.evaluate(ABOUT, &said("A promise.")).await, Err(expected), "{fault:?}");
        assert_eq!(calls() - before, 2, "{fault:?}");
        server.vendors.fail(|faults| faults.ai_times = Some(1));
        assert!(ai.evaluate(ABOUT, &said("A promise.")).await.is_ok(), "{fault:?} once");
    }
    server.vendors.fail(|faults| (faults.ai, faults.ai_times) = (AiFault::Cut, None));
    let cut = ai.evaluate(ABOUT, &said("A promise.")).await;
    assert!(matches!(cut, Err(AiError::Unreachable(_))), "{cut:?}");
    let before = calls();
    server.vendors.fail(|faults| faults.ai = AiFault::Status(401));
    assert_eq!(ai.evaluate(ABOUT, &said("A promise.")).await, Err(AiError::Status(401)));
    assert_eq!(calls() - before, 1, "another try has the same key");
}

fn voice(server: &Server) -> OpenAiVoice {
    let base = format!("http://{}/v1", server.address).into();
    let (key, model, voice) = (Secret::new("the key"), "stand-in".into(), "plain".into());
    OpenAiVoice::new(&settings::Voice { base, key, model, voice }).unwrap()
}

#[tokio::test]
async fn a_question_is_read_aloud_or_it_is_said_why_not() {
    let server = Server::start().await;
    let voice = voice(&server).within(SHORT);
    let spoken = self::voice(&server).speak("What is a lease?").await.unwrap();
    assert_eq!((spoken.content_type, spoken.extension), ("audio/wav", "wav"));
    assert!(wav::pcm(spoken.audio).is_ok());
    assert!(self::voice(&server).speak(&"A long sentence. ".repeat(500)).await.is_ok());
    let input = server.vendors.seen().voice.input;
    assert!(input.len() <= 4096 && input.ends_with("sentence."), "{}", input.len());
    assert_eq!(voice.speak("  ").await, Err(VoiceError::Empty));
    for (fault, expected) in [
        (VoiceFault::Status(503), VoiceError::Status(503)),
        (VoiceFault::Garbage, VoiceError::Unfit),
        (VoiceFault::Hang, VoiceError::TimedOut),
    ] {
        server.vendors.fail(|faults| faults.voice = fault);
        assert_eq!(voice.speak("What is a lease?").await, Err(expected), "{fault:?}");
    }
    server.vendors.fail(|faults| faults.voice = VoiceFault::Endless);
    assert_eq!(self::voice(&server).speak("What is a lease?").await, Err(VoiceError::TooLarge));
    drop(server);
    assert!(matches!(voice.speak("What is a lease?").await, Err(VoiceError::Unreachable(_))));
}

fn bucket(server: &Server) -> ObjectAudio {
    let s3 = S3 {
        bucket: "audio".into(),
        prefix: "interviews".into(),
        region: "us-east-1".into(),
        endpoint: Some(format!("http://{}/s3", server.address).into()),
        credentials: Some(Credentials { id: "stand-in".into(), secret: Secret::new("a secret"), session: None }),
    };
    ObjectAudio::new(&Audio::S3(s3), None).unwrap()
}

#[tokio::test]
async fn audio_in_a_bucket_is_read_by_its_address_and_a_full_bucket_says_so() {
    let server = Server::start().await;
    let storage = bucket(&server);
    let file = wav::file(&[1, 0, 2, 0]);
    storage.put("i-1/answer-1.wav", "audio/wav", file.clone()).await.unwrap();
    let url = storage.url("i-1/answer-1.wav").await.unwrap();
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"audio/wav".parse().unwrap()));
    assert_eq!(answer.bytes().await.unwrap(), file);
    for fault in [StorageFault::Status(507), StorageFault::Status(503), StorageFault::Status(403)] {
        server.vendors.fail(|faults| faults.storage = fault);
        let full = storage.put("i-1/answer-2.wav", "audio/wav", file.clone()).await;
        assert!(matches!(&full, Err(StorageError::Unavailable(why)) if !why.contains("a secret")), "{fault:?}: {full:?}");
    }
    server.vendors.fail(|faults| faults.storage = StorageFault::Hang);
    let hung = bucket(&server).within(SHORT).put("i-1/answer-2.wav", "audio/wav", file.clone()).await;
    assert_eq!(hung, Err(StorageError::TimedOut));
    server.vendors.fail(|faults| faults.storage = StorageFault::None);
    assert_eq!(storage.put("i-1/answer-2.wav", "audio/wav", file).await, Ok(()));
}

#[tokio::test]
async fn audio_in_a_folder_is_served_to_those_who_have_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let Some(world) = World::start(2, &[("AUDIO_STORAGE_URL", &url)]).await else { return };
    // As a third node would make its addresses.
    let settings = Audio::Folder { path: folder.path().into(), public_url: "".into() };
    let storage = ObjectAudio::new(&settings, Some(&Secret::new(CLUSTER_SECRET))).unwrap();
    let file = wav::file(&[7; 64_000]);
    storage.put("i-1/answer-1.wav", "audio/wav", file.clone()).await.unwrap();
    let address = storage.url("i-1/answer-1.wav").await.unwrap();
    for hub in &world.hubs {
        for method in [Method::GET, Method::HEAD] {
            let answer = hub.request(method.clone(), &address).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{method}");
            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            let told = ["content-type", "content-length", "x-content-type-options"].map(header);
            assert_eq!(told, ["audio/wav".to_owned(), file.len().to_string(), "nosniff".to_owned()], "{method}");
            let expected = if method == Method::GET { file.clone() } else { Bytes::new() };
            assert_eq!(answer.bytes().await.unwrap(), expected, "{method}");
        }
    }
    for (range, status, content_range, expected) in [
        ("bytes=0-1", 206, Some("bytes 0-1/64044"), &file[..2]),
        ("bytes=64000-", 206, Some("bytes 64000-64043/64044"), &file[64_000..]),
        ("bytes=-4", 206, Some("bytes 64040-64043/64044"), &file[64_040..]),
        ("bytes=64044-", 416, Some("bytes */64044"), &[][..]),
        ("bytes=0-1,4-5", 200, None, &file[..]),
    ] {
        let answer = world.hubs[0].request(Method::GET, &address).header("range", range).send().await.unwrap();
        let told = answer.headers().get("content-range").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((answer.status().as_u16(), told.as_deref()), (status, content_range), "{range}");
        assert_eq!(&answer.headers()["accept-ranges"], "bytes", "{range}");
        assert_eq!(answer.headers().contains_key("content-type"), status != 416, "{range}");
        assert_eq!(answer.bytes().await.unwrap(), expected, "{range}");
    }
    let (path, query) = address.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let absent = storage.url("i-1/answer-2.wav").await.unwrap();
    for (address, status, code) in [
        (path.to_owned(), 403, "FORBIDDEN"),
        (format!("{path}?{expires}"), 403, "FORBIDDEN"),
        (format!("{path}?{signature}&exp=1"), 403, "FORBIDDEN"),
        (format!("{path}?exp=99999999999&{signature}"), 403, "FORBIDDEN"),
        (format!("/media/i-1/answer-2.wav?{query}"), 403, "FORBIDDEN"),
        (format!("/media/i-1/..%2F..%2Fetc%2Fpasswd?{query}"), 403, "FORBIDDEN"),
        (absent, 404, "NOT_FOUND"),
    ] {
        let answer = Answer::of(world.hubs[0].request(Method::GET, &address)).await;
        assert_eq!((answer.status, &answer.body["error"]), (status, &json!(code)), "{address}: {answer:?}");
        assert!(answer.body["message"].is_string(), "{answer:?}");
    }
}

#[tokio::test]
async fn who_reads_audio_slowly_takes_no_room_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}", folder.path().display());
    let redis = redis::single().url();
    let database = postgres::database().await;
    let hub = Hub::start(&[("REDIS_URL", &redis), ("DATABASE_URL", &database), ("AUDIO_STORAGE_URL", &url)]).await;
    let settings = Audio::Folder { path: folder.path().into(), public_url: "".into() };
    let storage = ObjectAudio::new(&settings, Some(&Secret::new(CLUSTER_SECRET))).unwrap();
    // As long as an answer may be.
    let (answer, question) = (wav::file(&vec![7; 15 * 60 * 32_000]), Bytes::from(vec![8; 300_000]));
    storage.put("i-1/answer-1.wav", "audio/wav", answer.clone()).await.unwrap();
    storage.put("i-1/question-1.mp3", "audio/mpeg", question.clone()).await.unwrap();
    let address = storage.url("i-1/answer-1.wav").await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut client = tokio::net::TcpStream::connect(hub.address).await.unwrap();
        client.write_all(format!("GET {address} HTTP/1.1\r\nhost: hub\r\n\r\n").as_bytes()).await.unwrap();
        let mut status = [0; 12];
        within(client.read_exact(&mut status)).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        slow.push(client);
    }
    let address = storage.url("i-1/question-1.mp3").await.unwrap();
    let served = within(hub.request(Method::GET, &address).send()).await.unwrap();
    assert_eq!((served.status().as_u16(), served.bytes().await.unwrap()), (200, question));
    // What is read slowly comes whole.
    let mut read = Vec::new();
    let mut client = slow.pop().unwrap();
    while read.len() < answer.len() {
        assert!(within(client.read_buf(&mut read)).await.unwrap() > 0);
    }
    assert!(read.ends_with(&answer[answer.len() - 1_000..]));
}

#[tokio::test]
async fn check_says_whether_each_vendor_takes_us() {
    let server = Server::start().await;
    let (redis, database) = (redis::single().url(), postgres::database().await);
    let check = async |more: &[(&str, &str)]| {
        let mut env = vec![("REDIS_URL".to_owned(), redis.clone()), ("DATABASE_URL".to_owned(), database.clone())];
        env.extend(server.settings().into_iter().map(|(name, value)| (name.to_owned(), value)));
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let run = move || {
            let env: Vec<_> = env.iter().map(|(name, value)| (&**name, &**value)).collect();
            Hub::command("check", &env).output().unwrap()
        };
        String::from_utf8(tokio::task::spawn_blocking(run).await.unwrap().stdout).unwrap()
    };
    let report = check(&[]).await;
    for vendor in ["speech to text", "AI", "question audio", "audio storage"] {
        assert!(report.contains(&format!("ok    {vendor}: ")), "{vendor}: {report}");
    }
    server.vendors.fail(|faults| {
        faults.speech = SpeechFault::Refuse(1008);
        faults.storage = StorageFault::Status(403);
    });
    let report = check(&[("AI_MODEL", "a-model-that-was-retired")]).await;
    for told in ["speech to text: ", "AI: it does not know the model a-model-that-was-retired", "audio storage: "] {
        assert!(report.contains(&format!("BAD   {told}")), "{told}: {report}");
    }
    assert!(report.contains("ok    question audio: ") && !report.contains("of the stand-in"), "{report}");
}
