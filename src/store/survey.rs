//! What an operator wants to know of PostgreSQL before a node starts. It changes nothing.

use super::{Limits, Store, StoreError, column, count, migrate};

const SERVER: &str = "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int8 AS number, \
     to_regclass('convoke.schema_history') IS NOT NULL AS has_history, \
     to_regclass('convoke.session_limits') IS NOT NULL AS has_limits";
const HISTORY: &str = "SELECT version::int8 AS version FROM convoke.schema_history";
const LIMITS: &str =
    "SELECT max_concurrent::int8 AS max_concurrent, max_per_user::int8 AS max_per_user FROM convoke.session_limits";

/// What [`Store::survey`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// As the server says it: `15.14 (Debian 15.14-0+deb12u1)`.
    pub version: String,
    pub major: u32,
    /// Names of the migrations that a start or `convoke migrate` would run.
    pub pending: Vec<String>,
    /// `None`: there are none yet.
    pub limits: Option<Limits>,
}

impl Store {
    /// Looks at the server, the schema and the limits.
    pub async fn survey(&self) -> Result<Survey, StoreError> {
        let rows = self.connections.read(SERVER, &[]).await?;
        let server = rows.first().ok_or_else(|| StoreError::Internal("no answer to a SELECT".into()))?;
        let ran: Vec<i64> = if column(server, "has_history")? {
            let rows = self.connections.read(HISTORY, &[]).await?;
            rows.iter().map(|row| column(row, "version")).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let pending = migrate::known().into_iter().filter(|known| !ran.contains(&i64::from(known.version())));
        let limits = if column(server, "has_limits")? {
            let rows = self.connections.read(LIMITS, &[]).await?;
            let limits = rows.first().map(|row| {
                Ok::<_, StoreError>(Limits {
                    max_concurrent: count(row, "max_concurrent")?,
                    max_per_user: count(row, "max_per_user")?,
                })
            });
            limits.transpose()?
        } else {
            None
        };
        Ok(Survey {
            version: column(server, "version")?,
            major: count(server, "number")? / 10_000,
            pending: pending.map(|migration| migration.to_string()).collect(),
            limits,
        })
    }
}
