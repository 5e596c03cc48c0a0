//! What the candidate says: chunks of audio, and the text that the speech service makes of them.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::session::ms;
use super::{Candidate, HUB, Outcome, Session, all_keys, head, json, judged, live, read_session};
use crate::cluster::scripts::Op;
use crate::core::StreamId;
use crate::redis::script::{Args, Eval, Reply};
use crate::rooms::scripts::{Told, told};

/// How much audio is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLimits {
    pub chunks_per_second: u32,
    /// ms of audio in a second.
    pub ms_per_second: u32,
    /// So much audio may come at once; and so many chunks as come in that time.
    pub burst: Duration,
    /// For one answer.
    pub answer: Duration,
}

impl Default for AudioLimits {
    fn default() -> Self {
        Self { chunks_per_second: 30, ms_per_second: 2000, burst: Duration::from_secs(30), answer: Duration::from_secs(900) }
    }
}

/// What came of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioTake {
    /// It is in `interview:audio`: acknowledge it.
    Taken {
        id: StreamId,
        /// The session was paused until now.
        resumed: bool,
        told: Told,
        due_in: Option<Duration>,
    },
    /// `RATE_LIMITED`: not taken.
    RateLimited,
    /// The answer is as long as one may be: not taken.
    TooLong,
    /// The last question is answered: not taken.
    AfterLast,
}

/// Takes a chunk of PCM (s16le, 16 kHz, mono), so many ms long. What comes while an answer is being finished belongs to the next
/// question. It waits for a replica, as everything that is acknowledged.
pub async fn audio_take<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    pcm: Bytes,
    length: Duration,
    limits: AudioLimits,
) -> Outcome<AudioTake, E::Error> {
    let args = head(op, interview, candidate).bytes(pcm).int(ms(length)).int(limits.chunks_per_second.into());
    let args = args.int(limits.ms_per_second.into()).int(ms(limits.burst)).int(ms(limits.answer)).done();
    let mut reply = Reply::new(TAKE.name, redis.eval_write(&TAKE, all_keys(interview), args).await?)?;
    let (outcome, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(match outcome.as_str() {
        "ok" => AudioTake::Taken { id: reply.parsed()?, resumed: reply.flag()?, told, due_in: reply.wait()? },
        "limited" => AudioTake::RateLimited,
        "too_long" => AudioTake::TooLong,
        _ => AudioTake::AfterLast,
    }))
}

/// A chunk as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioEntry {
    pub id: StreamId,
    /// Of the question to whose answer it belongs.
    pub position: u32,
    pub pcm: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AudioPage {
    pub entries: Vec<AudioEntry>,
    /// There are more: read on from the last entry.
    pub more: bool,
    /// `None`: there is no live state.
    pub session: Option<Session>,
}

/// Audio after one entry and up to another (`None`: the newest), about so many bytes of it, and the session as it is now. Changes
/// nothing: it may run over the reader connection.
pub async fn audio_read<E: Eval>(
    redis: &E,
    interview: Uuid,
    after: StreamId,
    up_to: Option<StreamId>,
    bytes: usize,
) -> Result<AudioPage, E::Error> {
    let up_to = up_to.map_or_else(|| "+".to_owned(), |id| id.to_string());
    let args = Args::new().owned(after.to_string()).owned(up_to).int(bytes as u64).done();
    let mut reply = Reply::new(AUDIO.name, redis.eval(&AUDIO, all_keys(interview), args).await?)?;
    told(&mut reply)?;
    let more = reply.flag()?;
    let session = read_session(&mut reply)?;
    let mut entries = Vec::with_capacity(reply.left() / 3);
    while reply.left() > 0 {
        entries.push(AudioEntry { id: reply.parsed()?, position: reply.parsed()?, pcm: reply.bytes()? });
    }
    Ok(AudioPage { entries, more, session })
}

/// A speech stream begins, named so that no other has its name: from here on only its turns count. Returns the entry behind which its
/// audio begins. Call it when the stream is open and before anything is sent into it.
pub async fn turn_open<E: Eval>(redis: &E, interview: Uuid, op: Op<'_>, stream: &str) -> Outcome<StreamId, E::Error> {
    let args = head(op, interview, HUB).text(stream).done();
    let mut reply = Reply::new(OPEN.name, redis.eval_write(&OPEN, all_keys(interview), args).await?)?;
    match judged(&mut reply)? {
        Ok(_) => Ok(Ok(reply.parsed()?)),
        Err(refused) => Ok(Err(refused)),
    }
}

/// A final turn, as it is kept until the answer is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    pub stream: String,
    /// In the stream.
    pub order: u32,
    /// Of the question to which it belongs.
    pub position: u32,
    pub text: String,
    pub confidence: f64,
    /// When it was spoken (ms since 1970), as well as the speaker's node knows.
    pub at: u64,
}

/// Up to where all audio has its final text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// The last entry of the audio that has it whole.
    pub entry: StreamId,
    /// Bytes of the entry behind it that have it.
    pub bytes: u32,
}

impl From<StreamId> for Heard {
    fn from(entry: StreamId) -> Self {
        Self { entry, bytes: 0 }
    }
}

/// A turn, with the place up to which there was text with it.
#[derive(Serialize, Deserialize)]
struct KeptTurn<T> {
    #[serde(flatten)]
    turn: T,
    #[serde(default)]
    heard: String,
    #[serde(default)]
    bytes: u32,
}

/// What came of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnTold {
    Told {
        /// False: its question is past, or there are very many turns. The caller writes it to PostgreSQL.
        kept: bool,
        told: Told,
    },
    /// It was told before.
    Duplicate,
    /// Another stream has begun since: its turns count.
    Stale,
}

/// What a turn says so far, volatile: `transcription` to the candidate, `live-transcript` to observers.
pub async fn turn_partial<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    stream: &str,
    text: &str,
    confidence: f64,
) -> Outcome<TurnTold, E::Error> {
    let args = head(op, interview, HUB).text(stream).owned(json(text)).owned(json(&confidence)).done();
    let mut reply = Reply::new(PARTIAL.name, redis.eval(&PARTIAL, all_keys(interview), args).await?)?;
    Ok(judged(&mut reply)?.map(|(outcome, told)| match outcome.as_str() {
        "ok" => TurnTold::Told { kept: false, told },
        _ => TurnTold::Stale,
    }))
}

/// A turn has ended: final `transcription` and `live-transcript`, logged, once for each stream and order. `heard`: up to where there is
/// text now; a stream that begins later starts behind it.
pub async fn turn_final<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    turn: &Turn,
    heard: impl Into<Heard>,
) -> Outcome<TurnTold, E::Error> {
    let Heard { entry, bytes } = heard.into();
    let kept = KeptTurn { turn, heard: entry.to_string(), bytes };
    let args = head(op, interview, HUB).text(&turn.stream).int(turn.order.into()).int(turn.position.into());
    let args = args.owned(json(&turn.text)).owned(json(&turn.confidence)).owned(entry.to_string()).owned(json(&kept)).done();
    let mut reply = Reply::new(FINAL.name, redis.eval_write(&FINAL, all_keys(interview), args).await?)?;
    let (outcome, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(match outcome.as_str() {
        "ok" => TurnTold::Told { kept: reply.flag()?, told },
        "duplicate" => TurnTold::Duplicate,
        _ => TurnTold::Stale,
    }))
}

/// All audio up to this entry has its final text, or nothing is said in it. False: another stream counts, or the session is over.
pub async fn turn_heard<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    stream: &str,
    heard: StreamId,
) -> Result<bool, E::Error> {
    let args = head(op, interview, HUB).text(stream).owned(heard.to_string()).done();
    let mut reply = Reply::new(HEARD.name, redis.eval(&HEARD, all_keys(interview), args).await?)?;
    Ok(judged(&mut reply)?.is_ok_and(|(outcome, _)| outcome == "ok"))
}

/// Bytes of turns that one script answers.
const TURNS_BYTES: u64 = 256 * 1024;

/// All final turns of the open question, in order.
pub async fn turn_read<E: Eval>(redis: &E, interview: Uuid) -> Result<Vec<Turn>, E::Error> {
    Ok(kept_turns(redis, interview).await?.into_iter().map(|kept| kept.turn).collect())
}

/// How many bytes behind this entry have their text already: those that the last turn covers, if it is the one that has said so.
pub async fn turn_bytes<E: Eval>(redis: &E, interview: Uuid, heard: StreamId) -> Result<u32, E::Error> {
    let turns = kept_turns(redis, interview).await?;
    Ok(turns.last().filter(|last| last.heard == heard.to_string()).map_or(0, |last| last.bytes))
}

async fn kept_turns<E: Eval>(redis: &E, interview: Uuid) -> Result<Vec<KeptTurn<Turn>>, E::Error> {
    let (mut turns, mut after) = (Vec::new(), 0);
    loop {
        let args = Args::new().int(after).int(TURNS_BYTES).done();
        let mut reply = Reply::new(TURNS.name, redis.eval(&TURNS, all_keys(interview), args).await?)?;
        after = reply.uint()?;
        let more = reply.flag()?;
        while reply.left() > 0 {
            let turn = serde_json::from_str(&reply.text()?).map_err(|error| reply.bad(error.to_string()))?;
            turns.push(turn);
        }
        if !more {
            return Ok(turns);
        }
    }
}

live!(TAKE = "audio_take");
live!(AUDIO = "audio_read");
live!(OPEN = "turn_open");
live!(PARTIAL = "turn_partial");
live!(FINAL = "turn_final");
live!(HEARD = "turn_heard");
live!(TURNS = "turn_read");
