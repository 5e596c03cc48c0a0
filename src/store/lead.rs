//! Jobs that one node does at a time: who holds the job's lock.

use deadpool_postgres::ClientWrapper;

use super::error::Fate;
use super::{Store, StoreError, column, locks};

/// The lead in a job. Dropping it gives it up, as the death of this node does: the lock lives as long as its connection.
pub struct Lead {
    client: ClientWrapper,
}

impl Store {
    /// Takes the lead in a job. `None`: another node, or another task of this one, has it.
    pub async fn try_lead(&self, job: i32) -> Result<Option<Lead>, StoreError> {
        let lease = self.connections.lease(self.connections.in_time()).await?;
        let statement = lease.prepare("SELECT pg_try_advisory_lock($1, $2) AS got").await?;
        let (class, number) = locks::job(job);
        let row = lease.ask(lease.client().query_one(&statement, &[&class, &number])).await.map_err(Fate::of_no_effect)?;
        if column(&row, "got")? {
            return Ok(Some(Lead { client: lease.keep() }));
        }
        lease.give_back();
        Ok(None)
    }
}

impl Lead {
    /// Whether the connection still stands, as far as is known here.
    pub fn holds(&self) -> bool {
        !self.client.is_closed()
    }
}
