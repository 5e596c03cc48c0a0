//! What is still said on one node about a session that has gone to another: a task that outlives the move may hold its socket.
//! It is brought there, in the order in which it was said.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::super::elsewhere::{Elsewhere, Followed};
use super::Session;
use crate::core::sync::lock;
use crate::core::wire::Form;

/// How long a session may be on its way: so long it is asked for again.
const ARRIVAL: Duration = Duration::from_secs(8);
const AGAIN: Duration = Duration::from_millis(20);
/// How long a word may take that waits for nothing there.
const HEARD: Duration = Duration::from_secs(5);
/// What a word costs beside its bytes while it waits.
const WORD_BYTES: usize = 128;

/// Where a session goes on.
pub(super) struct Following {
    /// The tag of that process.
    tag: Box<str>,
    /// The form of bodies that it reads.
    form: Form,
    since: Instant,
    queue: Mutex<Option<mpsc::UnboundedSender<Word>>>,
    /// Bytes that wait.
    bytes: Arc<AtomicUsize>,
}

struct Word {
    said: Bytes,
    answer: oneshot::Sender<Bytes>,
}

impl Following {
    pub(super) fn new(tag: &str, form: Form) -> Self {
        Self { tag: tag.into(), form, since: Instant::now(), queue: Mutex::default(), bytes: Arc::default() }
    }
}

impl Session {
    /// Says something to the connection with which this session goes on elsewhere: [`Connection::followed`]. What comes out
    /// ends with the answer, or without one if it was not heard. `None`: it goes on nowhere.
    ///
    /// [`Connection::followed`]: super::super::Connection::followed
    pub fn follow(&self, said: Bytes) -> Option<oneshot::Receiver<Bytes>> {
        let following = self.following.get()?;
        let cost = said.len() + WORD_BYTES;
        if following.bytes.load(Relaxed) + cost > self.engine.config.outbox_bytes {
            tracing::debug!("too much waits for a session that has gone to another node");
            return None;
        }
        let (answer, answered) = oneshot::channel();
        let mut queue = lock(&following.queue);
        if queue.is_none() {
            *queue = Some(self.begin_to_follow(following)?);
        }
        following.bytes.fetch_add(cost, Relaxed);
        queue.as_ref()?.send(Word { said, answer }).ok()?;
        Some(answered)
    }

    /// The same, for what waits there: it keeps nothing else waiting.
    pub async fn ask_where_it_goes_on(&self, said: Bytes, within: Duration) -> Option<Bytes> {
        let following = self.following.get()?;
        let elsewhere = self.engine.elsewhere.get()?;
        say(&**elsewhere, (&following.tag, &self.sid), following.since, &said, within).await
    }

    /// In which form a word for [`Session::follow`] is to be written.
    pub fn form_elsewhere(&self) -> Form {
        self.following.get().map_or(Form::default(), |following| following.form)
    }

    /// Whether it goes on elsewhere, or is about to.
    pub fn goes_on_elsewhere(&self) -> bool {
        self.following.get().is_some()
    }

    fn begin_to_follow(&self, following: &Following) -> Option<mpsc::UnboundedSender<Word>> {
        let elsewhere = self.engine.elsewhere.get()?.clone();
        let (sender, mut words) = mpsc::unbounded_channel::<Word>();
        let (tag, sid, since, bytes) = (following.tag.clone(), self.sid.clone(), following.since, following.bytes.clone());
        tokio::spawn(async move {
            while let Some(Word { said, answer }) = words.recv().await {
                // After one that was not heard, nothing that was said later may be.
                let Some(reply) = say(&*elsewhere, (&tag, &sid), since, &said, HEARD).await else { return };
                bytes.fetch_sub(said.len() + WORD_BYTES, Relaxed);
                let _ = answer.send(reply);
            }
        });
        Some(sender)
    }

    /// A word from the node that has given this session away.
    pub(in crate::engineio) async fn followed(self: &Arc<Self>, word: Bytes) -> Followed {
        let Some(connection) = self.connection.get().cloned() else { return Followed::NotThere };
        connection.followed(self, word).await.map_or(Followed::Lost, Followed::Answered)
    }
}

async fn say(
    elsewhere: &dyn Elsewhere,
    (tag, sid): (&str, &str),
    since: Instant,
    said: &Bytes,
    within: Duration,
) -> Option<Bytes> {
    loop {
        match elsewhere.follow(tag, sid, said.clone(), within).await {
            Followed::Answered(answer) => return Some(answer),
            Followed::NotThere if since.elapsed() < ARRIVAL => tokio::time::sleep(AGAIN).await,
            Followed::NotThere | Followed::Lost => return None,
        }
    }
}
