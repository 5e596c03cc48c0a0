//! The slow work of a course, one piece at a time and beside its speech: what waits for PostgreSQL, the AI, the voice and the storage.
//! What fails is done again, with longer pauses; nothing is lost by that.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, pending};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use super::finish::Finishing;
use super::ports::{Away, Plan};
use super::summary::Summing;
use super::{BACKOFF, Conductor};
use crate::features::interviews::scripts::{Session, SessionState, Trust, Turn};
use crate::rooms::pending::longer;

/// What is being done, with what is needed to do it again.
enum Piece {
    Keep(Kept, Result<(), Away>),
    Finish(Box<Finishing>, Result<(), Away>),
    Amend(Vec<Turn>, Result<(), Away>),
    Sum(Box<Summing>, Result<(), Away>),
}

/// What of a session is kept in PostgreSQL, as far as it changes: its transition, the question that is open, and its trust.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kept(u64, u32, Trust);

impl Kept {
    fn of(session: &Session) -> Self {
        Self(session.rev, session.position, session.trust)
    }
}

/// What the course wants to know of it.
pub enum Outcome {
    /// The next question is asked, or the interview is completed.
    Finished,
}

/// See the module.
pub struct Desk<'a> {
    conductor: &'a Conductor,
    id: Uuid,
    plan: Arc<OnceCell<Arc<Plan>>>,
    job: Option<BoxFuture<'a, Piece>>,
    done: Option<Piece>,
    /// What PostgreSQL knows of the session.
    kept: Option<Kept>,
    finishing: Option<Box<Finishing>>,
    late: Vec<Turn>,
    summing: Summing,
    has_summed: bool,
    /// After a failure nothing is begun before then.
    rest: Option<Instant>,
    pause: Duration,
}

impl<'a> Desk<'a> {
    pub fn new(conductor: &'a Conductor, id: Uuid) -> Self {
        Self {
            conductor,
            id,
            plan: Arc::default(),
            job: None,
            done: None,
            kept: None,
            finishing: None,
            late: Vec::new(),
            summing: Summing::default(),
            has_summed: false,
            rest: None,
            pause: BACKOFF.0,
        }
    }

    /// An answer is to be finished.
    pub fn finish(&mut self, finishing: Finishing) {
        self.finishing = Some(Box::new(finishing));
    }

    /// Whether something is being done or left to do.
    pub fn is_busy(&self) -> bool {
        self.job.is_some() || self.done.is_some() || self.finishing.is_some() || !self.late.is_empty()
    }

    /// Begins the next piece of work, if none is under way.
    pub fn take(&mut self, session: &Session, late: &mut Vec<Turn>) {
        self.late.append(late);
        if self.job.is_some() || self.done.is_some() || self.rest.is_some_and(|rest| rest > Instant::now()) {
            return;
        }
        self.rest = None;
        let (conductor, id, plan) = (self.conductor, self.id, self.plan.clone());
        let load = move || async move { plan.get_or_try_init(|| conductor.plan(id)).await.cloned() };
        if !self.late.is_empty() {
            let turns = std::mem::take(&mut self.late);
            self.job = Some(Box::pin(async move {
                let done = async {
                    let plan = load().await?;
                    conductor.amend(id, &plan, &turns).await
                };
                let done = done.await;
                Piece::Amend(turns, done)
            }));
        } else if let Some(mut finishing) = self.finishing.take() {
            self.job = Some(Box::pin(async move {
                let done = async {
                    let plan = load().await?;
                    conductor.finish(id, &plan, &mut finishing).await
                };
                let done = done.await;
                Piece::Finish(finishing, done)
            }));
        } else if session.state == SessionState::Completed && !session.summary_told && !self.has_summed {
            let mut summing = std::mem::take(&mut self.summing);
            self.job = Some(Box::pin(async move {
                let done = async {
                    let plan = load().await?;
                    conductor.sum_up(id, &plan, &mut summing).await
                };
                let done = done.await;
                Piece::Sum(Box::new(summing), done)
            }));
        } else if self.kept != Some(Kept::of(session)) {
            let session = session.clone();
            self.job = Some(Box::pin(async move {
                let kept = conductor.records.keep(id, &session).await.map_err(Away::from);
                Piece::Keep(Kept::of(&session), kept)
            }));
        }
    }

    /// Waits for the end of the piece of work.
    pub async fn worked(&mut self) {
        match &mut self.job {
            Some(job) => {
                let done = job.await;
                self.job = None;
                self.done = Some(done);
            }
            None => pending().await,
        }
    }

    /// Notes what has come of it.
    pub fn file(&mut self) -> Option<Outcome> {
        let piece = self.done.take()?;
        let is_done =
            matches!(&piece, Piece::Keep(_, Ok(())) | Piece::Finish(_, Ok(())) | Piece::Amend(_, Ok(())) | Piece::Sum(_, Ok(())));
        if is_done {
            self.pause = BACKOFF.0;
        } else {
            self.rest = Some(Instant::now() + self.pause);
            self.pause = longer(self.pause, BACKOFF.1);
        }
        match piece {
            Piece::Keep(kept, Ok(())) => self.kept = Some(kept),
            Piece::Keep(..) | Piece::Amend(_, Ok(())) => {}
            Piece::Sum(_, Ok(())) => self.has_summed = true,
            Piece::Finish(_, Ok(())) => return Some(Outcome::Finished),
            Piece::Finish(finishing, Err(Away)) => self.finishing = Some(finishing),
            Piece::Amend(turns, Err(Away)) => self.late.splice(..0, turns).for_each(drop),
            Piece::Sum(summing, Err(Away)) => self.summing = *summing,
        }
        None
    }

    pub fn due(&self) -> Option<Instant> {
        self.rest.filter(|_| self.job.is_none())
    }
}
