//! Parts of a JSON text. They are cut out without being parsed.

use super::{Reader, Text, is_space};

/// The elements of a JSON array that is known to be well-formed, without the white space around them. For any other text the
/// result is some slices of it, or none.
pub fn elements(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = json.trim_ascii().strip_prefix(b"[").unwrap_or_default();
    std::iter::from_fn(move || {
        let (element, behind) = rest.split_at(element_len(rest));
        rest = behind.get(1..).unwrap_or_default();
        Some(element.trim_ascii()).filter(|element| !element.is_empty())
    })
}

/// The texts between the commas of a container, without the white space around them. `inner` is the container without its
/// brackets. The caller checks whether each of them is a value. Nothing is left out, whatever `inner` is.
pub fn pieces(inner: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(inner).filter(|inner| !inner.bytes().all(is_space));
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let (piece, behind) = all.split_at(element_len(all.as_bytes()));
        match behind.strip_prefix(',') {
            Some(more) => rest = Some(more),
            None if behind.is_empty() => {}
            // A closing bracket without an opening one: this is not a value.
            None => return Some(all),
        }
        Some(piece.trim_matches([' ', '\t', '\n', '\r']))
    })
}

/// The raw value of the first member with this name in a JSON object. For any other text the result is some slice of it, or none.
pub fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    pieces(object.strip_prefix('{')?.strip_suffix('}')?).find_map(|piece| {
        let (key, value) = split_member(piece)?;
        key.unescape().is_ok_and(|key| key == name).then_some(value)
    })
}

fn split_member(piece: &str) -> Option<(Text<'_>, &str)> {
    let mut reader = Reader { text: piece, bytes: piece.as_bytes(), at: 0 };
    let key = reader.peek().filter(|byte| *byte == b'"').and_then(|_| reader.string().ok())?;
    if !reader.takes(b':') {
        return None;
    }
    reader.skip_space();
    Some((key, &piece[reader.at..]))
}

/// The position of the comma or the bracket that ends the first element of `json`.
fn element_len(json: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut bytes = json.iter().enumerate();
    let mut in_string = false;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b',' | b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_sliced_whatever_they_hold() {
        let json = br#" [ "a,]\"" , [1,[2]],{"x":"}"},null ] "#;
        let found: Vec<_> = elements(json).map(|element| std::str::from_utf8(element).unwrap()).collect();
        assert_eq!(found, [r#""a,]\"""#, "[1,[2]]", r#"{"x":"}"}"#, "null"]);
        for none in ["", "[]", "[ ]", "{}", "x", "\\"] {
            assert_eq!(elements(none.as_bytes()).count(), 0, "{none}");
        }
    }

    #[test]
    fn pieces_leave_nothing_out_whatever_they_are() {
        for (inner, expected) in [
            (r#" "a,]" , [1,[2]] ,{"x":"}"}"#, &[r#""a,]""#, "[1,[2]]", r#"{"x":"}"}"#][..]),
            ("", &[]),
            (" ", &[]),
            ("1,,2", &["1", "", "2"]),
            ("1,", &["1", ""]),
            (",", &["", ""]),
            ("1]2,3", &["1]2,3"]),
            ("1,}", &["1", "}"]),
            (r#"1,"a"#, &["1", r#""a"#]),
            ("[1,2", &["[1,2"]),
        ] {
            assert_eq!(pieces(inner).collect::<Vec<_>>(), expected, "{inner}");
        }
    }

    #[test]
    fn a_member_is_found_however_its_name_is_written() {
        let object = r#"{ "a" : {"b":1} , "b":"x,}" ,"p\u006fints": [1, 2] , "b":3}"#;
        for (name, value) in
            [("a", Some(r#"{"b":1}"#)), ("b", Some(r#""x,}""#)), ("points", Some("[1, 2]")), ("c", None), ("", None)]
        {
            assert_eq!(member(object, name), value, "{name}");
        }
        for other in ["", "[]", "{}", "{", "{\"a\"}", "{a:1}", "\"a\""] {
            assert_eq!(member(other, "a"), None, "{other}");
        }
    }
}
