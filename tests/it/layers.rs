//! The order of the house: each module imports only from layers below its own, and two modules of one layer do not see each
//! other. The layers are read from the comments in `src/lib.rs`, so that there is one list.

use std::collections::BTreeMap;

use crate::support::node::{files_with, root};

type Layers = BTreeMap<String, u8>;

/// Modules by layer: `// L2` above `pub mod redis;`.
fn layers(lib: &str) -> Layers {
    let (mut layers, mut current) = (Layers::new(), None);
    for line in lib.lines().map(str::trim) {
        if let Some(number) = line.strip_prefix("// L") {
            current = number.split_whitespace().next().and_then(|number| number.parse().ok());
        } else if let Some(module) = line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")) {
            let layer = current.unwrap_or_else(|| panic!("{line} stands below no layer"));
            layers.insert(module.trim_end_matches([';', ' ', '{']).to_owned(), layer);
        }
    }
    layers
}

/// The modules of this crate that a file names, as `crate::module`, `use crate::{a, b::c}` or, in a file of the top level,
/// `super::module`. Comments are left out.
fn named(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // Not the tail of another word, such as `$crate::`'s, which is meant too, or `my_crate::`, which is not.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(first_words_of_group(group)),
            // A macro of this crate stands above all modules.
            None if rest[word(rest).len()..].starts_with('!') => {}
            None => modules.push(word(rest)),
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

/// The first word of each entry of `a::{b, c}, d}`: a, d.
fn first_words_of_group(group: &str) -> Vec<String> {
    let (mut words, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                words.push(word(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                words.push(word(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// What is wrong with one file.
fn violations(layers: &Layers, file: &str, text: &str) -> Vec<String> {
    let own = word(file);
    let Some(own_layer) = layers.get(&own) else { return vec![format!("src/{file} belongs to no layer")] };
    let mut violations = Vec::new();
    for other in named(text) {
        match layers.get(&other) {
            _ if other == own => {}
            Some(layer) if layer < own_layer => {}
            Some(layer) => violations.push(format!("src/{file} (L{own_layer}) names crate::{other} (L{layer})")),
            None => violations.push(format!("src/{file} names crate::{other}, which belongs to no layer")),
        }
    }
    violations
}

#[test]
fn imports_run_downward_only() {
    let source = root().join("src");
    let layers = layers(&std::fs::read_to_string(source.join("lib.rs")).unwrap());
    let files = files_with("src", &[".rs"]);
    let mut all = Vec::new();
    for path in &files {
        let file = path.strip_prefix(&source).unwrap().to_str().unwrap();
        if !matches!(file, "lib.rs" | "main.rs") {
            all.extend(violations(&layers, file, &std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(files.len() > layers.len() && all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn the_check_itself_finds_what_it_should() {
    let layers =
        layers("// L0\npub mod ids;\npub mod time;\n// L2 the world\npub mod redis;\npub mod auth;\n// L3\nmod socketio;\n");
    assert_eq!(layers["auth"], 2);
    let count = |file: &str, text: &str| violations(&layers, file, text).len();
    assert_eq!(count("redis/keys.rs", "use crate::ids::ScopeId; use crate::{ids, time::{Clock, now}, redis::Script};"), 0);
    assert_eq!(count("redis/keys.rs", "use crate::auth::Claims;"), 1, "the same layer");
    assert_eq!(count("redis/keys.rs", "fn f() { crate::socketio::emit() }"), 1, "upward");
    assert_eq!(count("redis/keys.rs", "use crate::{\n    ids,\n    socketio::{a, b},\n    auth,\n};"), 2, "in a group");
    assert_eq!(count("redis/keys.rs", "// see crate::socketio\n/// [`crate::auth`]\nlet x = 1; // crate::auth"), 0, "comments");
    assert_eq!(count("redis/keys.rs", "use my_crate::auth; pub(crate) fn f() {}"), 0, "other words");
    assert_eq!(count("redis/keys.rs", "crate::a_table! {}"), 0, "a macro");
    assert_eq!(count("redis/keys.rs", "use crate::nothing;"), 1, "unknown");
    assert_eq!(count("nothing.rs", ""), 1, "a file outside the layers");
}
