//! Every script at its worst legal input and state, against a private Redis: the commands that it calls, the bytes that it
//! answers, and Redis' own time from its slow log, the best and the worst of several runs. Nobody else is served meanwhile.

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
    println!("{:<20} {:>6} {:>9} {:>9} {:>9}", "script", "calls", "bytes", "best ms", "worst ms");
    for (name, costs) in all {
        let of = |cost: fn(&Cost) -> u64| costs.iter().map(cost).max().unwrap_or(0);
        let best = costs.iter().map(|cost| cost.micros).min().unwrap_or(0);
        let ms = |micros: u64| micros as f64 / 1000.0;
        let (calls, bytes, worst) = (of(|cost| cost.calls), of(|cost| cost.bytes as u64), of(|cost| cost.micros));
        println!("{name:<20} {calls:>6} {bytes:>9} {:>9.2} {:>9.2}", ms(best), ms(worst));
    }
}
