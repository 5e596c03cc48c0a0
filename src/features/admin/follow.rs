//! Follows one node for the view: lists its sockets once, then reads its notes again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::peers::{NoAnswer, Node};
use super::settings::View;
use super::wire::{Note, ShownSocket};

/// How often a node is asked what is new.
const EVERY: Duration = Duration::from_millis(250);
/// How often a node that offers no view is asked whether it does now.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A node that does not answer for so long is no longer shown.
const SILENT_FOR: Duration = Duration::from_secs(4);
/// The least time between two lists of all sockets of a node.
const LIST_EVERY: Duration = Duration::from_secs(5);

/// What a follower tells the view.
pub enum Told {
    /// A list of all sockets begins. Notes come after its end.
    List,
    Sockets(Vec<ShownSocket>),
    Listed,
    Notes(Vec<Arc<Note>>),
    /// It does not answer, or offers no view.
    Away,
}

/// Follows a node until it is dropped.
pub struct Follower(AbortHandle);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a follower tells what it has found: at most so much waits there, then it waits itself.
pub type Teller = mpsc::Sender<(Arc<str>, Told)>;

impl Follower {
    /// `tag` is that of the node's process.
    pub fn of(node: Node, tag: Arc<str>, view: View, teller: Teller) -> Self {
        let following = Following { node, tag, view, teller };
        Self(tokio::spawn(async move { following.follow().await }).abort_handle())
    }
}

struct Following {
    node: Node,
    tag: Arc<str>,
    view: View,
    teller: Teller,
}

impl Following {
    async fn follow(&self) {
        let (mut place, mut silent_since, mut list_at) = (None, None::<Instant>, Instant::now());
        let mut is_shown = false;
        loop {
            match self.node.news(place.as_ref()).await {
                Ok(news) if news.lost => {
                    silent_since = None;
                    if self.view.has_sockets() {
                        sleep_until(list_at).await;
                        list_at = Instant::now() + LIST_EVERY;
                    }
                    is_shown = true;
                    // What happens while the sockets are listed is read afterwards.
                    place = self.list().await.then_some(news.place);
                }
                Ok(news) => {
                    silent_since = None;
                    place = Some(news.place);
                    if !news.notes.is_empty() {
                        self.tell(Told::Notes(news.notes)).await;
                    }
                }
                Err(NoAnswer::NotOffered) => {
                    (place, is_shown) = (None, false);
                    self.tell(Told::Away).await;
                    sleep(ASK_AGAIN).await;
                }
                Err(NoAnswer::Silent) => {
                    let since = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= SILENT_FOR && std::mem::take(&mut is_shown) {
                        place = None;
                        self.tell(Told::Away).await;
                    }
                }
            }
            sleep(EVERY).await;
        }
    }

    /// Lists no more sockets than the view holds. False: the node did not answer.
    async fn list(&self) -> bool {
        self.tell(Told::List).await;
        let mut next = self.view.has_sockets().then_some(0);
        let mut count = 0;
        while let Some(part) = next.filter(|_| count < self.view.sockets) {
            let Ok(listed) = self.node.sockets(part).await else { return false };
            count += listed.sockets.len();
            next = listed.next.filter(|next| *next > part);
            self.tell(Told::Sockets(listed.sockets)).await;
        }
        self.tell(Told::Listed).await;
        true
    }

    /// Waits until there is room. The view ends its followers when it ends.
    async fn tell(&self, told: Told) {
        let _ = self.teller.send((self.tag.clone(), told)).await;
    }
}
