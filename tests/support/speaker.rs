//! Somebody who says numbered things in an incident, one after the other, and a judge of what others heard of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::client::Client;

/// How numbered messages were answered.
#[derive(Debug, Default)]
pub struct Said {
    pub ok: Vec<String>,
    /// `UNAVAILABLE`: not done, nor will it be.
    pub never: Vec<String>,
    /// `UNCONFIRMED`: perhaps done.
    pub perhaps: Vec<String>,
    pub slowest: Duration,
}

/// Says numbered messages, one after the other, until it is told to stop.
pub struct Speaker {
    task: JoinHandle<(Client, Said)>,
    stop: Arc<AtomicBool>,
}

impl Speaker {
    /// Says each message once, whatever the answer.
    pub fn start(client: Client, name: &'static str) -> Self {
        Self::spawn(client, name, false)
    }

    /// Repeats each message under its `clientMessageId` until it is confirmed. An id that was once answered `UNCONFIRMED` is in
    /// [`Said::perhaps`], an `UNAVAILABLE` in [`Said::never`], and in the end all are in [`Said::ok`].
    pub fn start_patient(client: Client, name: &'static str) -> Self {
        Self::spawn(client, name, true)
    }

    fn spawn(client: Client, name: &'static str, patient: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut said = Said::default();
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let text = format!("{name} {number}");
                let payload = match patient {
                    true => json!({"text": text, "clientMessageId": text}),
                    false => json!({"text": text}),
                };
                while !say(&client, &text, &payload, &mut said).await && patient {}
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (client, said)
        });
        Self { task, stop }
    }

    pub async fn stop(self) -> (Client, Said) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("every answer was one of the expected")
    }
}

/// True when it was confirmed.
async fn say(client: &Client, text: &str, payload: &Value, said: &mut Said) -> bool {
    let start = Instant::now();
    let reply = client.ask("message:send", payload.clone()).await;
    said.slowest = said.slowest.max(start.elapsed());
    let list = match reply["code"].as_str() {
        None => &mut said.ok,
        Some("UNAVAILABLE") => &mut said.never,
        Some("UNCONFIRMED") => &mut said.perhaps,
        Some(_) => panic!("{text} was answered {reply}"),
    };
    list.push(text.to_owned());
    reply["ok"] == true
}

pub fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
}

/// What a member heard: each message once, in order; all that were confirmed, none that was refused.
pub fn judge(who: &str, heard: &[String], said: &Said) {
    let number = |text: &String| text.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number");
    let numbers: Vec<u64> = heard.iter().map(number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{who}, out of order or twice: {numbers:?}");
    let heard: HashSet<_> = heard.iter().collect();
    let lost: Vec<_> = said.ok.iter().filter(|text| !heard.contains(text)).collect();
    let ghosts: Vec<_> = said.never.iter().filter(|text| heard.contains(text) && !said.ok.contains(text)).collect();
    assert!(lost.is_empty() && ghosts.is_empty(), "{who}, lost: {lost:?}; refused and done: {ghosts:?}; {said:?}");
}

/// All messages of an incident as the hub remembers them.
pub async fn history(client: &Client) -> Vec<String> {
    let (mut all, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = client.ask_ok("message:history", json!({"limit": 100, "before": before})).await;
        all.splice(0..0, texts(page["messages"].as_array().expect("a list")));
        before = page["nextBefore"].clone();
        if before.is_null() {
            return all;
        }
    }
}
