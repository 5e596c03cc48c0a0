//! Items read from untrusted msgpack bytes.

use rmp::Marker;

use crate::protocol::intake::MAX_NUMBER;
use crate::protocol::packet::DecodeError;

/// A scalar, or the head of a container. The elements of a container follow it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    /// A negative integer.
    Negative(i64),
    Float(f64),
    Str(&'a str),
    /// Text that is not UTF-8.
    Garbled,
    Bin(&'a [u8]),
    Array(usize),
    Map(usize),
    /// The official encoder's `undefined`: `d4 00 00`.
    Undefined,
    /// The official encoder's Date: `d7 00` and milliseconds since 1970 UTC.
    Date(i64),
    /// Any other extension, also one of the two above in another length.
    Extension,
}

impl Item<'_> {
    /// A whole number from 0 to 2^53, in any of its msgpack forms.
    pub fn as_index(&self) -> Option<u64> {
        match *self {
            Item::Unsigned(value) => Some(value),
            Item::Float(value) if value >= 0.0 && value.fract() == 0.0 => Some(value as u64),
            _ => None,
        }
        .filter(|value| *value <= MAX_NUMBER)
    }
}

/// Reads items. It allocates nothing, and it refuses a length that is longer than the rest of the message.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left to read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn next(&mut self) -> Result<Item<'a>, DecodeError> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Item::Nil,
            Marker::True => Item::Bool(true),
            Marker::False => Item::Bool(false),
            Marker::FixPos(value) => Item::Unsigned(value.into()),
            Marker::U8 => Item::Unsigned(self.unsigned::<1>()?),
            Marker::U16 => Item::Unsigned(self.unsigned::<2>()?),
            Marker::U32 => Item::Unsigned(self.unsigned::<4>()?),
            Marker::U64 => Item::Unsigned(self.unsigned::<8>()?),
            Marker::FixNeg(value) => signed(value.into()),
            Marker::I8 => signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Item::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Item::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(len) => self.str(len.into())?,
            Marker::Str8 => self.sized::<1>(Self::str)?,
            Marker::Str16 => self.sized::<2>(Self::str)?,
            Marker::Str32 => self.sized::<4>(Self::str)?,
            Marker::Bin8 => self.sized::<1>(Self::bin)?,
            Marker::Bin16 => self.sized::<2>(Self::bin)?,
            Marker::Bin32 => self.sized::<4>(Self::bin)?,
            Marker::FixArray(len) => self.elements(len.into())?,
            Marker::Array16 => self.sized::<2>(Self::elements)?,
            Marker::Array32 => self.sized::<4>(Self::elements)?,
            Marker::FixMap(len) => self.entries(len.into())?,
            Marker::Map16 => self.sized::<2>(Self::entries)?,
            Marker::Map32 => self.sized::<4>(Self::entries)?,
            Marker::FixExt1 if self.array::<2>()? == [0, 0] => Item::Undefined,
            Marker::FixExt1 => Item::Extension,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => {
                let ([kind], data) = (self.array()?, self.array()?);
                if kind == 0 { Item::Date(i64::from_be_bytes(data)) } else { Item::Extension }
            }
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.sized::<1>(Self::extension)?,
            Marker::Ext16 => self.sized::<2>(Self::extension)?,
            Marker::Ext32 => self.sized::<4>(Self::extension)?,
            Marker::Reserved => return Err(DecodeError::BadPayload),
        })
    }

    /// Passes over one value of any depth, without recursion.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let mut left = 1_usize;
        while left > 0 {
            let item = self.next()?;
            left = left - 1 + contained(item);
        }
        Ok(())
    }

    /// Passes over the contents of the item that was read last.
    pub fn skip_contents(&mut self, item: Item<'_>) -> Result<(), DecodeError> {
        for _ in 0..contained(item) {
            self.skip()?;
        }
        Ok(())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::BadPayload)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::BadPayload)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A big-endian number of `N` bytes.
    fn unsigned<const N: usize>(&mut self) -> Result<u64, DecodeError> {
        Ok(self.array::<N>()?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Reads a length of `N` bytes and hands it to `read`.
    fn sized<const N: usize>(
        &mut self,
        read: impl FnOnce(&mut Self, usize) -> Result<Item<'a>, DecodeError>,
    ) -> Result<Item<'a>, DecodeError> {
        let len = self.unsigned::<N>()?.try_into().map_err(|_| DecodeError::BadPayload)?;
        read(self, len)
    }

    fn str(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        Ok(std::str::from_utf8(self.take(len)?).map_or(Item::Garbled, Item::Str))
    }

    fn bin(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        self.take(len).map(Item::Bin)
    }

    fn elements(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        if len > self.rest.len() { Err(DecodeError::BadPayload) } else { Ok(Item::Array(len)) }
    }

    fn entries(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        if len > self.rest.len() / 2 { Err(DecodeError::BadPayload) } else { Ok(Item::Map(len)) }
    }

    fn extension(&mut self, len: usize) -> Result<Item<'a>, DecodeError> {
        self.array::<1>()?;
        self.take(len).map(|_| Item::Extension)
    }
}

/// How many values follow an item as its contents.
fn contained(item: Item<'_>) -> usize {
    match item {
        Item::Array(len) => len,
        Item::Map(len) => len * 2,
        _ => 0,
    }
}

fn signed<'a>(value: i64) -> Item<'a> {
    u64::try_from(value).map_or(Item::Negative(value), Item::Unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_message_is_not_believed() {
        for bytes in [
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0][..],
            &[0xdf, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xc6, 0xff, 0xff, 0xff, 0xff, 0],
            &[0xc9, 0xff, 0xff, 0xff, 0xff, 0, 0],
            &[0x92, 0],
            &[0x81, 0],
            &[0xa2, b'a'],
            &[0xcb, 0],
            &[0xd7, 0],
            &[0xc1],
            &[],
        ] {
            assert_eq!(Reader::new(bytes).next(), Err(DecodeError::BadPayload), "{bytes:x?}");
        }
    }

    #[test]
    fn skipping_needs_no_stack() {
        let mut deep = vec![0x91; 1_000_000];
        assert_eq!(Reader::new(&deep).skip(), Err(DecodeError::BadPayload));
        deep.push(0xc0);
        let mut reader = Reader::new(&deep);
        assert_eq!(reader.skip(), Ok(()));
        assert!(reader.is_at_end());
    }
}
