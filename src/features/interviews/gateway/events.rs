//! The events of the candidate. A handler reads the payload, runs a script and answers. The script itself publishes the events
//! for others.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::audio::Chunk;
use super::candidate::{Entered, candidate, sender};
use super::following::{Next, Waiting};
use super::{Gateway, Handled};
use crate::features::interviews::caller::{Candidate, Who, caller};
use crate::features::interviews::conductor::progress;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::metrics::AUDIO_MILLISECONDS;
use crate::features::interviews::proctoring::Report;
use crate::features::interviews::scripts::{
    AnswerTake, AudioLimits, AudioTake, Noticed, ProctorTake, Response, Session, SessionState, answer_take, audio_take,
    proctor_take, session_read, session_start, session_touch,
};
use crate::features::interviews::wire::incoming::{MAX_QUESTION_ID, MAX_TRANSCRIPTION, MAX_URL};
use crate::features::interviews::wire::{
    HeartbeatAck, InterviewComplete, InterviewReady, JoinInterview, Moment, ProctorEvent, Repeated, ResponseComplete,
    StartInterview, TemplateTold,
};
use crate::features::interviews::{kinds, uuid};
use crate::protocol::fields::Fields;
use crate::redis::script::OnReader;
use crate::socketio::{Event, Reply, Socket};

/// How long the acknowledgement of an answer waits for what follows on it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(60);
/// How often a waiting acknowledgement checks whether its socket is still on this node. If it is not, this node is not told what
/// follows, and asks Redis.
const LOOK: Duration = Duration::from_secs(1);

impl Gateway {
    /// `join-interview`: `interview-ready`, and the open question if there is one.
    pub(super) async fn on_join(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (_, candidate) = candidate(&socket)?;
        let id = candidate.interview;
        let about = |error: InterviewError| error.about(Some(id));
        let asked: JoinInterview = event.payload().map_err(|error| error.with("interviewId", id.to_string()))?;
        if uuid(&asked.interview_id) != Some(id) {
            return Err(InterviewError::NotFound.about(uuid(&asked.interview_id)));
        }
        let opened = self.open(id).await.map_err(about)?;
        let entered = self.enter(&socket, &candidate, false, Some(&opened.seed)).await;
        let Entered { joined, hold } = entered.map_err(InterviewError::from).map_err(about)?;
        hold.joined(&joined.position).await;
        let ready = InterviewReady {
            session_id: joined.session.id.to_string(),
            estimated_duration: opened.template.total_duration,
            template: TemplateTold {
                id: opened.template.id,
                title: opened.template.title,
                total_duration: opened.template.total_duration,
            },
            status: "ONGOING".into(),
        };
        socket.emit("interview-ready", &ready);
        if let Some(asked) = &joined.session.asked {
            socket.emit("question", asked);
        }
        event.acknowledge_with(&socket, &ready);
        hold.release(&joined.position);
        self.conductor.wake(id);
        Ok(Reply::None)
    }

    /// `start-interview`: the first question, or the open one again. Its audio may take some seconds. Other events of the socket
    /// do not wait for it.
    pub(super) async fn on_start(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (_, candidate) = candidate(&socket)?;
        let id = candidate.interview;
        let about = |error: InterviewError| error.about(Some(id));
        let asked: StartInterview = event.payload().map_err(|error| error.with("interviewId", id.to_string()))?;
        let touched = self.attempt(&socket, &candidate, || async {
            let op = self.live.scopes.next_op();
            session_touch(self.live.redis(), id, self.live.op(&op), sender(&candidate, &socket), None).await
        });
        let state = match touched.await {
            Ok(touched) => {
                self.live.told(id, &touched.told, touched.due_in);
                touched.state
            }
            Err(error) => return Err(about(error)),
        };
        let session = session_read(self.live.redis(), id).await.map_err(InterviewError::from).map_err(about)?;
        let session = session.filter(|session| session.id.to_string() == asked.session_id);
        let session = session.ok_or_else(|| about(InterviewError::SessionNotFound))?;
        if state == SessionState::Created {
            tokio::spawn(async move {
                if let Err(error) = self.start(&socket, &event, &candidate).await {
                    socket.refuse(&event.name, event.ack_id, &error.about(Some(id)));
                }
            });
            return Ok(Reply::None);
        }
        let question = session.asked.ok_or_else(|| about(InterviewError::NoActiveSession))?;
        socket.emit("question", &question);
        Ok(Reply::accepted(&question))
    }

    async fn start(self: &Arc<Self>, socket: &Arc<Socket>, event: &Event, candidate: &Candidate) -> Result<(), InterviewError> {
        let id = candidate.interview;
        let template = self.live.interviews.store.template(id).await?.ok_or(InterviewError::NotFound)?;
        let question = self.conductor.prepare_question(id, 1).await?.ok_or(InterviewError::Internal)?;
        let progress = progress(&template, 1);
        let started = self.attempt(socket, candidate, || async {
            let op = self.live.scopes.next_op();
            session_start(self.live.redis(), id, self.live.op(&op), sender(candidate, socket), &question, &progress).await
        });
        let started = started.await?;
        self.live.told(id, &started.told, started.due_in);
        let asked = started.session.asked.ok_or(InterviewError::NoActiveSession)?;
        if !started.first {
            socket.emit("question", &asked);
        }
        event.acknowledge_with(socket, &asked);
        self.conductor.wake(id);
        Ok(())
    }

    /// `audio-chunk`: acknowledged once it is kept.
    pub(super) async fn on_audio(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (_, candidate) = candidate(&socket)?;
        let id = candidate.interview;
        let about = |error: InterviewError| error.about(Some(id));
        let Chunk { pcm, length } = Chunk::read(&event.args).map_err(about)?;
        let message_id = message_id(&event).map_err(about)?;
        let limits = AudioLimits { answer: self.live.config.answer, ..AudioLimits::default() };
        let taken = self.attempt(&socket, &candidate, || async {
            let op = self.live.scopes.next_op();
            let op = self.live.op_of_client(&op, &message_id);
            audio_take(self.live.redis(), id, op, sender(&candidate, &socket), pcm.clone(), length, limits).await
        });
        match taken.await.map_err(about)? {
            AudioTake::Taken { told, .. } if told.duplicate => Ok(repeated()),
            AudioTake::Taken { told, due_in, .. } => {
                self.live.told(id, &told, due_in);
                metrics::counter!(AUDIO_MILLISECONDS).increment(length.as_millis() as u64);
                self.conductor.wake_for_audio(id);
                Ok(Reply::Ok)
            }
            AudioTake::RateLimited => Err(about(InterviewError::RateLimited("30 chunks and 2 s of audio a second".into()))),
            AudioTake::TooLong => {
                let most = format!("an answer has at most {} s of audio", self.live.config.answer.as_secs());
                Err(about(InterviewError::RateLimited(most)))
            }
            AudioTake::AfterLast => Err(about(InterviewError::NoActiveSession)),
        }
    }

    /// `response-complete`: acknowledged with what follows on the answer, the next question or the end. A repeat is acknowledged
    /// at once.
    pub(super) async fn on_response(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (_, candidate) = candidate(&socket)?;
        let id = candidate.interview;
        let about = |error: InterviewError| error.about(Some(id));
        let given: ResponseComplete = event.payload().map_err(|error| error.with("interviewId", id.to_string()))?;
        let given = checked(given).map_err(about)?;
        let message_id = message_id(&event).map_err(about)?;
        let response = Response {
            question_id: given.question_id.as_deref(),
            transcription: given.transcription.as_deref().unwrap_or_default(),
            audio_url: given.audio_url.as_deref().unwrap_or_default(),
        };
        let waiting = event.ack_id.map(|_| self.following.wait(id));
        let taken = self.attempt(&socket, &candidate, || async {
            let op = self.live.scopes.next_op();
            let op = self.live.op_of_client(&op, &message_id);
            answer_take(self.live.redis(), id, op, sender(&candidate, &socket), response).await
        });
        match taken.await.map_err(about)? {
            AnswerTake::Taken { told, .. } if told.duplicate => Ok(repeated()),
            AnswerTake::Taken { position, told, due_in } => {
                self.live.told(id, &told, due_in);
                self.conductor.wake(id);
                if let Some(waiting) = waiting {
                    tokio::spawn(async move {
                        let next = timeout(ANSWER_PATIENCE, self.next(&socket, id, position, waiting)).await;
                        let next = match next {
                            Ok(next) => Some(next),
                            Err(_) => self.look(id, position).await,
                        };
                        event.acknowledge_with(&socket, next.unwrap_or_else(|| json!({})));
                    });
                }
                Ok(Reply::None)
            }
            AnswerTake::Repeated => Ok(repeated()),
            AnswerTake::OtherQuestion => {
                Err(about(InterviewError::Invalid("questionId is not that of a question that was asked".into())))
            }
        }
    }

    /// What follows on an answer; empty if its socket has ended.
    async fn next(&self, socket: &Socket, id: Uuid, position: u32, mut waiting: Waiting) -> Value {
        let scope = kinds::interview(id);
        loop {
            let is_told = match timeout(LOOK, waiting.next(position)).await {
                Ok(Next::Known(next)) => return next,
                Ok(Next::Look) => false,
                Err(_) if !socket.is_connected() && !socket.is_frozen() => return json!({}),
                // Its client goes on at another node.
                Err(_) => self.live.scopes.is_member(&scope, socket.id()),
            };
            if !is_told && let Some(next) = self.look(id, position).await {
                return next;
            }
        }
    }

    /// Asks Redis what has followed on an answer.
    async fn look(&self, id: Uuid, position: u32) -> Option<Value> {
        let session = session_read(&OnReader(self.live.redis()), id).await.ok().flatten();
        session.and_then(|session| after(id, position, session))
    }

    /// `proctor-event`: the candidate is not told how it counts.
    pub(super) async fn on_proctor(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (caller, candidate) = candidate(&socket)?;
        let id = candidate.interview;
        let about = |error: InterviewError| error.about(Some(id));
        let noticed: ProctorEvent = event.payload().map_err(|error| error.with("interviewId", id.to_string()))?;
        if !caller.proctoring.take() {
            return Err(about(InterviewError::RateLimited("at most 5 proctoring events a second".into())));
        }
        let message_id = noticed.client_message_id.clone().unwrap_or_default();
        if message_id.chars().count() > 64 {
            return Err(about(InterviewError::Invalid("clientMessageId must have at most 64 characters".into())));
        }
        let Report { kind, severity, message, data, deduction } = Report::read(noticed).map_err(about)?;
        let rules = self.live.config.proctoring;
        let noticed = Noticed {
            kind: &kind,
            severity: severity.as_str(),
            message: &message,
            data: &data,
            deduction,
            weights: rules.weights,
            min_repeats: rules.min_repeats,
            alerts: severity >= rules.alert_from,
        };
        let taken = self.attempt(&socket, &candidate, || async {
            let op = self.live.scopes.next_op();
            let op = self.live.op_of_client(&op, &message_id);
            proctor_take(self.live.redis(), id, op, sender(&candidate, &socket), noticed).await
        });
        match taken.await.map_err(about)? {
            ProctorTake::Taken { told, due_in, .. } => {
                self.live.told(id, &told, due_in);
                self.conductor.noticed(id);
                Ok(Reply::accepted(Repeated { duplicate: told.duplicate }))
            }
            ProctorTake::Busy => Err(about(InterviewError::Unavailable)),
        }
    }

    /// `heartbeat-ack {timestamp}`, in milliseconds. A candidate that sends heartbeats is gone when they stop.
    pub(super) async fn on_heartbeat(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        event.object()?;
        let heartbeat = HeartbeatAck { timestamp: self.live.clock.now_ms() };
        socket.emit("heartbeat-ack", &heartbeat);
        if let Who::Candidate(candidate) = &*caller(&socket)?.who() {
            self.touch(&socket, candidate, Some(self.live.config.heartbeat)).await;
        }
        Ok(Reply::accepted(heartbeat))
    }

    /// Notes a sign of life of the candidate. A failure is only logged: the client has done nothing wrong.
    async fn touch(self: &Arc<Self>, socket: &Arc<Socket>, candidate: &Candidate, heartbeat: Option<Duration>) {
        let id = candidate.interview;
        if let Some(heartbeat) = heartbeat {
            self.live.timers.expect(&kinds::interview(id), heartbeat).await;
        }
        let touched = self.attempt(socket, candidate, || async {
            let op = self.live.scopes.next_op();
            session_touch(self.live.redis(), id, self.live.op(&op), sender(candidate, socket), heartbeat).await
        });
        match touched.await {
            Ok(touched) => self.live.told(id, &touched.told, touched.due_in),
            Err(error) => tracing::debug!(%id, %error, "a heartbeat was not noted"),
        }
    }
}

/// What has followed on the answer to the question at a position. `None`: nothing yet.
fn after(id: Uuid, position: u32, session: Session) -> Option<Value> {
    if session.state.has_ended() {
        let timestamp = Moment(session.ended_at.unwrap_or_default());
        let (interview_id, session_id) = (id.to_string(), session.id.to_string());
        let message = "Interview completed".into();
        let end = InterviewComplete { interview_id, session_id, message, timestamp };
        return Some(if session.state == SessionState::Completed { json!(end) } else { json!({}) });
    }
    let next = session.asked.filter(|_| session.position > position)?;
    Some(json!(next))
}

/// The client's own id of an event; empty if it has none.
fn message_id(event: &Event) -> Result<String, InterviewError> {
    let id = Fields::parse(event.args.payload()).and_then(|fields| fields.text("clientMessageId", 64).ok());
    let id = id.ok_or_else(|| InterviewError::Invalid("clientMessageId must have at most 64 characters".into()))?;
    Ok(id.map(Into::into).unwrap_or_default())
}

/// What a repeat is answered.
fn repeated() -> Reply {
    Reply::accepted(Repeated { duplicate: true })
}

/// An answer that is fit to be kept.
fn checked(given: ResponseComplete) -> Result<ResponseComplete, InterviewError> {
    let limits = [
        ("transcription", &given.transcription, MAX_TRANSCRIPTION),
        ("audioUrl", &given.audio_url, MAX_URL),
        ("questionId", &given.question_id, MAX_QUESTION_ID),
    ];
    for (field, value, most) in limits {
        let value = value.as_deref().unwrap_or_default();
        if value.len() > most {
            return Err(InterviewError::Invalid(format!("{field} must have at most {most} bytes")));
        }
        if value.contains('\0') {
            return Err(InterviewError::Invalid(format!("{field} must not contain U+0000")));
        }
    }
    let url = given.audio_url.as_deref().unwrap_or_default();
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(InterviewError::Invalid("audioUrl must be a URL of http or https".into()));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_fit_is_refused() {
        let given = |audio_url: &str, question: &str| ResponseComplete {
            transcription: Some("x".into()),
            audio_url: Some(audio_url.into()),
            question_id: Some(question.into()),
        };
        for good in ["", "https://storage.example.com/a.wav", "http://x"] {
            assert!(checked(given(good, "q-1")).is_ok(), "{good}");
        }
        for bad in ["javascript:alert(1)", "ftp://x", "https://x\0", &format!("https://{}", "x".repeat(MAX_URL))] {
            let Err(InterviewError::Invalid(why)) = checked(given(bad, "q-1")) else { panic!("{bad}") };
            assert_eq!(why.contains("U+0000"), bad.contains('\0'), "{why}");
        }
        assert!(checked(given("", &"x".repeat(129))).is_err());
    }
}
