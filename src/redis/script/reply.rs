//! Reading what a script answered, and writing what it is asked.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use redis::Value;

use super::BadReply;

/// The elements of a script's answer, taken from the front.
pub struct Reply {
    script: &'static str,
    items: VecDeque<Value>,
}

impl Reply {
    pub fn new(script: &'static str, value: Value) -> Result<Self, BadReply> {
        match value {
            Value::Array(items) => Ok(Self { script, items: items.into() }),
            other => Err(BadReply { script, detail: format!("{other:?}") }),
        }
    }

    pub fn bad(&self, detail: impl Into<String>) -> BadReply {
        BadReply { script: self.script, detail: detail.into() }
    }

    pub fn left(&self) -> usize {
        self.items.len()
    }

    fn next(&mut self) -> Result<Value, BadReply> {
        self.items.pop_front().ok_or_else(|| self.bad("too few elements"))
    }

    pub fn bytes(&mut self) -> Result<Bytes, BadReply> {
        match self.next()? {
            Value::BulkString(bytes) => Ok(bytes.into()),
            Value::SimpleString(text) => Ok(text.into()),
            Value::Int(number) => Ok(number.to_string().into()),
            other => Err(self.bad(format!("no text: {other:?}"))),
        }
    }

    pub fn text(&mut self) -> Result<String, BadReply> {
        String::from_utf8(self.bytes()?.into()).map_err(|_| self.bad("no UTF-8"))
    }

    /// A text; the empty one is none.
    pub fn some(&mut self) -> Result<Option<String>, BadReply> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    /// An integer, or an integer's text.
    pub fn int(&mut self) -> Result<i64, BadReply> {
        match self.next()? {
            Value::Int(number) => Ok(number),
            Value::BulkString(bytes) => number(&bytes).ok_or_else(|| self.bad("no number")),
            other => Err(self.bad(format!("no number: {other:?}"))),
        }
    }

    pub fn uint(&mut self) -> Result<u64, BadReply> {
        Ok(self.int()?.max(0).unsigned_abs())
    }

    /// ms from now; below 0: none.
    pub fn wait(&mut self) -> Result<Option<Duration>, BadReply> {
        Ok(u64::try_from(self.int()?).ok().map(Duration::from_millis))
    }

    pub fn flag(&mut self) -> Result<bool, BadReply> {
        Ok(self.int()? != 0)
    }

    pub fn parsed<T: std::str::FromStr>(&mut self) -> Result<T, BadReply> {
        let text = self.text()?;
        text.parse().map_err(|_| self.bad(format!("not understood: {text}")))
    }

    /// A nested array.
    pub fn list(&mut self) -> Result<Reply, BadReply> {
        let value = self.next()?;
        // RESP3 may give a map where RESP2 gives a flat array.
        let value = match value {
            Value::Map(pairs) => Value::Array(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()),
            other => other,
        };
        Reply::new(self.script, value)
    }

    /// Field, value, field, value… of a hash.
    pub fn pairs(&mut self) -> Result<Vec<(String, Bytes)>, BadReply> {
        let mut list = self.list()?;
        let mut pairs = Vec::with_capacity(list.left() / 2);
        while list.left() > 0 {
            pairs.push((list.text()?, list.bytes()?));
        }
        Ok(pairs)
    }
}

pub fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The arguments of a call, in order.
#[derive(Default)]
pub struct Args(Vec<Bytes>);

impl Args {
    pub fn new() -> Self {
        Self(Vec::with_capacity(24))
    }

    pub fn text(mut self, text: &str) -> Self {
        self.0.push(Bytes::copy_from_slice(text.as_bytes()));
        self
    }

    pub fn owned(mut self, text: String) -> Self {
        self.0.push(text.into());
        self
    }

    pub fn bytes(mut self, bytes: Bytes) -> Self {
        self.0.push(bytes);
        self
    }

    pub fn int(mut self, number: u64) -> Self {
        self.0.push(number.to_string().into());
        self
    }

    pub fn flag(mut self, flag: bool) -> Self {
        self.0.push(Bytes::from_static(if flag { b"1" } else { b"" }));
        self
    }

    pub fn done(self) -> Vec<Bytes> {
        self.0
    }
}
