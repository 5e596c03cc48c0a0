//! The promises in `docs/guarantees.md` are those that tests show.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::support::node::root;

/// Names of all functions in the Rust files of a folder.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("node_modules") {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let mut tests = HashSet::new();
    ["tests", "src"].iter().for_each(|folder| functions(&root().join(folder), &mut tests));
    let text = fs::read_to_string(root().join("docs/guarantees.md")).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what happens"));
    let mut promises = 0;
    for row in rows {
        promises += 1;
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows: {row}");
        for name in named {
            assert!(tests.contains(name), "{name} does not exist, but is to show: {row}");
        }
    }
    assert!(promises >= 15, "only {promises} promises were found");
}
