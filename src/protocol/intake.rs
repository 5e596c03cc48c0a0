//! What a client may put into the arguments of an event or ack. The rules are at least as strict as the official decoders: one
//! event that a client's decoder rejects would disconnect its whole room again and again. Arguments that decode but break a rule
//! are refused and never passed on. The texts below say which rule was broken.

use std::{borrow::Cow, collections::HashSet};

use smallvec::SmallVec;

use super::json::{self, Container, Sink, Stop, Text};

/// How deeply containers may nest. The array of the arguments counts too.
pub const MAX_DEPTH: usize = 64;
/// The largest magnitude of a number: 2^53. Beyond it JavaScript cannot tell two neighbouring integers apart.
pub const MAX_NUMBER: u64 = 1 << 53;

/// NaN or an infinity, which only msgpack can carry. An event may have a code of its own for the refusal by this rule, and by no
/// other.
pub const NOT_A_NUMBER: &str = "not a number";
pub const TOO_DEEP: &str = "nesting deeper than 64";
pub const NUMBER_TOO_LARGE: &str = "number beyond 2^53";
pub const BAD_PLACEHOLDER: &str = "placeholders are not 0 to n-1, each once";
pub const FORGED_PLACEHOLDER: &str = "the key _placeholder without attachments";
pub const RESERVED_KEY: &str = "the key __proto__";
pub const DUPLICATE_KEY: &str = "a key twice in one object";
pub const BAD_KEY: &str = "a key that is neither text nor integer";
pub const LONE_SURROGATE: &str = "half a surrogate pair";
pub const UNKNOWN_EXTENSION: &str = "msgpack extension type";
pub const BAD_DATE: &str = "date out of range";
pub const TOO_MANY_ATTACHMENTS: &str = "too many attachments";
pub const TOO_LARGE: &str = "too large as JSON text";

/// The key that makes an object a placeholder.
pub const PLACEHOLDER: &str = "_placeholder";
/// In the official msgpack decoder this key sets the prototype of an object instead of a field.
const PROTO: &str = "__proto__";

/// Event names that the official libraries use themselves. Their decoders reject an event of such a name.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What was found in a text of arguments.
#[derive(Debug, PartialEq, Eq)]
pub struct Checked {
    /// The length of the text without the white space behind it.
    pub len: usize,
    /// The first rule that the text breaks.
    pub broken: Option<&'static str>,
}

/// Reads one JSON value and checks it by the rules. It must have a placeholder for each of so many `attachments`. An error means
/// that it is not JSON.
pub fn check(text: &str, attachments: u32) -> Result<Checked, Stop> {
    judge(text, MAX_DEPTH, &mut Rules::new(attachments))
}

/// [`check`] for a value inside of so many containers, without attachments.
fn check_within(text: &str, containers: usize) -> Result<Checked, Stop> {
    judge(text, MAX_DEPTH - containers, &mut Rules::new(0))
}

fn judge<'a>(text: &'a str, depth: usize, rules: &mut Rules<'a>) -> Result<Checked, Stop> {
    match json::read(text, depth, rules) {
        Ok(behind) if behind.bytes().all(json::is_space) => {
            Ok(Checked { len: text.len() - behind.len(), broken: rules.verdict() })
        }
        Ok(_) => Err(Stop::Malformed),
        Err(Stop::TooDeep) => Ok(Checked { len: text.len(), broken: Some(TOO_DEEP) }),
        Err(Stop::Malformed) => Err(Stop::Malformed),
    }
}

/// Says which events have a list whose elements are judged one by one, so that one bad element does not refuse the others. For a
/// namespace and the name of an event it gives the list's field in the event's first argument.
pub type Lists<'a> = &'a dyn Fn(&str, &str) -> Option<&'static str>;

/// For callers without such events.
pub const NO_LISTS: Lists<'static> = &|_, _| None;

/// [`check`] for the arguments of an event with such a list. An element that breaks a rule or holds binary data is replaced by
/// null. `Ok(Err)` is the rule that something outside of the list breaks.
pub fn check_each(array: &str, field: &str) -> Result<Result<String, &'static str>, Stop> {
    let Some(list) = find_list(array, field) else {
        return Ok(check(array, 0)?.broken.map_or_else(|| Ok(array.to_owned()), Err));
    };
    let start = list.as_ptr() as usize - array.as_ptr() as usize;
    let (head, tail) = (&array[..=start], &array[start + list.len() - 1..]);
    if let Some(why) = check(&[head, tail].concat(), 0)?.broken {
        return Ok(Err(why));
    }
    let mut mended = String::with_capacity(array.len());
    mended.push_str(head);
    for (index, element) in json::pieces(&list[1..list.len() - 1]).enumerate() {
        if index > 0 {
            mended.push(',');
        }
        mended.push_str(if check_within(element, LIST_DEPTH)?.broken.is_none() { element } else { "null" });
    }
    mended.push_str(tail);
    Ok(Ok(mended))
}

/// How many containers are around an element of such a list: the arguments, the payload, the list.
const LIST_DEPTH: usize = 3;

/// A list in the first argument of an event, its brackets included.
fn find_list<'a>(array: &'a str, field: &str) -> Option<&'a str> {
    let payload = json::pieces(array.trim_end_matches([' ', '\t', '\n', '\r']).strip_prefix('[')?.strip_suffix(']')?).nth(1)?;
    json::member(payload, field).filter(|list| list.len() >= 2 && list.starts_with('[') && list.ends_with(']'))
}

/// What is wrong with a key. Duplicates are found elsewhere.
pub fn key_fault(key: &str, attachments: u32) -> Option<&'static str> {
    match key {
        PLACEHOLDER if attachments == 0 => Some(FORGED_PLACEHOLDER),
        PROTO => Some(RESERVED_KEY),
        _ => None,
    }
}

/// Whether a JSON number is within ±2^53.
fn is_number_small(literal: &str) -> bool {
    let digits = literal.strip_prefix('-').unwrap_or(literal);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        digits.len() < 16 || digits.parse().is_ok_and(|value: u64| value <= MAX_NUMBER)
    } else {
        // Not `<=`: a literal beyond the limit may have been rounded down to it.
        digits.parse().is_ok_and(|value: f64| value < MAX_NUMBER as f64)
    }
}

/// Applies the rules to a JSON text while it is read.
struct Rules<'a> {
    broken: Option<&'static str>,
    keys: KeySets<'a>,
    levels: SmallVec<[Level; 8]>,
    attachments: u32,
    /// Which placeholders were found so far.
    met: SmallVec<[bool; 16]>,
}

/// An open container.
struct Level {
    container: Container,
    fields: u32,
    key: Key,
    is_placeholder: bool,
    says_true: bool,
    num: Option<u32>,
}

/// The key that was read last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    Other,
}

impl<'a> Rules<'a> {
    fn new(attachments: u32) -> Self {
        Self {
            broken: None,
            keys: KeySets::default(),
            levels: SmallVec::new(),
            attachments,
            met: SmallVec::from_elem(false, attachments as usize),
        }
    }

    fn break_with(&mut self, why: &'static str) {
        self.broken.get_or_insert(why);
    }

    fn verdict(&self) -> Option<&'static str> {
        self.broken.or_else(|| (!self.met.iter().all(|met| *met)).then_some(BAD_PLACEHOLDER))
    }
}

impl<'a> Sink<'a> for Rules<'a> {
    fn null(&mut self) {}

    fn bool(&mut self, value: bool) {
        if let Some(level) = self.levels.last_mut().filter(|level| level.key == Key::Placeholder) {
            level.says_true = value;
        }
    }

    fn number(&mut self, literal: &'a str) {
        if !is_number_small(literal) {
            self.break_with(NUMBER_TOO_LARGE);
        }
        if let Some(level) = self.levels.last_mut().filter(|level| level.key == Key::Num) {
            level.num = literal.parse().ok();
        }
    }

    fn string(&mut self, text: Text<'a>) {
        if text.unescape().is_err() {
            self.break_with(LONE_SURROGATE);
        }
    }

    fn open(&mut self, container: Container) {
        self.levels.push(Level { container, fields: 0, key: Key::Other, is_placeholder: false, says_true: false, num: None });
        if container == Container::Object {
            self.keys.open();
        }
    }

    fn key(&mut self, text: Text<'a>) {
        let Ok(key) = text.unescape() else { return self.break_with(LONE_SURROGATE) };
        if let Some(fault) = key_fault(&key, self.attachments) {
            self.break_with(fault);
        }
        if let Some(level) = self.levels.last_mut() {
            level.fields += 1;
            level.key = match &*key {
                PLACEHOLDER => Key::Placeholder,
                "num" => Key::Num,
                _ => Key::Other,
            };
            level.is_placeholder |= level.key == Key::Placeholder;
        }
        if !self.keys.insert(key) {
            self.break_with(DUPLICATE_KEY);
        }
    }

    fn close(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if level.container == Container::Object {
            self.keys.close();
        }
        if level.is_placeholder && self.attachments > 0 {
            let met = level.num.and_then(|num| self.met.get_mut(num as usize));
            let well_formed = level.says_true && level.fields == 2;
            match met {
                Some(met) if well_formed && !*met => *met = true,
                _ => self.break_with(BAD_PLACEHOLDER),
            }
        }
    }
}

/// The keys of all open objects, to find duplicates. Small objects are searched by comparison, large ones by hash, so that the
/// cost of an object never grows with the square of its size.
#[derive(Default)]
pub struct KeySets<'a> {
    keys: SmallVec<[Cow<'a, str>; 16]>,
    objects: SmallVec<[OpenObject<'a>; 8]>,
}

struct OpenObject<'a> {
    /// Where the keys of this object begin among all of them.
    start: usize,
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> KeySets<'a> {
    const FEW: usize = 16;

    pub fn open(&mut self) {
        self.objects.push(OpenObject { start: self.keys.len(), many: None });
    }

    /// Adds a key to the innermost object. False: the object has this key already.
    pub fn insert(&mut self, key: Cow<'a, str>) -> bool {
        let Some(object) = self.objects.last_mut() else { return true };
        if let Some(many) = &mut object.many {
            return many.insert(key);
        }
        let keys = &self.keys[object.start..];
        if keys.contains(&key) {
            return false;
        }
        if keys.len() < Self::FEW {
            self.keys.push(key);
        } else {
            object.many = Some(self.keys.drain(object.start..).chain([key]).collect());
        }
        true
    }

    pub fn close(&mut self) {
        if let Some(object) = self.objects.pop() {
            self.keys.truncate(object.start);
        }
    }
}
