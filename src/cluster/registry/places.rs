//! Where leases are: one place on each master, so that no single master decides which nodes live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;

use crate::core::sync::lock;
use crate::redis::{Redis, RedisError, keys};

/// A master that does not answer within this time counts as away.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds a hash tag for each master and remembers it, since that takes a millisecond.
#[derive(Default)]
pub struct Places(Mutex<HashMap<u16, Arc<str>>>);

/// The answer for each place; `None`: the master is away.
pub type Answers<T> = Vec<(Arc<str>, Option<T>)>;

impl Places {
    /// Asks every master at the same time.
    pub async fn ask<T, F>(&self, redis: &Redis, question: impl Fn(Arc<str>) -> F) -> Answers<T>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let asked = self.all(redis).into_iter().map(|place| {
            let answer = tokio::time::timeout(PATIENCE, question(place.clone()));
            async move { (place, answer.await.ok().and_then(Result::ok)) }
        });
        join_all(asked).await
    }

    fn all(&self, redis: &Redis) -> Vec<Arc<str>> {
        let masters = redis.masters();
        let mut known = lock(&self.0);
        // Slots rarely move; old places are dropped then.
        if known.len() > 4 * masters.len() + 16 {
            known.clear();
        }
        let place = |slot| known.entry(slot).or_insert_with(|| keys::tag_in_slot(slot).into()).clone();
        masters.iter().map(|master| master.slot).map(place).collect()
    }
}

/// Whether `count` is more than half of all masters; there is no majority of none.
pub fn is_majority(count: usize, all: usize) -> bool {
    count * 2 > all
}

/// Whether more than half of the masters said this.
pub fn agreed<T>(answers: &Answers<T>, said: impl Fn(&T) -> bool) -> bool {
    is_majority(answers.iter().filter(|(_, answer)| answer.as_ref().is_some_and(&said)).count(), answers.len())
}
