//! One timer for the pings and deadlines of all sessions: a wheel of slots that one task turns.

use std::sync::{Mutex, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::{Engine, Session};
use crate::core::sync::lock;

/// A session is in at most one slot. One that is due later than a whole turn is scheduled again when its slot is reached.
pub struct Wheel {
    slots: Vec<Mutex<Vec<Weak<Session>>>>,
    tick: Duration,
    started: Instant,
}

impl Wheel {
    pub fn new(interval: Duration, timeout: Duration) -> Self {
        let tick = (interval.min(timeout) / 50).clamp(Duration::from_millis(5), Duration::from_millis(250));
        let turn = interval.max(timeout).as_millis() / tick.as_millis();
        let slots = (turn as usize).clamp(1, 4_096) + 2;
        Self { slots: (0..slots).map(|_| Mutex::default()).collect(), tick, started: Instant::now() }
    }

    /// How precise the wheel is.
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// Schedules a check of the session, not before `due`.
    pub fn schedule(&self, due: Instant, session: Weak<Session>) {
        let now = self.ticks(Instant::now());
        let last = now + self.slots.len() as u64 - 1;
        let slot = (self.ticks(due) + 1).clamp(now + 1, last) % self.slots.len() as u64;
        lock(&self.slots[slot as usize]).push(session);
    }

    fn ticks(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.started).as_nanos() / self.tick.as_nanos()) as u64
    }
}

/// Turns the wheel until the engine is gone.
pub fn spawn(engine: Weak<Engine>) {
    let Some(tick) = engine.upgrade().map(|engine| engine.wheel.tick) else { return };
    tokio::spawn(async move {
        let mut timer = tokio::time::interval(tick);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut turned = 0;
        loop {
            timer.tick().await;
            let Some(engine) = engine.upgrade() else { return };
            let wheel = &engine.wheel;
            let now = Instant::now();
            // A process that was paused for longer than a turn checks each slot once, not for each missed tick.
            let until = wheel.ticks(now);
            let from = (turned + 1).max((until + 1).saturating_sub(wheel.slots.len() as u64));
            for at in from..=until {
                let due = std::mem::take(&mut *lock(&wheel.slots[(at % wheel.slots.len() as u64) as usize]));
                for session in due {
                    if let Some(next) = session.upgrade().and_then(|session| session.beat(now)) {
                        wheel.schedule(next, session);
                    }
                }
            }
            turned = until;
        }
    });
}
