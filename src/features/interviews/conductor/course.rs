//! One interview while this node conducts it: a loop around its speech stream, its audio, and the work on its answers.
//!
//! Each round first does what is due ([`Course::advance`]), then waits for the next thing to happen. Redis is asked when there is
//! something to ask it: after a wake, at most each 200 ms, and seldom without one.

mod answer;
mod speech;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::pending;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::desk::Desk;
use super::feed::{Feed, Item};
use super::listening::{Listening, Open};
use super::ports::{Away, Lease};
use super::{Conductor, LEASE, READ};
use crate::features::interviews::providers::speech::{Chunk, Ended, SpeechAudio, SpeechEvent, SpeechStream, Unavailable};
use crate::features::interviews::scripts::Session;
use crate::rooms::worker::Turn;

use answer::Settling;
use speech::Text;

/// Redis is read no more often than this …
const READ_GAP: Duration = Duration::from_millis(200);
/// … and this often without a wake: the candidate's socket may be on another node …
const READ_ELSEWHERE: Duration = Duration::from_millis(200);
/// … which it is if a read that nothing has caused here has found audio so recently; else …
const ELSEWHERE_FOR: Duration = Duration::from_secs(5);
/// … only to notice changes that nothing has told this node of.
const READ_IDLE: Duration = Duration::from_secs(1);
/// After a failed call Redis is left alone for so long.
const REST: Duration = Duration::from_millis(500);
/// A stream without audio is closed after so long: vendors count its time.
const IDLE: Duration = Duration::from_secs(60);

/// See the module.
pub struct Course<'a> {
    conductor: &'a Conductor,
    id: Uuid,
    notify: Arc<Notify>,
    /// The newest one.
    session: Session,
    listening: Listening<'a>,
    feed: Feed,
    text: Text,
    settling: Option<Settling>,
    desk: Desk<'a>,
    times: Times,
}

/// When what is due.
struct Times {
    /// The lease is this node's until then.
    held_until: Instant,
    read: Instant,
    last_read: Instant,
    /// A read since the last wake has found audio.
    elsewhere: Option<Instant>,
    /// Something here has caused the next read.
    is_woken: bool,
    last_audio: Instant,
    /// There is more audio than was read.
    has_more: bool,
    /// Audio is left alone until the next wake: nobody hears it.
    has_given_up: bool,
    /// Redis is left alone until then.
    rest: Option<Instant>,
}

/// What happens next.
enum Step {
    Stop,
    Woken,
    Due,
    Sent(Result<(), Ended>),
    Opened(Result<SpeechStream, Unavailable>),
    Said(Option<SpeechEvent>),
    Worked,
}

impl<'a> Course<'a> {
    /// The lease was just taken.
    pub fn new(conductor: &'a Conductor, id: Uuid, notify: Arc<Notify>, session: Session) -> Self {
        let now = Instant::now();
        let times = Times {
            held_until: now + LEASE,
            read: now,
            last_read: now - READ_GAP,
            elsewhere: None,
            is_woken: true,
            last_audio: now,
            has_more: false,
            has_given_up: false,
            rest: None,
        };
        Self {
            listening: Listening::new(conductor.providers.speech.as_deref(), session.stt_down),
            feed: Feed::starting_after(session.heard),
            text: Text::starting_after(session.heard),
            settling: None,
            desk: Desk::new(conductor, id),
            conductor,
            id,
            notify,
            session,
            times,
        }
    }

    /// Until nothing is left to do, another node has the lease, or this one stops. And whether another one is to go on with it.
    pub async fn run(mut self) -> (Turn, bool) {
        loop {
            match self.advance().await {
                Ok(None) => {}
                Ok(Some(turn)) => return (turn, false),
                Err(Away) if Instant::now() >= self.times.held_until => return (Turn::BackOff, false),
                Err(Away) => self.times.rest = Some(Instant::now() + REST),
            }
            match self.next_step().await {
                Step::Stop => return (Turn::Done, self.has_work()),
                Step::Woken => {
                    (self.times.is_woken, self.times.has_given_up) = (true, false);
                    self.times.read = self.times.read.min(self.times.last_read + READ_GAP);
                }
                Step::Due => {}
                Step::Sent(sent) => self.sent(sent),
                Step::Opened(result) => self.opened(result),
                Step::Said(event) => self.said(event),
                Step::Worked => self.worked(),
            }
        }
    }

    /// Does what is due. `Some`: this node is done with the interview.
    async fn advance(&mut self) -> Result<Option<Turn>, Away> {
        if self.times.rest.is_some_and(|rest| rest > Instant::now()) {
            return Ok(None);
        }
        self.times.rest = None;
        if Instant::now() + LEASE * 2 / 3 >= self.times.held_until {
            match self.conductor.state.lease(self.id).await? {
                Lease::Held => self.times.held_until = Instant::now() + LEASE,
                Lease::Busy { .. } => return Ok(Some(Turn::Done)),
            }
        }
        self.write_text().await?;
        if Instant::now() >= self.times.read && !self.read().await? {
            return Ok(Some(Turn::Done));
        }
        self.listen().await?;
        self.settle();
        self.desk.take(&self.session, &mut self.text.late);
        Ok(self.is_done().then_some(Turn::Done))
    }

    /// Reads what there is. False: the session is gone.
    async fn read(&mut self) -> Result<bool, Away> {
        let bytes = if self.wants_audio() { self.feed.room(self.settling.is_some()).min(READ) } else { 0 };
        let now = Instant::now();
        let Some(reading) = self.conductor.state.read(self.id, self.feed.cursor, None, bytes).await? else {
            // What was begun is still stored.
            (self.times.read, self.times.is_woken) = (now + READ_IDLE, false);
            return Ok(self.desk.is_busy());
        };
        if !reading.audio.is_empty() {
            self.times.last_audio = now;
            self.times.elsewhere = (!self.times.is_woken).then_some(now).or(self.times.elsewhere);
        }
        self.times.has_more = reading.more;
        if reading.session.position != self.session.position {
            self.settling = None;
        }
        self.session = reading.session;
        self.take(reading.audio);
        (self.times.last_read, self.times.is_woken) = (now, false);
        let is_elsewhere = self.times.elsewhere.is_some_and(|at| now < at + ELSEWHERE_FOR);
        let pause = match is_elsewhere && self.wants_audio() {
            true => READ_ELSEWHERE,
            false => READ_IDLE,
        };
        self.times.read = now + if self.reads_on() { Duration::ZERO } else { pause };
        Ok(true)
    }

    /// Whether there is more to read at once.
    fn reads_on(&self) -> bool {
        self.times.has_more && self.wants_audio() && (self.feed.has_much_room() || self.is_answered_and_behind())
    }

    /// An answer stands, and there is room for the rest of its audio.
    fn is_answered_and_behind(&self) -> bool {
        let is_behind = self.session.answer.as_ref().is_some_and(|answer| self.feed.cursor < answer.audio_to);
        is_behind && self.feed.room(true) > 0
    }

    /// Audio is read only if somebody is to hear it.
    fn wants_audio(&self) -> bool {
        match &self.listening.open {
            Some(open) => open.closing.is_none(),
            // One chunk is enough to know that a stream is wanted.
            None => self.listening.is_configured() && !self.times.has_given_up && self.feed.is_empty(),
        }
    }

    /// Whether this node has something in hand that another one should go on with.
    fn has_work(&self) -> bool {
        let is_live = !self.session.state.has_ended();
        let has_speech = self.listening.open.is_some() || !self.feed.is_empty();
        self.desk.is_busy() || (is_live && (self.session.answer.is_some() || has_speech))
    }

    fn is_done(&self) -> bool {
        self.listening.open.is_none()
            && self.listening.opening.is_none()
            && self.text.is_written()
            && !self.desk.is_busy()
            && !self.times.is_woken
            && !self.reads_on()
            && self.feed.is_empty()
            && self.session.answer.is_none()
    }

    /// Waits for what happens next.
    async fn next_step(&mut self) -> Step {
        let due = self.due();
        let can_listen = self.text.has_room();
        let Listening { open, opening, .. } = &mut self.listening;
        let next = self.feed.front();
        let (events, audio) = match open {
            Some(open) => (Some(&mut open.events), Some((&open.audio, open.track.position())).filter(|_| open.is_ready)),
            None => (None, None),
        };
        tokio::select! {
            biased;
            () = self.conductor.stopping.cancelled() => Step::Stop,
            event = or_never(events.map(|events| events.next())), if can_listen => Step::Said(event),
            result = or_never(opening.as_mut()) => Step::Opened(result),
            () = self.desk.worked() => Step::Worked,
            sent = or_never(audio.zip(next).map(|((audio, position), item)| send(audio, position, item))) => Step::Sent(sent),
            () = self.notify.notified() => Step::Woken,
            () = sleep_until(due) => Step::Due,
        }
    }

    /// When there is something to do without anything happening.
    fn due(&self) -> Instant {
        let renewal = self.times.held_until - LEASE * 2 / 3;
        let is_quiet = |open: &&Open| open.closing.is_none() && self.feed.is_empty() && self.settling.is_none();
        let idle = self.listening.open.as_ref().filter(is_quiet).map(|_| self.times.last_audio + IDLE);
        let settling = self.settling.as_ref().and_then(Settling::due);
        let due = [self.text.due(), self.listening.due(), idle, settling, self.desk.due()];
        let due = due.into_iter().flatten().fold(renewal.min(self.times.read), Instant::min);
        self.times.rest.map_or(due, |rest| due.max(rest))
    }
}

async fn or_never<T>(future: Option<impl Future<Output = T>>) -> T {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

async fn send(audio: &SpeechAudio, position: u64, item: &Item) -> Result<(), Ended> {
    match item {
        Item::Audio { entry, .. } => audio.send(Chunk { position, pcm: entry.pcm.clone() }).await,
        Item::EndTurn => audio.end_turn().await,
        Item::Close => audio.close().await,
    }
}
