//! Jobs that one node does at a time: the node that holds the job's lock.

use deadpool_postgres::ClientWrapper;

use super::error::Fate;
use super::{Store, StoreError, column, locks};

/// The lock of a job. Dropping it gives it up, as the death of this node does: the lock lives as long as its connection.
pub struct LeaderLock {
    client: ClientWrapper,
}

impl Store {
    /// Takes the lock of a job. `None`: another node, or another task of this one, has it. Each job has a number of its own.
    pub async fn try_leader_lock(&self, job: i32) -> Result<Option<LeaderLock>, StoreError> {
        let lease = self.lease(self.in_time()).await?;
        let statement = lease.prepare("SELECT pg_try_advisory_lock($1, $2) AS got").await?;
        let (class, number) = locks::job(job);
        let row = lease.ask(lease.client().query_one(&statement, &[&class, &number])).await.map_err(Fate::of_no_effect)?;
        if column(&row, "got")? {
            return Ok(Some(LeaderLock { client: lease.keep() }));
        }
        lease.give_back();
        Ok(None)
    }
}

impl LeaderLock {
    /// Whether the connection still stands, as far as is known here.
    pub fn holds(&self) -> bool {
        !self.client.is_closed()
    }
}
