//! Packets of `socket.io-msgpack-parser` as JSON and back. Binary data stands as `{"$bin":[…]}`.

use rmp::Marker;
use rmp::{decode, encode};
use serde_json::{Map, Value, json};

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
