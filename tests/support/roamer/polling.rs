//! A connection that begins by polling, as the official client does it: CONNECT goes by POST, polls bring what comes, and at the
//! same time a WebSocket is opened and probed. Once it is answered, the last poll and POST are waited for, and the upgrade is done.
//! Each of the requests may meet another node.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{AGENT, Cut, End, Life, Link, OPEN, Order, Standing, at, open};
use crate::support::raw::{http, sid_of};

/// A POST that takes longer has failed.
const POST: Duration = Duration::from_secs(20);
/// Between the packets of a payload.
const SEPARATOR: char = '\u{1e}';

static HTTP: LazyLock<reqwest::Client> = LazyLock::new(http);

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Life {
    /// From the handshake to the upgrade. `Err`: the handshake has failed; inside, the connection has ended before.
    pub(super) async fn polled(&mut self, standing: &mut Standing) -> Result<Result<Link, End>, String> {
        let url = format!("http://{}/socket.io/?EIO=4&transport=polling", self.habits.address);
        let opened = timeout(OPEN, get(url.clone())).await.unwrap_or_else(|_| Err("no answer to the handshake".into()))?;
        let sid = sid_of(&opened);
        let url = format!("{url}&sid={sid}");
        let mut queue = VecDeque::from_iter(self.packet(&opened, standing).unwrap_or_default());
        let mut poll: Option<Pending<_>> = None;
        let mut post: Option<Pending<_>> = None;
        let mut probe: Option<Pending<_>> = Some(Box::pin(probed(self.habits.address.clone(), format!("&sid={sid}"))));
        let mut link: Option<Link> = None;
        loop {
            if link.is_none() {
                poll.get_or_insert_with(|| Box::pin(get(url.clone())));
                if post.is_none() && !queue.is_empty() {
                    let packets = Vec::from(std::mem::take(&mut queue)).join(&SEPARATOR.to_string());
                    post = Some(Box::pin(send(url.clone(), packets)));
                }
            } else if poll.is_none() && post.is_none() {
                let Some(mut link) = link else { return Ok(Err(End::Lost)) };
                for packet in std::iter::once("5".to_owned()).chain(queue) {
                    if link.send(Message::text(packet)).await.is_err() {
                        return Ok(Err(End::Lost));
                    }
                }
                return Ok(Ok(link));
            }
            let due = if standing.connected { self.due() } else { None };
            tokio::select! {
                brought = pending(&mut poll) => {
                    poll = None;
                    let Ok(payload) = brought else { return Ok(Err(End::Lost)) };
                    for packet in payload.split(SEPARATOR) {
                        match self.packet(packet, standing) {
                            Ok(answer) => queue.extend(answer),
                            Err(end) => return Ok(Err(end)),
                        }
                    }
                }
                taken = pending(&mut post) => {
                    post = None;
                    if taken.is_err() {
                        return Ok(Err(End::Lost));
                    }
                }
                // Without a WebSocket it goes on polling.
                opened = pending(&mut probe) => (probe, link) = (None, opened.ok()),
                () = at(due) => queue.extend(self.say()),
                () = at(standing.cut_at) => return Ok(Err(self.cut_off(link, standing.cut_how))),
                () = sleep_until(standing.dead) => return Ok(Err(End::Lost)),
                order = self.inbox.recv() => return Ok(Err(match order {
                    Some(Order::Cut(how)) => self.cut_off(link, how),
                    Some(Order::Leave) | None => {
                        let _ = timeout(OPEN, send(url, format!("41{SEPARATOR}1"))).await;
                        End::Left
                    }
                })),
            }
        }
    }

    /// The requests are given up; a WebSocket is cut.
    fn cut_off(&mut self, link: Option<Link>, how: Cut) -> End {
        link.map_or(End::Lost, |link| self.cut(link, how))
    }
}

async fn get(url: String) -> Result<String, String> {
    read(HTTP.get(url)).await
}

async fn send(url: String, packets: String) -> Result<String, String> {
    timeout(POST, read(HTTP.post(url).body(packets))).await.unwrap_or_else(|_| Err("no answer to a POST".into()))
}

async fn read(request: reqwest::RequestBuilder) -> Result<String, String> {
    let answer = request.header("user-agent", AGENT).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(body) } else { Err(format!("{} {}", status.as_u16(), body.chars().take(80).collect::<String>())) }
}

/// A WebSocket for a session that polls, whose probe is answered.
async fn probed(address: String, query: String) -> Result<Link, String> {
    let mut link = open(&address, &query).await?;
    let answered = timeout(OPEN, async {
        link.send(Message::text("2probe")).await.map_err(|error| error.to_string())?;
        match link.next().await {
            Some(Ok(Message::Text(text))) if text.as_str() == "3probe" => Ok(()),
            other => Err(format!("not the answer to a probe: {other:?}")),
        }
    });
    answered.await.unwrap_or_else(|_| Err("no answer to a probe".into()))?;
    Ok(link)
}

/// Ends with the future, if there is one.
async fn pending<T>(future: &mut Option<Pending<T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
