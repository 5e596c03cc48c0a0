//! The document: <https://www.asyncapi.com/docs/reference/specification/v3.1.0>.
//!
//! ```text
//! channels.<id>             a namespace; `address` is its name
//!   messages.<key>          receive.<event>, ack.<event>, send.<event>, receive.CONNECT, …
//! operations.<id>.<key>     `receive`: clients send it, and `reply` is the acknowledgement; `send`: clients get it
//! components.schemas        payloads and acknowledgements, by the names of their types
//! ```
//!
//! In keys a dot stands for each colon of an event's name; `name` of a message is the event's name as it is.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::transform::{Closed, WithoutFormats};
use super::{COMMON, Channel, Connect, Delivery, Received, SchemaOf, Sent};
use crate::socketio::Code;

/// What the document says of the hub.
pub struct Info<'a> {
    pub title: &'a str,
    pub version: &'a str,
    pub about: &'a str,
}

/// The document of these channels.
pub fn document(info: &Info<'_>, channels: &[Channel]) -> Value {
    let mut builder = Builder::new();
    for channel in channels {
        builder.channel(channel);
    }
    let tags: Vec<_> = channels.iter().map(|channel| json!({"name": channel.title, "description": channel.about})).collect();
    let Builder { channels, operations, .. } = &builder;
    json!({
        "asyncapi": "3.1.0",
        "info": {
            "title": info.title,
            "version": info.version,
            "description": info.about,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            "tags": tags,
        },
        "servers": {"hub": {
            "host": "{host}",
            "protocol": "ws",
            "pathname": "/socket.io/",
            "description": "This hub: Socket.IO protocol 5, over WebSocket and long-polling.",
            "variables": {"host": {"default": "localhost:3000", "description": "Where the hub is."}},
        }},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": builder.schemas()},
    })
}

struct Builder {
    /// What clients send.
    incoming: SchemaGenerator,
    /// What clients get.
    outgoing: SchemaGenerator,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    /// Schemas that are of no type.
    composed: Map<String, Value>,
}

/// One message of a channel.
struct Message<'a> {
    key: String,
    name: String,
    title: String,
    about: &'a str,
    /// The packet of Socket.IO that carries it.
    packet: &'static str,
    payload: Value,
}

impl Builder {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft07()
                .with(|settings| {
                    settings.definitions_path = "/components/schemas".into();
                    settings.meta_schema = None;
                })
                .with_transform(WithoutFormats)
        };
        Self {
            incoming: settings().for_deserialize().into_generator(),
            outgoing: settings().for_serialize().with_transform(Closed).into_generator(),
            channels: Map::new(),
            operations: Map::new(),
            composed: Map::new(),
        }
    }

    fn payload(&mut self, of: SchemaOf) -> Value {
        finished(of, &mut self.incoming)
    }

    fn told(&mut self, of: SchemaOf) -> Value {
        finished(of, &mut self.outgoing)
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut schemas = self.incoming.take_definitions(true);
        let mut twice = Vec::new();
        for (name, schema) in self.outgoing.take_definitions(true).into_iter().chain(self.composed) {
            if schemas.get(&name).is_some_and(|other| *other != schema) {
                twice.push(name.clone());
            }
            schemas.insert(name, schema);
        }
        debug_assert!(twice.is_empty(), "two schemas have one name: {twice:?}");
        schemas
    }

    fn channel(&mut self, channel: &Channel) {
        let mut messages = Map::new();
        self.connect(channel, &channel.connect, &mut messages);
        for event in &channel.received {
            self.received(channel, event, &mut messages);
        }
        let error = self.error(channel);
        for event in &channel.sent {
            self.sent(channel, event, &mut messages);
        }
        let message = Message {
            key: "send.error".into(),
            name: "error".into(),
            title: "error".into(),
            about: "An event was refused, and its client asked for no acknowledgement; or the hub ends something by itself.",
            packet: "EVENT",
            payload: error,
        };
        let about = message.about;
        let key = put(&mut messages, message);
        let mut operation = operation(channel, "send", &[key], about);
        operation["summary"] = "Who gets it: the socket that is concerned".into();
        operation["x-delivery"] = Delivery::Direct.as_str().into();
        self.operations.insert(format!("{}.send.error", channel.id), operation);
        let value = json!({
            "address": channel.namespace, "title": channel.title, "description": channel.about, "messages": messages,
        });
        self.channels.insert(channel.id.into(), value);
    }

    /// CONNECT, and what the hub answers to it.
    fn connect(&mut self, channel: &Channel, connect: &Connect, messages: &mut Map<String, Value>) {
        let payload = self.payload(connect.auth);
        let refused = json!({
            "type": "object", "required": ["message"], "additionalProperties": false,
            "properties": {
                "message": {"type": "string"},
                "data": {"type": "object", "required": ["code"], "properties": {"code": codes(connect.codes)},
                         "additionalProperties": false},
            },
        });
        let accepted = json!({
            "type": "object", "required": ["sid"], "additionalProperties": false,
            "properties": {
                "sid": {"type": "string", "description": "The id of the socket."},
                "pid": {"type": "string", "description": "With it the connection is recovered; a secret of this client."},
            },
        });
        let title = pascal(channel.id);
        let mut add = |key: &str, about, packet: &'static str, payload| {
            put(messages, Message { key: key.into(), name: packet.into(), title: packet.into(), about, packet, payload })
        };
        let refused = compose(&mut self.composed, format!("{title}ConnectError"), refused);
        let accepted = compose(&mut self.composed, format!("{title}ConnectReply"), accepted);
        let key = add("receive.CONNECT", connect.about, "CONNECT", payload);
        let replies = [
            add("send.CONNECT", "The client is connected.", "CONNECT", accepted),
            add("send.CONNECT_ERROR", "The client is not let in. It does not come back by itself.", "CONNECT_ERROR", refused),
        ];
        let mut operation = operation(channel, "receive", &[key], connect.about);
        operation["summary"] = "A client connects to the namespace".into();
        operation["x-codes"] = names(connect.codes);
        operation["reply"] = reply(channel, &replies);
        self.operations.insert(format!("{}.receive.CONNECT", channel.id), operation);
    }

    fn received(&mut self, channel: &Channel, event: &Received, messages: &mut Map<String, Value>) {
        let payload = self.payload(event.payload);
        let all = all_codes(&event.codes);
        let mut refusal = json!({
            "type": "object", "required": ["ok", "code", "message"], "additionalProperties": false,
            "properties": {"ok": {"type": "boolean", "const": false}, "code": codes(&all), "message": {"type": "string"}},
        });
        if event.refusal.is_some() {
            refusal["description"] = "Refused for any other reason.".into();
        }
        let mut answers = vec![self.told(event.ack)];
        answers.extend(event.refusal.map(|refusal| self.told(refusal)));
        answers.push(refusal);
        let id = event.name.replace(':', ".");
        let sent = Message {
            key: format!("receive.{id}"),
            name: event.name.into(),
            title: event.name.into(),
            about: event.about,
            packet: "EVENT",
            payload,
        };
        let answer = Message {
            key: format!("ack.{id}"),
            name: format!("{} ack", event.name),
            title: format!("Acknowledgement of {}", event.name),
            about: "",
            packet: "ACK",
            payload: json!({"oneOf": answers}),
        };
        let (sent, answer) = (put(messages, sent), put(messages, answer));
        let mut operation = operation(channel, "receive", &[sent], event.about);
        let who = if event.senders.is_empty() { "everybody".to_owned() } else { event.senders.join(", ") };
        let members = if event.members { "; only those who are in the room" } else { "" };
        operation["summary"] = format!("Who may send it: {who}{members}").into();
        operation["x-senders"] = json!(event.senders);
        operation["x-members"] = event.members.into();
        operation["x-codes"] = names(&all);
        operation["reply"] = reply(channel, &[answer]);
        self.operations.insert(format!("{}.receive.{id}", channel.id), operation);
    }

    fn sent(&mut self, channel: &Channel, event: &Sent, messages: &mut Map<String, Value>) {
        let payload = self.told(event.payload);
        let id = event.name.replace(':', ".");
        let message = Message {
            key: format!("send.{id}"),
            name: event.name.into(),
            title: event.name.into(),
            about: event.about,
            packet: "EVENT",
            payload,
        };
        let key = put(messages, message);
        let mut operation = operation(channel, "send", &[key], event.about);
        operation["summary"] = format!("Who gets it: {}", event.to).into();
        operation["x-delivery"] = event.delivery.as_str().into();
        self.operations.insert(format!("{}.send.{id}", channel.id), operation);
    }

    /// The payload of `error`: with every code that an event of this channel may be refused with.
    fn error(&mut self, channel: &Channel) -> Value {
        let all = channel.received.iter().flat_map(|event| &event.codes).chain(channel.unasked).chain([&Code::UNKNOWN_EVENT]);
        let all = all_codes(&all.copied().collect::<Vec<_>>());
        let mut schema = (channel.error)(&mut self.outgoing).to_value();
        let own = schema["properties"].as_object().cloned().unwrap_or_default();
        let mut properties = Map::from_iter([
            ("code".to_owned(), codes(&all)),
            ("message".to_owned(), json!({"type": "string", "description": "For people; it may change."})),
            ("event".to_owned(), json!({"type": "string", "description": "The event that was refused, or what has ended."})),
        ]);
        properties.extend(own);
        schema = json!({
            "type": "object", "required": ["code", "message", "event"], "properties": properties, "additionalProperties": false,
        });
        WithoutFormats.finish(&mut schema);
        compose(&mut self.composed, format!("{}Error", pascal(channel.id)), schema)
    }
}

impl WithoutFormats {
    /// For a schema that no generator finishes.
    fn finish(mut self, schema: &mut Value) {
        if let Ok(schema) = <&mut Schema>::try_from(schema) {
            schemars::transform::Transform::transform(&mut self, schema);
        }
    }
}

/// The schema, changed like those that stand under a name.
fn finished(of: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    let mut schema = of(generator);
    for transform in generator.transforms_mut() {
        transform.transform(&mut schema);
    }
    schema.to_value()
}

fn compose(composed: &mut Map<String, Value>, name: String, schema: Value) -> Value {
    let reference = json!({"$ref": format!("#/components/schemas/{name}")});
    composed.insert(name, schema);
    reference
}

/// Adds a message, and returns its key.
fn put(messages: &mut Map<String, Value>, message: Message<'_>) -> String {
    let Message { key, name, title, about, packet, payload } = message;
    let mut value = json!({"name": name, "title": title, "payload": payload, "x-packet": packet});
    if !about.is_empty() {
        value["description"] = about.into();
    }
    messages.insert(key.clone(), value);
    key
}

fn operation(channel: &Channel, action: &str, messages: &[String], about: &str) -> Value {
    json!({"action": action, "channel": at(channel), "messages": within(channel, messages), "description": about})
}

fn reply(channel: &Channel, messages: &[String]) -> Value {
    json!({"channel": at(channel), "messages": within(channel, messages)})
}

fn at(channel: &Channel) -> Value {
    json!({"$ref": format!("#/channels/{}", channel.id)})
}

fn within(channel: &Channel, messages: &[String]) -> Value {
    messages.iter().map(|key| json!({"$ref": format!("#/channels/{}/messages/{key}", channel.id)})).collect()
}

/// With those that any event may be refused with, each once and in order.
fn all_codes(own: &[Code]) -> Vec<Code> {
    let names: BTreeSet<_> = own.iter().chain(&COMMON).map(|code| code.0).collect();
    names.into_iter().map(Code).collect()
}

fn names(codes: &[Code]) -> Value {
    codes.iter().map(|code| Value::from(code.0)).collect()
}

fn codes(codes: &[Code]) -> Value {
    json!({"type": "string", "enum": names(codes)})
}

fn pascal(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}
