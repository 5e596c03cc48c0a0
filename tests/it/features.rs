//! A feature is one folder: features do not see each other, and folders do not import in circles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::node::root;

/// Every file with one of these endings below a folder, by its path from the root of the project.
fn files(folder: &str, endings: &[&str]) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let names = found.into_iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
    names.filter(|name| endings.iter().any(|ending| name.ends_with(ending))).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The folders of the features.
fn features() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("src/features")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn no_feature_sees_another() {
    let names = features();
    for file in files("src/features", &[".rs"]) {
        let own = file.split('/').nth(2).unwrap().to_owned();
        for other in names.iter().filter(|other| **other != own) {
            let text = read(&file);
            assert!(!text.contains(&format!("features::{other}")), "{file} sees {other}");
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

/// What a file imports of this crate, as folders: `use crate::a::b::C` is `a/b` if that is a folder, else `a`.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in code.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let path: Vec<_> = line[at + 7..]
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
        edges.entry(own.clone()).or_default().extend(imports(&read(&file)).into_iter().filter(is_apart));
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
