//! Packets of `socket.io-msgpack-parser` as JSON and back. Binary data stands as `{"$bin":[…]}`.

use futures_util::{SinkExt, StreamExt};
use rmp::Marker;
use rmp::{decode, encode};
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::within;

pub fn pack(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => encode::write_nil(out).unwrap(),
        Value::Bool(value) => encode::write_bool(out, *value).unwrap(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => {
                encode::write_sint(out, number).unwrap();
            }
            None => encode::write_f64(out, number.as_f64().unwrap()).unwrap(),
        },
        Value::String(text) => encode::write_str(out, text).unwrap(),
        Value::Array(items) => {
            encode::write_array_len(out, items.len() as u32).unwrap();
            items.iter().for_each(|item| write(out, item));
        }
        Value::Object(fields) => match fields.get("$bin") {
            Some(bytes) => {
                let bytes: Vec<u8> = serde_json::from_value(bytes.clone()).unwrap();
                encode::write_bin(out, &bytes).unwrap();
            }
            None => {
                encode::write_map_len(out, fields.len() as u32).unwrap();
                for (key, value) in fields {
                    encode::write_str(out, key).unwrap();
                    write(out, value);
                }
            }
        },
    }
}

pub fn unpack(mut bytes: &[u8]) -> Value {
    let value = read(&mut bytes);
    assert!(bytes.is_empty(), "something follows the packet");
    value
}

fn read(bytes: &mut &[u8]) -> Value {
    match Marker::from_u8(bytes[0]) {
        Marker::Null => {
            decode::read_nil(bytes).unwrap();
            Value::Null
        }
        Marker::True | Marker::False => decode::read_bool(bytes).unwrap().into(),
        Marker::F32 => f64::from(decode::read_f32(bytes).unwrap()).into(),
        Marker::F64 => decode::read_f64(bytes).unwrap().into(),
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let len = decode::read_str_len(bytes).unwrap() as usize;
            std::str::from_utf8(take(bytes, len)).unwrap().into()
        }
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
            let len = decode::read_bin_len(bytes).unwrap() as usize;
            json!({"$bin": take(bytes, len)})
        }
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
            let len = decode::read_array_len(bytes).unwrap();
            (0..len).map(|_| read(bytes)).collect()
        }
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
            let len = decode::read_map_len(bytes).unwrap();
            let fields = (0..len).map(|_| (read(bytes).as_str().unwrap().to_owned(), read(bytes)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        _ => decode::read_int::<i64, _>(bytes).unwrap().into(),
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

/// A client in the main namespace that speaks msgpack, and says what no library would.
pub struct Talker {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_ack: u32,
}

impl Talker {
    /// Connects with a token.
    pub async fn connect(base: &str, token: &str) -> Self {
        let url = format!("{}/socket.io/?EIO=4&transport=websocket", base.replacen("http", "ws", 1));
        let (stream, _) = within(tokio_tungstenite::connect_async(url)).await.expect("a WebSocket");
        let mut talker = Self { stream, next_ack: 0 };
        talker.send(pack(&json!({"type": 0, "nsp": "/", "data": {"token": token}}))).await;
        let connected = talker.packet(|packet| packet["type"] == 0 || packet["type"] == 4).await.expect("an answer");
        assert!(connected["data"]["sid"].is_string(), "{connected}");
        talker
    }

    /// Sends bytes as one message.
    pub async fn send(&mut self, bytes: Vec<u8>) {
        // An error means that the hub has closed it: the test sees that by what does not come.
        let _ = self.stream.send(Message::Binary(bytes.into())).await;
    }

    /// The next packet that fits; `None` if the connection ends before.
    pub async fn packet(&mut self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        within(async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Binary(data))) => {
                        let packet = unpack(&data);
                        if fits(&packet) {
                            return Some(packet);
                        }
                    }
                    Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                        let _ = self.stream.send(Message::text("3")).await;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
    }

    /// An event whose payload has one more field, whose value is given as it stands on the wire; returns the ack.
    pub async fn ask_with(&mut self, event: &str, payload: &Value, field: &str, value: &[u8]) -> Value {
        self.next_ack += 1;
        let id = self.next_ack;
        self.send(event_with(event, payload, field, value, Some(id))).await;
        let ack = self.packet(|packet| packet["type"] == 3 && packet["id"] == id).await;
        ack.unwrap_or_else(|| panic!("{event} {payload}: the connection was closed"))["data"][0].take()
    }
}

/// An event packet; `value` stands under `field` of its payload as it is.
pub fn event_with(event: &str, payload: &Value, field: &str, value: &[u8], id: Option<u32>) -> Vec<u8> {
    let fields = payload.as_object().unwrap();
    let mut out = Vec::new();
    encode::write_map_len(&mut out, if id.is_some() { 4 } else { 3 }).unwrap();
    for (key, value) in [("type", json!(2)), ("nsp", json!("/"))] {
        encode::write_str(&mut out, key).unwrap();
        write(&mut out, &value);
    }
    if let Some(id) = id {
        encode::write_str(&mut out, "id").unwrap();
        write(&mut out, &json!(id));
    }
    encode::write_str(&mut out, "data").unwrap();
    encode::write_array_len(&mut out, 2).unwrap();
    encode::write_str(&mut out, event).unwrap();
    encode::write_map_len(&mut out, fields.len() as u32 + 1).unwrap();
    for (key, value) in fields {
        encode::write_str(&mut out, key).unwrap();
        write(&mut out, value);
    }
    encode::write_str(&mut out, field).unwrap();
    out.extend(value);
    out
}
