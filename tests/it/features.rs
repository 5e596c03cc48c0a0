//! A feature is one folder: its words stand nowhere else, features do not see each other, and folders do not import in circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::node::{files_with, root};

/// Every file with one of these endings below a folder, by its path from the root of the project.
fn files(folder: &str, endings: &[&str]) -> Vec<String> {
    let names = files_with(folder, endings).into_iter();
    names.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The features, each with its words.
fn features() -> BTreeMap<String, Vec<String>> {
    let folders = std::fs::read_dir(root().join("src/features")).unwrap().map(|entry| entry.unwrap().path());
    let names = folders.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let words = |name: &str| {
        let text = read(&format!("src/features/{name}/words.txt"));
        text.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).map(str::to_lowercase).collect()
    };
    names.map(|name| (name.clone(), words(&name))).collect()
}

/// Lines outside that may say a feature's word, by their file and a part of them, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    // Scopes that the release before has made do not say themselves that presence is announced in them.
    ("lua/scope/lib/members.lua", "string.find(META, 'scope:meta:sos:', 1, true)"),
];

/// Where a word stands in a text as a word or as a part of an identifier, by line.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let stands_in = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            // `sos` is in `sosId` and `sos_state`, but not in `so sorry`.
            !before.is_some_and(|c| c.is_ascii_alphabetic())
        })
    };
    text.lines().enumerate().filter(|(_, line)| stands_in(&line.to_lowercase())).map(|(at, _)| at + 1).collect()
}

#[test]
fn the_words_of_a_feature_stand_in_its_folders_only() {
    let mut strays = Vec::new();
    for (feature, words) in features() {
        assert!(!words.is_empty(), "{feature} has no words");
        let own = [format!("src/features/{feature}/"), format!("lua/{feature}/")];
        for file in files("src", &[".rs"]).into_iter().chain(files("lua", &[".lua"])) {
            if own.iter().any(|own| file.starts_with(own))
                || file.starts_with("src/app/demo")
                || file.starts_with("src/app/tests")
            {
                continue;
            }
            let text = read(&file);
            let line_in_app = format!("features::{feature}::");
            for word in &words {
                for line in lines_with(&text, word) {
                    let said = text.lines().nth(line - 1).unwrap_or_default();
                    let is_its_line = file == "src/app.rs" && said.contains(&line_in_app);
                    let is_its_module = file == "src/features/mod.rs" && said == format!("pub mod {feature};");
                    let is_exception = EXCEPTIONS.iter().any(|(of, part)| *of == file && said.contains(part));
                    if !is_its_line && !is_its_module && !is_exception {
                        strays.push(format!("{file}:{line} says {word}, which is {feature}'s: {}", said.trim()));
                    }
                }
            }
        }
    }
    assert!(strays.is_empty(), "{}\n{}", strays.len(), strays.join("\n"));
}

#[test]
fn no_feature_sees_another() {
    let names: Vec<_> = features().into_keys().collect();
    for file in files("src/features", &[".rs"]) {
        let own = file.split('/').nth(2).unwrap().to_owned();
        for other in names.iter().filter(|other| **other != own) {
            let text = read(&file);
            assert!(!text.contains(&format!("features::{other}")), "{file} sees {other}");
        }
    }
}

/// The files that a document names: words with a slash that end in `.rs` or `.lua`, relative to `src/` or the project.
fn files_named(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_./-".contains(c)));
    words
        .filter(|word| word.contains('/') && !word.starts_with('/') && (word.ends_with(".rs") || word.ends_with(".lua")))
        .collect()
}

#[test]
fn the_documents_name_files_that_there_are() {
    for document in ["ARCHITECTURE.md", "docs/how-it-works.md", "docs/decisions.md"] {
        let text = read(document);
        let named = files_named(&text);
        assert!(!named.is_empty(), "{document}");
        for file in named {
            assert!(root().join(file).exists() || root().join("src").join(file).exists(), "{document} names {file}");
        }
    }
}

/// The module of a file: `src/a/b/mod.rs`, `src/a/b.rs` and `src/a/b/c.rs` (one level down) stand in the folders `a` or `a/b`.
fn folder_of(file: &str) -> String {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if root().join("src").join(path).is_dir() {
        path.to_owned()
    } else {
        path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
    }
}

/// What a file imports of this crate, as folders: `use crate::a::b::C` is `a/b` if that is a folder, else `a`; `super::` in a
/// feature is where the module of the file stands.
fn imports(file: &str, text: &str) -> BTreeSet<String> {
    let module = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let absolute = line.match_indices("crate::").map(|(at, word)| line[at + word.len()..].to_owned());
        // Of features, whose folders have folders of their own.
        let is_import = module.starts_with("features/") && (line.starts_with("use ") || line.starts_with("pub use "));
        let relative = line.find("super::").filter(|_| is_import).map(|at| {
            let (mut rest, mut parent) = (&line[at..], module);
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, parent) = (further, parent.rsplit_once('/').map_or("", |(parent, _)| parent));
            }
            format!("{}::{rest}", parent.replace('/', "::"))
        });
        for path in absolute.chain(relative) {
            let path: Vec<_> = path
                .split("::")
                .map(|part| part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default())
                .collect();
            let mut folder = String::new();
            for part in path {
                let next = if folder.is_empty() { part.to_owned() } else { format!("{folder}/{part}") };
                if !part.is_empty() && root().join("src").join(&next).is_dir() { folder = next } else { break }
            }
            if !folder.is_empty() {
                found.insert(folder);
            }
        }
    }
    found
}

#[test]
fn folders_do_not_import_in_circles() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files("src", &[".rs"]).into_iter().filter(|file| !file.contains("/tests")) {
        let own = folder_of(&file);
        let is_apart =
            |other: &String| *other != own && !other.starts_with(&format!("{own}/")) && !own.starts_with(&format!("{other}/"));
        edges.entry(own.clone()).or_default().extend(imports(&file, &read(&file)).into_iter().filter(is_apart));
    }
    assert!(edges.len() > 10, "{edges:?}");
    // Takes away what imports nothing that is left, until nothing is left but circles.
    loop {
        let before = edges.len();
        let left: BTreeSet<_> = edges.keys().cloned().collect();
        edges.retain(|_, imports| imports.iter().any(|import| left.contains(import)));
        if edges.len() == before {
            break;
        }
    }
    let left: BTreeSet<_> = edges.keys().cloned().collect();
    for imports in edges.values_mut() {
        imports.retain(|import| left.contains(import));
    }
    assert!(edges.is_empty(), "{edges:#?}");
}
