//! Rigs: a whole cluster under faults and load. A binary of its own, so that it runs after the other tests and not beside
//! them; its tests wait for each other, for each wants the machine to itself.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod candidate;
mod connects;
mod crowd;
mod faults;
mod hold;
mod interviews;
mod judge;
mod leaks;
mod plan;
mod realtime;
mod rolling;
mod starts;
mod timers;

use tokio::sync::{Mutex, MutexGuard};

/// Held by the one rig that runs.
async fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::const_new(());
    MACHINE.lock().await
}

/// Prints also when the test runner captures: what a rig did and counted is worth reading when all went well.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($what)*);
    }};
}
use say;
