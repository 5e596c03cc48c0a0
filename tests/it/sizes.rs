//! What a reader can hold in mind: files, functions and structs have a size that they do not outgrow.

use crate::support::node::{files_with, root};

const LINES_OF_A_FILE: usize = 400;
const LINES_OF_A_FUNCTION: usize = 80;
/// Of a struct that works: one with methods. Plain settings, payloads and records may have more.
const FIELDS: usize = 12;

/// An item that begins in a line: its name, and the number of lines up to the brace that closes it. As `cargo fmt` writes it, the
/// brace stands as far to the right as the item.
fn items<'a>(text: &'a str, keyword: &str) -> Vec<(&'a str, Vec<&'a str>)> {
    let lines: Vec<_> = text.lines().collect();
    let mut items = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let words: Vec<_> = rest.split_whitespace().collect();
        let is_modifier = |word: &&str| word.starts_with("pub") || matches!(*word, "async" | "const" | "unsafe" | "in");
        let Some(place) = words.iter().position(|word| !is_modifier(word)).filter(|place| words[*place] == keyword) else {
            continue;
        };
        let Some(name) = words.get(place + 1) else { continue };
        let end = lines[at..].iter().position(|line| line.strip_prefix(indent).is_some_and(|rest| rest == "}"));
        let is_short = rest.ends_with('}') || rest.ends_with(';');
        if let (Some(end), false) = (end, is_short) {
            items.push((
                name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or(name),
                lines[at..=at + end].to_vec(),
            ));
        }
    }
    items
}

#[test]
fn no_file_function_or_struct_is_too_large() {
    let (files, mut large) = (files_with("src", &[".rs"]), Vec::new());
    let mut functions = 0;
    for path in &files {
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().count();
        if lines > LINES_OF_A_FILE {
            large.push(format!("{file} has {lines} lines"));
        }
        for (name, lines) in items(&text, "fn") {
            functions += 1;
            if lines.len() > LINES_OF_A_FUNCTION {
                large.push(format!("{file}: {name} has {} lines", lines.len()));
            }
        }
        for (name, lines) in items(&text, "struct") {
            let fields = lines.iter().filter(|line| is_field(line)).count();
            let works = text.contains(&format!("impl {name} {{")) && text.contains("Arc<Self>");
            // What may be set has a field for each setting.
            if fields > FIELDS && works && name != "Config" {
                large.push(format!("{file}: {name} has {fields} fields"));
            }
        }
    }
    assert!(files.len() > 100 && functions > 1_000, "{} files, {functions} functions", files.len());
    assert!(large.is_empty(), "{}", large.join("\n"));
}

fn is_field(line: &str) -> bool {
    let line = line.strip_prefix("    ").unwrap_or_default();
    let name = line.strip_prefix("pub ").or_else(|| line.split_once(") ").map(|(_, rest)| rest)).unwrap_or(line);
    let end = name.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')).unwrap_or(0);
    end > 0 && name[end..].starts_with(": ")
}

#[test]
fn the_check_itself_counts_right() {
    let text = "struct A {\n    a: u8,\n    /// b: c\n    pub b: u8,\n    pub(super) c: u8,\n}\n\nimpl A {\n    pub(crate) async fn f(\n        x: u8,\n    ) {\n        g()\n    }\n}\n";
    let found: Vec<_> = items(text, "fn").into_iter().map(|(name, lines)| (name, lines.len())).collect();
    assert_eq!(found, [("f", 5)]);
    let (name, lines) = items(text, "struct").remove(0);
    assert_eq!((name, lines.iter().filter(|line| is_field(line)).count()), ("A", 3));
}
