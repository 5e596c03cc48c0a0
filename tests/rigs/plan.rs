//! What is done to a cluster, drawn from a seed before anything happens: the same seed is the same plan. And how a plan is carried out.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::sleep;

use super::say;
use crate::support::cluster::Nodes;
use crate::support::proxy::{Mode, Proxy};

/// A number that the environment sets.
pub fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| value.parse().expect("a number"))
}

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

/// A fault of a plan that [`carry_out`] carries out.
pub trait Named: fmt::Display {
    /// Its kind, in the plural.
    fn name(&self) -> &'static str;
}

/// Carries out a plan for so long, one fault after another: `strike` does what goes wrong, and puts it right again.
pub async fn carry_out<F: Named>(plan: impl Iterator<Item = (Duration, F)>, time: Duration, strike: impl AsyncFn(F)) {
    let (began, mut done) = (Instant::now(), BTreeMap::<&str, usize>::new());
    for (wait, fault) in plan {
        sleep(wait).await;
        if began.elapsed() > time {
            break;
        }
        say!("{:5.1} s  {fault}", began.elapsed().as_secs_f32());
        *done.entry(fault.name()).or_default() += 1;
        strike(fault).await;
    }
    say!("done in {:.1} s: {done:?}", began.elapsed().as_secs_f32());
}

/// What goes wrong with nodes, and with the LiveKit that they reach by a link of ours.
#[derive(Clone, Copy, Debug)]
pub enum Outage {
    /// `kill -9`, and a start under the same name.
    Kill { node: usize, away: Duration },
    /// SIGSTOP, also in the middle of something.
    Pause { node: usize, time: Duration },
    /// Neither requests nor answers pass.
    LiveKitHangs { time: Duration },
    /// It does what it is asked, and nobody learns of it.
    LiveKitIsNotHeard { time: Duration },
    /// Its connections are ended, again and again.
    LiveKitBreaksOff { times: usize },
}

/// How long outages last, in ms.
pub struct Lengths {
    pub away: Range<u64>,
    pub pause: Range<u64>,
    pub hang: Range<u64>,
    pub silence: Range<u64>,
}

/// Each kind of outage once, and a kill twice.
pub fn outages(random: &mut StdRng, nodes: usize, lengths: &Lengths) -> [Outage; 6] {
    let mut ms = |range: &Range<u64>| Duration::from_millis(random.random_range(range.clone()));
    let (away, later, pause) = (ms(&lengths.away), ms(&lengths.away), ms(&lengths.pause));
    let (hang, silence) = (ms(&lengths.hang), ms(&lengths.silence));
    [
        Outage::Kill { node: random.random_range(0..nodes), away },
        Outage::Kill { node: random.random_range(0..nodes), away: later },
        Outage::Pause { node: random.random_range(0..nodes), time: pause },
        Outage::LiveKitHangs { time: hang },
        Outage::LiveKitIsNotHeard { time: silence },
        Outage::LiveKitBreaksOff { times: random.random_range(1..20) },
    ]
}

impl Outage {
    /// Lets it happen, and puts everything right again.
    pub async fn strike(self, nodes: &Nodes, link: &Proxy) {
        match self {
            Self::Kill { node, away } => {
                nodes.nodes[node].kill();
                sleep(away).await;
                nodes.nodes[node].start().await;
            }
            Self::Pause { node, time } => {
                nodes.nodes[node].pause();
                sleep(time).await;
                nodes.nodes[node].resume();
            }
            Self::LiveKitHangs { time } => link_is(link, Mode::Pause, time).await,
            Self::LiveKitIsNotHeard { time } => link_is(link, Mode::SwallowAnswers, time).await,
            Self::LiveKitBreaksOff { times } => {
                for _ in 0..times {
                    link.cut();
                    sleep(Duration::from_millis(30)).await;
                }
            }
        }
    }
}

async fn link_is(link: &Proxy, mode: Mode, time: Duration) {
    link.set(mode);
    sleep(time).await;
    link.set(Mode::Pass);
    // What was swallowed does not come any more.
    link.cut();
}

impl Named for Outage {
    fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kills",
            Self::Pause { .. } => "pauses",
            Self::LiveKitHangs { .. } => "hangs of LiveKit",
            Self::LiveKitIsNotHeard { .. } => "lost answers of LiveKit",
            Self::LiveKitBreaksOff { .. } => "cuts of LiveKit",
        }
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { node, away } => write!(f, "node-{node} is killed and back after {away:?}"),
            Self::Pause { node, time } => write!(f, "node-{node} is paused for {time:?}"),
            Self::LiveKitHangs { time } => write!(f, "LiveKit hangs for {time:?}"),
            Self::LiveKitIsNotHeard { time } => write!(f, "the answers of LiveKit are lost for {time:?}"),
            Self::LiveKitBreaksOff { times } => write!(f, "the connections to LiveKit break {times} times"),
        }
    }
}

#[test]
fn the_same_seed_is_the_same_plan() {
    let plans: Vec<Vec<_>> = [7, 7, 8].map(|seed| plan(seed, 3, true).take(30).collect()).into();
    assert!(plans[0] == plans[1] && plans[0] != plans[2]);
}
