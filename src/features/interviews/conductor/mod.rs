//! What goes on in a live interview beside its sockets: speech becomes text, answers are stored and scored, questions are asked, and
//! at the end there is a summary (contract § 4 "The gateway", "Failures").
//!
//! One node at a time conducts an interview: the one that holds its lease. It keeps nothing that Redis does not know, so that another
//! one goes on when it dies: text is known by (stream, turn order), audio without final text is sent again, and each step of finishing
//! an answer may be repeated.
//!
//! ```text
//! wake ─► lease ─► read: state, answer, audio ─┬─ audio ─► speech stream ─► turns ─► Redis
//!           ▲                 │                └─ answer ─► finals ─► WAV ─► PostgreSQL ─► AI, voice ─► next question
//!           └──── renewed ◄───┘
//! ```
//!
//! A text-only interview costs nothing between its answers: a worker ends when nothing is left to do.

mod course;
mod desk;
mod due;
mod feed;
mod finish;
mod listening;
pub mod ports;
pub mod postgres;
mod question;
pub mod redis;
mod summary;
mod track;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::course::Course;
use self::ports::{Lease, Reading, Records, State};
use super::error::InterviewError;
use super::providers::Providers;
use super::wire::Question;
use crate::core::StreamId;
use crate::core::sync::lock;
use crate::rooms::pending::Pending;
use crate::rooms::worker::{Turn, Work, Workers};

pub use self::question::progress;

/// How long a node may be silent before another one conducts its interviews, if it is not known to be dead.
pub const LEASE: Duration = Duration::from_secs(15);
/// Pauses after a failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// How long a worker waits for a lease that another node holds, until it is woken again.
const STANDBY: Duration = Duration::from_secs(1);
/// Bytes of audio that are read at a time, at most.
const READ: usize = 512 * 1024;
/// KiB of answers that a node holds at a time while it stores them: two of the longest, or many short ones.
const STORING_KIB: u32 = 64 * 1024;

/// What the conductor stands on.
pub struct Parts {
    pub state: Arc<dyn State>,
    pub records: Arc<dyn Records>,
    pub providers: Providers,
}

/// One in a process.
pub struct Conductor {
    state: Arc<dyn State>,
    records: Arc<dyn Records>,
    providers: Providers,
    workers: Workers,
    /// The interviews that this node conducts: they are woken by these.
    conducted: Mutex<HashMap<Uuid, Arc<Notify>>>,
    /// Speech to text refuses us: no stream is opened before then.
    refused_until: Mutex<Option<Instant>>,
    storing: Semaphore,
    /// Interviews in which something was noticed that is stored soon.
    noticed: Pending<Uuid>,
    /// This node is about to end.
    stopping: CancellationToken,
}

impl Conductor {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { state, records, providers } = parts;
        Arc::new(Self {
            state,
            records,
            providers,
            workers: Workers::default(),
            conducted: Mutex::default(),
            refused_until: Mutex::default(),
            storing: Semaphore::new(STORING_KIB as usize),
            noticed: Pending::default(),
            stopping: CancellationToken::new(),
        })
    }

    /// There may be something to do for this interview: an answer was taken, or its session has changed. Cheap.
    pub fn wake(self: &Arc<Self>, id: Uuid) {
        if self.stopping.is_cancelled() {
            return;
        }
        if let Some(notify) = lock(&self.conducted).get(&id) {
            notify.notify_one();
        }
        self.workers.wake(self, &id.to_string(), BACKOFF);
    }

    /// Audio was taken. Without speech to text there is nothing to do with it before the answer is complete.
    pub fn wake_for_audio(self: &Arc<Self>, id: Uuid) {
        if self.providers.speech.is_some() {
            self.wake(id);
        }
    }

    /// The payload of the question at a position (from 1), with its audio if there is a voice, as the template has it. It takes a
    /// few seconds at most. `None`: the template has no such question.
    ///
    /// # Errors
    /// If PostgreSQL cannot be read, or has no such interview.
    pub async fn prepare_question(&self, id: Uuid, position: u32) -> Result<Option<Question>, InterviewError> {
        let plan = self.records.plan(id).await?.ok_or(InterviewError::NotFound)?;
        Ok(self.question(id, &plan.template, position, None).await)
    }

    /// Interviews that have a worker here.
    pub fn running(&self) -> usize {
        self.workers.running().len()
    }

    /// Ends the workers, each at its next step, and waits for that. What they leave is done by other nodes.
    pub async fn stop(&self, by: Instant) {
        self.stopping.cancel();
        while self.running() > 0 && Instant::now() < by {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn turn_of(&self, id: Uuid) -> Turn {
        if self.stopping.is_cancelled() {
            return Turn::Done;
        }
        let Ok(reading) = self.state.read(id, StreamId::default(), None, 0).await else { return Turn::BackOff };
        let Some(Reading { session, .. }) = reading else { return Turn::Done };
        match self.state.lease(id).await {
            Ok(Lease::Held) => {}
            // Its node looks by itself; this one comes back to it as long as it is woken.
            Ok(Lease::Busy { for_ms }) => {
                tokio::time::sleep(STANDBY.min(Duration::from_millis(for_ms))).await;
                return Turn::Done;
            }
            Err(_) => return Turn::BackOff,
        }
        let notify = Arc::new(Notify::new());
        let _place = Place::new(self, id, notify.clone());
        let (turn, is_left) = Course::new(self, id, notify, session).run().await;
        self.state.release(id).await;
        if is_left {
            self.state.hand_on(id).await;
        }
        turn
    }
}

impl Work for Conductor {
    fn turn<'a>(&'a self, scope: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>> {
        Box::pin(async move {
            match super::uuid(scope) {
                Some(id) => self.turn_of(id).await,
                None => Turn::Done,
            }
        })
    }
}

/// PostgreSQL takes no text with a zero in it.
fn clean(text: &str) -> String {
    text.replace('\0', "")
}

/// The entry of an interview that this node conducts.
struct Place<'a> {
    conductor: &'a Conductor,
    id: Uuid,
}

impl<'a> Place<'a> {
    fn new(conductor: &'a Conductor, id: Uuid, notify: Arc<Notify>) -> Self {
        lock(&conductor.conducted).insert(id, notify);
        Self { conductor, id }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.conductor.conducted).remove(&self.id);
    }
}

#[cfg(test)]
mod tests;
