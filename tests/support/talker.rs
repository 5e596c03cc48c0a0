//! An official client that a test leads: `talk.mjs`, `talk_sync.py` or `talk_async.py` of `tests/clients/`.

use serde_json::{Value, json};

use super::node::Script;

/// Which client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// `socket.io-client` 4.
    Node,
    /// `python-socketio` 5 on threads.
    Python,
    /// `python-socketio` 5 on asyncio.
    PythonAsync,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    Text,
    Msgpack,
}

/// How it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transports {
    /// Polling first, then an upgrade.
    Default,
    Websocket,
    /// Long-polling alone.
    Polling,
}

/// A client with the events that it has told of, and that no wait has taken yet.
pub struct Talker {
    script: Script,
    events: Vec<Value>,
}

impl Talker {
    /// Starts one and waits until it is connected, by WebSocket in the end unless it shall poll.
    pub async fn connect(library: Library, parser: Parser, transports: Transports, url: &str, token: &str) -> Self {
        Self::connect_with(library, parser, transports, url, token, &json!({})).await
    }

    /// [`Talker::connect`] with further options, which only Node's knows.
    pub async fn connect_with(
        library: Library,
        parser: Parser,
        transports: Transports,
        url: &str,
        token: &str,
        further: &Value,
    ) -> Self {
        let parser = if parser == Parser::Msgpack { "msgpack" } else { "text" };
        let way = match transports {
            Transports::Default => "default",
            Transports::Websocket => "websocket",
            Transports::Polling => "polling",
        };
        let args = [url, token, way, parser, &further.to_string()];
        let script = match library {
            Library::Node => Script::node("talk.mjs", &args),
            Library::Python => Script::python("talk_sync.py", &args),
            Library::PythonAsync => Script::python("talk_async.py", &args),
        };
        let mut talker = Self { script, events: Vec::new() };
        // The upgrade and CONNECT run side by side.
        if library == Library::Node {
            let begins = if transports == Transports::Websocket { "websocket" } else { "polling" };
            assert_eq!(talker.fact("opened").await, begins);
            let mut awaited = if transports == Transports::Default { vec!["connected", "upgraded"] } else { vec!["connected"] };
            while !awaited.is_empty() {
                let next = talker.next("connected").await;
                awaited.retain(|fact| next.as_ref().is_none_or(|(told, _)| told != fact));
            }
        } else {
            let settled = if transports == Transports::Polling { "polling" } else { "websocket" };
            assert_eq!(talker.fact("settled").await, settled);
        }
        talker
    }

    /// Sends an event and waits for its acknowledgement.
    pub async fn ask(&mut self, event: &str, payload: Value) -> Value {
        self.script.order(&json!(["ask", event, payload]).to_string());
        self.fact("ack").await
    }

    /// [`Talker::ask`] for an event that must succeed: `{ok:true, …}`.
    pub async fn ask_ok(&mut self, event: &str, payload: Value) -> Value {
        let reply = self.ask(event, payload.clone()).await;
        assert_eq!(reply["ok"], true, "{event} {payload} was answered {reply}");
        reply
    }

    /// Sends an event without an acknowledgement.
    pub fn emit(&mut self, event: &str, payload: Value) {
        self.script.order(&json!(["emit", event, payload]).to_string());
    }

    /// The first event of this name, not taken before, whose first argument fits; that argument.
    pub async fn wait_for(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let mut from = 0;
        loop {
            let found = self.events[from..].iter().position(|args| args[0] == event && fits(&args[1]));
            if let Some(at) = found {
                return self.events.remove(from + at)[1].take();
            }
            from = self.events.len();
            self.next(event).await;
        }
    }

    /// Events of this name that no wait has taken.
    pub fn count(&self, event: &str) -> usize {
        self.events.iter().filter(|args| args[0] == event).count()
    }

    /// `SIGSTOP` and the like: a phone that falls asleep.
    pub fn signal(&self, signal: i32) {
        self.script.signal(signal);
    }

    /// Disconnects and waits for the end of the process.
    pub async fn leave(mut self) {
        self.script.order(r#"["leave"]"#);
        assert!(self.script.finish().await.success());
    }

    async fn fact(&mut self, name: &str) -> Value {
        loop {
            if let Some((fact, value)) = self.next(name).await
                && fact == name
            {
                return value;
            }
        }
    }

    /// Reads one line; events are kept, other facts returned.
    async fn next(&mut self, awaited: &str) -> Option<(String, Value)> {
        let line = self.script.line().await;
        let line = line.unwrap_or_else(|| panic!("it ended before {awaited:?}; events: {:#?}", self.events));
        let (fact, value) = line.split_once(' ').unwrap_or_else(|| panic!("not a fact: {line}"));
        let value: Value = serde_json::from_str(value).unwrap_or_else(|error| panic!("{error}: {line}"));
        if fact == "event" {
            self.events.push(value);
            return None;
        }
        assert!(fact != "refused" && fact != "disconnected", "before {awaited:?}: {line}");
        Some((fact.to_owned(), value))
    }
}
