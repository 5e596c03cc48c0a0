//! What each script costs at its worst legal input and state: nobody else is served while it runs.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::worst::measure;

/// Each script with the most commands that it may call and the most bytes that it may answer.
const BOUNDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/script-costs.txt");

#[tokio::test]
async fn no_script_calls_or_answers_more_than_its_bound_whatever_it_is_asked_and_whatever_has_gathered() {
    let measured = measure().await;
    let lua = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let files_in = |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    // One folder for each module; what stands in a folder below that is shared text.
    let files = files_in(&lua).flat_map(|folder| files_in(&folder).collect::<Vec<_>>());
    let scripts = files.filter_map(|path| {
        let is_script = path.extension().is_some_and(|extension| extension == "lua");
        is_script.then(|| path.file_stem().expect("a name").to_string_lossy().into_owned())
    });
    let text = std::fs::read_to_string(BOUNDS).expect("the bounds");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let bounds: Vec<_> = lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let mut beyond = Vec::new();
    for (name, cost) in &measured {
        let bound = bounds.iter().find(|bound| bound[0] == *name);
        let (calls, bytes) = bound.map_or((0, 0), |bound| (bound[1].parse().unwrap(), bound[2].parse().unwrap()));
        if cost.calls > calls || cost.bytes > bytes {
            beyond.push(format!("{name} {} {}", cost.calls, cost.bytes));
        }
    }
    assert!(beyond.is_empty(), "beyond their bounds:\n{}", beyond.join("\n"));
    let known: BTreeSet<_> = measured.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(scripts.collect::<BTreeSet<_>>(), known, "every script is measured");
}
