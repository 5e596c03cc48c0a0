//! What is done to the cluster, drawn from a seed before anything happens: the same seed is the same plan.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a start under the same name.
    Kill { node: usize, away: Duration },
    /// SIGTERM, and a start once it has ended.
    Terminate { node: usize },
    /// SIGSTOP, later SIGCONT.
    Pause { node: usize, time: Duration },
    /// Its connections to Redis are ended.
    CutRedis { node: usize },
    /// The master is killed; it returns as a replica.
    FailOver,
    /// The master hangs until another is chosen, and for a moment believes that it still is one.
    HangMaster,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { node, away } => write!(f, "node-{node} is killed and back after {away:?}"),
            Self::Terminate { node } => write!(f, "node-{node} drains, ends and is back"),
            Self::Pause { node, time } => write!(f, "node-{node} is paused for {time:?}"),
            Self::CutRedis { node } => write!(f, "node-{node} is cut off Redis"),
            Self::FailOver => write!(f, "the Redis master is killed"),
            Self::HangMaster => write!(f, "the Redis master hangs until it is replaced"),
        }
    }
}

/// Endless: each kind in each round once, in another order; a wait before each.
/// With `hangs` the master also hangs.
pub fn plan(seed: u64, nodes: usize, hangs: bool) -> impl Iterator<Item = (Duration, Fault)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut round = Vec::new();
    std::iter::from_fn(move || {
        if round.is_empty() {
            let ms = Duration::from_millis;
            let mut node = || random.random_range(0..nodes);
            let (kill, terminate, pause, cut, cut_again) = (node(), node(), node(), node(), node());
            round = vec![
                Fault::Kill { node: kill, away: ms(random.random_range(0..3_000)) },
                Fault::Terminate { node: terminate },
                Fault::Pause { node: pause, time: ms(random.random_range(1_000..12_000)) },
                Fault::CutRedis { node: cut },
                Fault::CutRedis { node: cut_again },
                if !hangs || random.random_bool(0.5) { Fault::FailOver } else { Fault::HangMaster },
            ];
            round.shuffle(&mut random);
        }
        Some((Duration::from_millis(random.random_range(100..1_500)), round.pop()?))
    })
}

#[test]
fn the_same_seed_is_the_same_plan() {
    let plans: Vec<Vec<_>> = [7, 7, 8].map(|seed| plan(seed, 3, true).take(30).collect()).into();
    assert!(plans[0] == plans[1] && plans[0] != plans[2]);
}
