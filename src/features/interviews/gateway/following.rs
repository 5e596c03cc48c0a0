//! What follows on an answer: the next question, or the end. The acknowledgement of the answer waits for it. The event passes through
//! the scope on this node, since the candidate's socket is a member here; so the node is told, and Redis is not asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::core::sync::lock;
use crate::features::interviews::wire::Question;

/// What was told of an interview last.
#[derive(Clone, Debug, Default)]
enum Told {
    #[default]
    Nothing,
    /// A question, and its place from 1.
    Question(u32, Value),
    /// The payload of `interview-complete`; empty if the interview has ended in another way.
    End(Value),
    /// Something may have been missed.
    Unsure,
}

/// What a waiting acknowledgement is told.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// This is what the answer is acknowledged with.
    Known(Value),
    /// Redis knows more than this node: look there.
    Look,
}

type Channels = Mutex<HashMap<Uuid, watch::Sender<Told>>>;

/// The acknowledgements of this node that wait, by interview.
#[derive(Clone, Default)]
pub struct Following(Arc<Channels>);

/// One that waits.
pub struct Waiting {
    channels: Arc<Channels>,
    id: Uuid,
    told: watch::Receiver<Told>,
    /// What was told before it began to wait was looked at.
    has_looked: bool,
}

impl Following {
    /// To be called before the answer is taken: what is told from now on is noticed.
    pub fn wait(&self, id: Uuid) -> Waiting {
        let told = lock(&self.0).entry(id).or_insert_with(|| watch::Sender::new(Told::Nothing)).subscribe();
        Waiting { channels: self.0.clone(), id, told, has_looked: false }
    }

    /// An event has passed through the scope of an interview.
    pub fn heard(&self, id: Uuid, args: &Bytes) {
        let channels = lock(&self.0);
        let Some(channel) = channels.get(&id) else { return };
        if let Some(told) = read(args) {
            channel.send_replace(told);
        }
    }

    /// Events of an interview may have been missed for good.
    pub fn missed(&self, id: Uuid) {
        if let Some(channel) = lock(&self.0).get(&id) {
            channel.send_replace(Told::Unsure);
        }
    }
}

impl Waiting {
    /// Waits until something has followed on the answer to the question at this position.
    pub async fn next(&mut self, position: u32) -> Next {
        loop {
            if std::mem::replace(&mut self.has_looked, true) && self.told.changed().await.is_err() {
                return Next::Look;
            }
            match &*self.told.borrow_and_update() {
                Told::Question(order, question) if *order > position => return Next::Known(question.clone()),
                Told::End(end) => return Next::Known(end.clone()),
                Told::Unsure => return Next::Look,
                Told::Question(..) | Told::Nothing => {}
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut channels = lock(&self.channels);
        // This one still counts.
        if channels.get(&self.id).is_some_and(|channel| channel.receiver_count() <= 1) {
            channels.remove(&self.id);
        }
    }
}

/// An event that may follow on an answer. `None`: it is another one.
fn read(args: &Bytes) -> Option<Told> {
    const EVENTS: [&[u8]; 3] = [b"[\"question\",", b"[\"interview-complete\",", b"[\"interview-interrupted\","];
    if !EVENTS.iter().any(|start| args.starts_with(start)) {
        return None;
    }
    let (name, data): (String, Value) = serde_json::from_slice(args).ok()?;
    match &*name {
        "question" => {
            let order = Question::deserialize(&data).ok()?.order;
            Some(Told::Question(order, data))
        }
        "interview-complete" => Some(Told::End(data)),
        // A candidate that is gone may come back.
        _ => matches!(data["reason"].as_str(), Some("expired" | "cancelled")).then(|| Told::End(json!({}))),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn question(order: u32) -> Value {
        json!({"questionId": format!("q-{order}"), "text": "?", "audioUrl": "", "type": "CODING", "order": order})
    }

    fn event(name: &str, data: Value) -> Bytes {
        json!([name, data]).to_string().into()
    }

    #[test]
    fn an_answer_is_followed_by_a_later_question_or_by_the_end() {
        let (following, id) = (Following::default(), Uuid::from_u128(7));
        following.heard(id, &event("question", question(1)));
        let mut waiting = following.wait(id);
        let told = |event: Bytes| following.heard(id, &event);
        for (name, data) in [
            // The question that is answered may pass after the answer was taken.
            ("question", question(1)),
            ("question-asked", question(2)),
            ("interview-interrupted", json!({"reason": "disconnect"})),
        ] {
            told(event(name, data));
            assert_eq!(waiting.next(1).now_or_never(), None, "{name}");
        }
        told(event("question", question(2)));
        assert_eq!(waiting.next(1).now_or_never(), Some(Next::Known(question(2))));
        assert_eq!(following.wait(id).next(2).now_or_never(), None);
        told(event("interview-complete", json!({"message": "Interview completed"})));
        assert_eq!(waiting.next(2).now_or_never(), Some(Next::Known(json!({"message": "Interview completed"}))));
        told(event("interview-interrupted", json!({"reason": "expired"})));
        assert_eq!(waiting.next(2).now_or_never(), Some(Next::Known(json!({}))));
    }

    #[test]
    fn what_may_have_been_missed_is_looked_for_once_and_nothing_is_left_when_nobody_waits() {
        let (following, id) = (Following::default(), Uuid::from_u128(7));
        let (mut one, mut other) = (following.wait(id), following.wait(id));
        following.missed(id);
        for waiting in [&mut one, &mut other] {
            assert_eq!(waiting.next(1).now_or_never(), Some(Next::Look));
            assert_eq!(waiting.next(1).now_or_never(), None);
        }
        drop(one);
        following.heard(id, &event("question", question(2)));
        assert_eq!(other.next(1).now_or_never(), Some(Next::Known(question(2))));
        drop(other);
        assert!(lock(&following.0).is_empty());
    }
}
