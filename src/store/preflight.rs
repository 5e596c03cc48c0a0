//! What an operator wants to know of PostgreSQL before a node starts. It changes nothing.

use super::{Store, StoreError, column, count, schema};

const SERVER: &str = "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int8 AS number, \
     to_regclass('convoke.schema_history') IS NOT NULL AS has_history";
const HISTORY: &str = "SELECT version::int8 AS version FROM convoke.schema_history";

/// What [`Store::preflight`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// As the server says it: `15.14 (Debian 15.14-0+deb12u1)`.
    pub version: String,
    pub major: u32,
    /// Names of the migrations that a start or `convoke migrate` would run.
    pub pending: Vec<String>,
}

impl Store {
    /// Looks at the server and the schema.
    pub async fn preflight(&self) -> Result<Preflight, StoreError> {
        let rows = self.read(SERVER, &[]).await?;
        let server = rows.first().ok_or_else(|| StoreError::Internal("no answer to a SELECT".into()))?;
        let ran: Vec<i64> = if column(server, "has_history")? {
            let rows = self.read(HISTORY, &[]).await?;
            rows.iter().map(|row| column(row, "version")).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let pending = schema::known().into_iter().filter(|known| !ran.contains(&i64::from(known.version())));
        Ok(Preflight {
            version: column(server, "version")?,
            major: count(server, "number")? / 10_000,
            pending: pending.map(|migration| migration.to_string()).collect(),
        })
    }
}
