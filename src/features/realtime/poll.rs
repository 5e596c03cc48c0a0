//! Polling: one node of all asks LiveKit in each interval who is in the rooms of sessions, and puts right what webhooks have
//! lost. What becomes of a session is judged in [`rules`](super::rules).
//!
//! ```text
//!  lease ─► sessions, each with its rev ─► ListRooms ─► judge each ─► write, if the rev is still the same
//!    │                                        │ fails
//!    └─ another node's: wait until it ends    └─► nothing is removed, and the next success only observes
//! ```
//!
//! Rooms are asked for by name, so many at a time. From time to time all rooms of the server are listed instead: only so are rooms
//! found that no session leads to, be it that they must go, or that Redis has lost their sessions. Either way a round costs a bounded
//! number of calls.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use tokio::time::{Instant, sleep, timeout};

use super::metrics::{LISTINGS, ROUNDS, SESSIONS};
use super::rules::{Round, Rules, Sight, Verdict};
use super::scripts::{If, Session, Status, Turn, realtime_poller, realtime_seen, texts};
use super::{Realtime, keys};
use crate::core::error::chain;
use crate::livekit::rooms::RoomOwner as _;
use crate::livekit::{LiveKitError, Room};
use crate::redis::{RedisError, cmd};
use crate::telemetry::once_a_minute;

/// Names in one call of ListRooms.
const NAMES: usize = 500;
/// Such calls of one round. Where more were needed, all rooms are listed, in one call.
const MOST_CALLS: usize = 20;
/// Such calls at the same time.
const CALLS_AT_ONCE: usize = 4;
/// Every so many rounds all rooms are listed.
const ALL_EVERY: u32 = 4;
/// Rooms without a session that one round looks at.
const STRAYS: usize = 500;
/// For the calls of one round, all tries together.
const LISTING: Duration = Duration::from_secs(10);
/// Sessions of one page of the index.
const PAGE: usize = 1_000;
/// Sessions that are written at the same time, and rooms that are deleted.
const AT_ONCE: usize = 16;

/// What this node remembers of its rounds. All of it may be lost: then a session stays some rounds longer.
#[derive(Default)]
struct Memory {
    /// When the first round began that succeeded after the last failure (Redis' clock).
    steady_since_ms: Option<u64>,
    /// Sessions whose rooms were empty in the rounds right before: the rev, and in how many rounds.
    empty: HashMap<String, (u64, u8)>,
    rounds: u32,
    /// In the round before.
    sessions: usize,
    /// There were more rooms without a session than one round looks at.
    is_behind: bool,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    LiveKit(#[from] LiveKitError),
}

/// What LiveKit has answered.
struct Listed {
    rooms: Vec<Room>,
    /// All rooms of the server, not only those that were asked for by name.
    is_whole: bool,
}

impl Realtime {
    /// Starts to poll.
    pub(super) fn start(self: &Arc<Self>) {
        let (realtime, stopping) = (self.clone(), self.stopping.clone());
        tokio::spawn(stopping.run_until_cancelled_owned(async move { realtime.poll().await }));
    }

    /// Gives the lease back, and waits for rooms that are being deleted, until then at most.
    pub(super) async fn stop(&self, by: Instant) {
        self.stopping.cancel();
        self.tasks.close();
        let _ = timeout(Duration::from_secs(1), realtime_poller(&self.redis, &self.node, 1)).await;
        let _ = tokio::time::timeout_at(by, self.tasks.wait()).await;
    }

    async fn poll(self: Arc<Self>) {
        let interval = self.settings.interval;
        // Half an interval more than a round takes to come, so that a node that was killed is replaced in the next one but one.
        let lease_ms = u64::try_from(interval.mul_f64(1.5).as_millis()).unwrap_or(u64::MAX);
        let mut memory = Memory::default();
        loop {
            let began = Instant::now();
            let wait = match realtime_poller(&self.redis, &self.node, lease_ms).await {
                Ok(Turn::Ours { now_ms }) => {
                    self.round(&mut memory, now_ms).await;
                    interval.saturating_sub(began.elapsed())
                }
                Ok(Turn::Others { for_ms }) => {
                    memory = Memory::default();
                    let jitter = rand::rng().random_range(0.0..0.1);
                    Duration::from_millis(for_ms).min(interval) + interval.mul_f64(jitter)
                }
                Err(error) => {
                    once_a_minute!(warn, "realtime sessions: no polling without Redis", error = chain(&error));
                    memory = Memory::default();
                    interval
                }
            };
            sleep(wait).await;
        }
    }

    async fn round(&self, memory: &mut Memory, began_ms: u64) {
        let round = Round { began_ms, steady_since_ms: memory.steady_since_ms };
        let outcome = match self.look(memory, round).await {
            Ok(()) if round.steady_since_ms.is_none() => "observed",
            Ok(()) => "ok",
            Err(error) => {
                once_a_minute!(
                    warn,
                    "realtime sessions: a round of polling has failed; nothing was removed",
                    error = chain(&error)
                );
                *memory = Memory::default();
                "failed"
            }
        };
        if outcome != "failed" {
            memory.steady_since_ms = memory.steady_since_ms.or(Some(began_ms));
            memory.rounds += 1;
        }
        metrics::counter!(ROUNDS, "outcome" => outcome).increment(1);
    }

    /// One round: nothing is written before everything is read.
    async fn look(&self, memory: &mut Memory, round: Round) -> Result<(), Failed> {
        let sessions = self.all_sessions().await?;
        // Half of them gone at once: Redis may have forgotten them.
        let is_lost = sessions.len() * 2 < memory.sessions;
        let is_whole = memory.rounds.is_multiple_of(ALL_EVERY) || memory.is_behind || is_lost;
        memory.sessions = sessions.len();
        let listed = self.listed(&sessions, is_whole).await?;
        let present: HashMap<&str, &Room> = listed.rooms.iter().map(|room| (&*room.name, room)).collect();
        let rules = Rules::new(self.settings.stale, self.livekit.token_ttl());
        let before = std::mem::take(&mut memory.empty);
        let mut verdicts = Vec::new();
        for session in &sessions {
            let sight = match present.get(&*session.room) {
                None => Sight::NoRoom,
                Some(room) if room.participants == 0 => Sight::Nobody,
                Some(_) => Sight::Somebody,
            };
            let counted = before.get(&session.id).filter(|(rev, _)| *rev == session.rev).map_or(0, |(_, counted)| *counted);
            match rules.judge(session, sight, round, counted) {
                Verdict::Keep => {}
                Verdict::Count(counted) => {
                    memory.empty.insert(session.id.clone(), (session.rev, counted));
                }
                verdict => verdicts.push((session.clone(), sight, verdict)),
            }
        }
        gauge(&sessions);
        let written =
            stream::iter(verdicts).map(|(session, sight, verdict)| async move { self.write(&session, sight, verdict).await });
        written.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        if listed.is_whole {
            let known: HashSet<&str> = sessions.iter().map(|session| &*session.room).collect();
            let mut strays: Vec<Room> = listed.rooms.iter().filter(|room| self.owns(&room.name)).cloned().collect();
            strays.retain(|room| !known.contains(&*room.name));
            // Our own first, and of other hubs' on the same LiveKit others each time: those may be very many.
            strays.shuffle(&mut rand::rng());
            strays.sort_by_cached_key(|room| !self.names.is_ours(&room.name));
            // After Redis has forgotten very many, the rest comes with the next round.
            memory.is_behind = strays.get(STRAYS).is_some_and(|room| self.names.is_ours(&room.name));
            strays.truncate(STRAYS);
            let found = stream::iter(strays).map(|room| async move { self.found(&room).await });
            found.buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        }
        Ok(())
    }

    async fn write(&self, session: &Session, sight: Sight, verdict: Verdict) -> Result<(), RedisError> {
        match verdict {
            Verdict::Keep | Verdict::Count(_) => {}
            Verdict::Seen => {
                if realtime_seen(&self.redis, &session.id, session.rev, self.life_ms()).await? {
                    self.renew(session).await?;
                }
            }
            Verdict::Remove(reason) => {
                if self.remove(session, If::Rev(session.rev), reason).await? && sight != Sight::NoRoom {
                    self.delete_room(&session.room).await;
                }
            }
        }
        Ok(())
    }

    /// All sessions; index entries without one are dropped.
    async fn all_sessions(&self) -> Result<Vec<Session>, RedisError> {
        let mut sessions = Vec::new();
        let mut at = 0;
        loop {
            let mut list = cmd("ZRANGE");
            list.arg(keys::ALL).arg(at).arg(at + PAGE - 1);
            let ids = texts(self.redis.command_idempotent(list, keys::ALL).await?);
            let read = self.read_all(&ids).await?;
            let missing: Vec<_> =
                ids.iter().zip(&read).filter(|(_, session)| session.is_none()).map(|(id, _)| id.clone()).collect();
            self.drop_from(keys::ALL, &missing).await?;
            // What was dropped here stands no longer before the next page.
            at += ids.len() - missing.len();
            sessions.extend(read.into_iter().flatten());
            if ids.len() < PAGE {
                return Ok(sessions);
            }
        }
    }

    /// The rooms of these sessions, as far as they are there, or all rooms.
    async fn listed(&self, sessions: &[Session], is_whole: bool) -> Result<Listed, LiveKitError> {
        let deadline = Instant::now() + LISTING;
        if is_whole || sessions.len() > NAMES * MOST_CALLS {
            metrics::counter!(LISTINGS).increment(1);
            return Ok(Listed { rooms: self.livekit.list_rooms(deadline).await?, is_whole: true });
        }
        let batches: Vec<Vec<String>> =
            sessions.chunks(NAMES).map(|batch| batch.iter().map(|session| session.room.clone()).collect()).collect();
        metrics::counter!(LISTINGS).increment(batches.len() as u64);
        let answers = stream::iter(batches).map(|names| async move { self.livekit.list_named_rooms(&names, deadline).await });
        let rooms: Vec<Vec<Room>> = answers.buffer_unordered(CALLS_AT_ONCE).try_collect().await?;
        Ok(Listed { rooms: rooms.concat(), is_whole: false })
    }
}

fn gauge(sessions: &[Session]) {
    let connected = sessions.iter().filter(|session| session.status == Status::Connected).count();
    metrics::gauge!(SESSIONS, "status" => "created").set((sessions.len() - connected) as f64);
    metrics::gauge!(SESSIONS, "status" => "connected").set(connected as f64);
}
