//! Every script at its worst legal input and state, against a private Redis: the commands that it calls, the bytes that it
//! answers, and Redis' own time from its slow log: the least, the median and the most of several runs, and the median of what it
//! used of a processor, which other programs do not make longer. Nobody else is served meanwhile. An argument is a part of the names that are shown.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use support::worst::{Cost, measure};

const RUNS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut all: BTreeMap<&str, Vec<Cost>> = BTreeMap::new();
    for _ in 0..RUNS {
        for (name, cost) in runtime.block_on(measure()) {
            all.entry(name).or_default().push(cost);
        }
    }
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    println!(
        "{:<20} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "script", "calls", "bytes", "least ms", "median ms", "most ms", "cpu ms"
    );
    for (name, mut costs) in all {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        costs.sort_by_key(|cost| cost.cpu_micros);
        let cpu = costs[RUNS / 2].cpu_micros as f64 / 1000.0;
        costs.sort_by_key(|cost| cost.micros);
        let ms = |at: usize| costs[at].micros as f64 / 1000.0;
        let (calls, bytes) = costs.iter().fold((0, 0), |most, cost| (cost.calls.max(most.0), cost.bytes.max(most.1)));
        println!("{name:<20} {calls:>6} {bytes:>9} {:>9.2} {:>9.2} {:>9.2} {cpu:>9.2}", ms(0), ms(RUNS / 2), ms(RUNS - 1));
    }
}
