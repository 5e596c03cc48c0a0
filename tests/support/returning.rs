//! A client that knows of recovery: it loses its link and comes back with what it has had, as the official client does.

use convoke::core::Offset;
use serde_json::{Value, json};

use super::client::{Client, Received, Refusal};
use super::hub::Hub;

/// What a client remembers of its connection.
#[derive(Clone, Debug)]
pub struct Memory {
    pub token: String,
    pub sid: String,
    pub pid: String,
    pub offset: Option<String>,
}

/// Connects for the first time.
pub async fn come(hub: &Hub, token: &str) -> (Client, Memory) {
    let client = Client::builder(&hub.url()).query("recovery=1").auth(json!({"token": token})).connect().await;
    let reply = client.connect_reply();
    let pid = reply["pid"].as_str().expect("a pid").to_owned();
    let memory = Memory { token: token.to_owned(), sid: client.sid(), pid, offset: None };
    (client, memory)
}

/// The offset of the last event that had one.
pub fn last_offset(client: &Client) -> Option<String> {
    last_offset_of(&client.events())
}

/// [`texts`] and [`last_offset`] at one moment.
pub fn heard(client: &Client) -> (Vec<String>, Option<String>) {
    let events = client.events();
    (texts_of(&events), last_offset_of(&events))
}

pub fn last_offset_of(events: &[Received]) -> Option<String> {
    let offsets = events.iter().rev().filter(|event| event.args.len() > 1).filter_map(|event| event.args.last()?.as_str());
    offsets.filter(|text| text.parse::<Offset>().is_ok()).map(str::to_owned).next()
}

impl Memory {
    /// The link is cut, without a word. What the client has had until now is remembered.
    pub fn cut(&mut self, client: Client) {
        self.offset = last_offset(&client).or(self.offset.take());
        drop(client);
    }

    pub fn auth(&self) -> Value {
        let mut auth = json!({"token": self.token, "pid": self.pid});
        if let Some(offset) = &self.offset {
            auth["offset"] = offset.as_str().into();
        }
        auth
    }

    /// Comes back, whatever becomes of it. A new connection is remembered instead of the old one.
    pub async fn try_back(&mut self, hub: &Hub) -> Result<(Client, bool), Refusal> {
        let client = Client::builder(&hub.url()).query("recovery=1").auth(self.auth()).try_connect().await?;
        let reply = client.connect_reply();
        let recovered = reply["pid"] == *self.pid;
        assert_eq!(recovered, reply["sid"] == *self.sid, "both or none: {reply}");
        if !recovered {
            self.pid = reply["pid"].as_str().expect("a pid").into();
            self.sid = client.sid();
            self.offset = None;
        }
        Ok((client, recovered))
    }

    /// Comes back, and is the same as before.
    pub async fn back(&mut self, hub: &Hub) -> Client {
        let (client, recovered) = self.try_back(hub).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert!(recovered, "a new connection: {}; {self:?}", client.connect_reply());
        client
    }

    /// Comes back, and is somebody new.
    pub async fn back_as_new(&mut self, hub: &Hub) -> Client {
        let (client, recovered) = self.try_back(hub).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        assert!(!recovered, "the old connection: {}", client.connect_reply());
        client
    }
}

/// The texts of the messages that came, in the order of their arrival.
pub fn texts(client: &Client) -> Vec<String> {
    texts_of(&client.events())
}

pub fn texts_of(events: &[Received]) -> Vec<String> {
    let messages = events.iter().filter(|event| event.name == "message:broadcast");
    messages.map(|event| event.args[0]["text"].as_str().unwrap_or_default().to_owned()).collect()
}
