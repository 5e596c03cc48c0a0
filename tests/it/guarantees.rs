//! The promises in `docs/guarantees.md`, and the limits beside it, are those that tests show.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use convoke::app::variable;

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

/// Facts of the tests in JavaScript: the first argument of each `it` and `fact`.
fn facts(folder: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of tests").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "ts" || extension == "mjs") {
            let text = fs::read_to_string(&path).expect("a file of tests");
            let names = ["it(\"", "fact(\""].into_iter().flat_map(|call| text.split(call).skip(1));
            found.extend(names.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}

/// The rows of a document's tables whose heading does not begin with `heading`.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with(&format!("| {heading} |"))).collect()
}

/// Fails unless the last cell of each row names tests, and all of these exist.
fn are_shown_by_tests(rows: &[&str]) {
    let mut tests = HashSet::new();
    ["tests", "src"].iter().for_each(|folder| functions(&root().join(folder), &mut tests));
    ["clients/typescript/test", "web/e2e"].iter().for_each(|folder| facts(&root().join(folder), &mut tests));
    for row in rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows: {row}");
        for name in named {
            assert!(tests.contains(name), "{name} does not exist, but is to show: {row}");
        }
    }
}

#[test]
fn every_promise_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/guarantees.md")).expect("the document");
    let promises = rows(&text, "what happens");
    are_shown_by_tests(&promises);
    assert!(promises.len() >= 15, "only {} promises were found", promises.len());
}

#[test]
fn every_limit_of_a_client_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/clients.md")).expect("the document");
    let limits = rows(&text, "limit");
    are_shown_by_tests(&limits);
    assert!(limits.iter().all(|row| row.matches('|').count() == 6), "limit, whose, where it stands, the hub, shown by");
    assert!(limits.len() >= 15, "only {} limits were found", limits.len());
}

#[test]
fn every_limit_names_tests_that_exist_and_its_setting_with_its_default() {
    let text = fs::read_to_string(root().join("docs/limits.md")).expect("the document");
    let limits = rows(&text, "limit");
    are_shown_by_tests(&limits);
    for row in &limits {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "limit, setting, default, what happens at it, shown by: {row}");
        if let Some(name) = cells[1].split('`').nth(1) {
            let variable = variable(name).unwrap_or_else(|| panic!("{name} is no setting: {row}"));
            assert_eq!(cells[2].replace(',', ""), variable.default.unwrap_or("-"), "the default of {name}");
        }
    }
    assert!(limits.len() >= 8, "only {} limits were found", limits.len());
}
