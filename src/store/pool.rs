//! Connections to PostgreSQL, and the three ways to use one: a read, a statement that changes something, a transaction.
//!
//! A connection goes back into the pool only after everything that was asked over it was answered. One that was given up in
//! the middle (a deadline passed, a future was dropped) is closed, so that no transaction stays open on it: the server rolls
//! back what was not committed. If the server does not notice that we are gone, its own time-outs end the transaction.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Runtime, Timeouts,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Fate, SetupError, StoreError, text};
use super::tls;
use crate::settings;

/// What a statement is given for `$1`, `$2`, ….
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection that lay idle longer is asked whether it still works before it is used: the server may have restarted.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// For that question. One that does not answer is closed, and another is tried.
const RECYCLE_DEADLINE: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// How much time the calls of one request have left together; `None` before the first call.
    static LEFT: Cell<Option<Duration>>;
}

/// All calls to PostgreSQL within `work` may take together as long as one call may take.
pub async fn as_one_call<T>(work: impl Future<Output = T>) -> T {
    LEFT.scope(Cell::new(None), work).await
}

/// PostgreSQL, as its users reach it. Cheap to clone: all clones share one pool.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    /// A transaction that waits for a lock in PostgreSQL holds a connection. Half of the pool is kept for all other calls.
    turns: Arc<Semaphore>,
    /// For connections outside of the pool.
    outside: Arc<(tokio_postgres::Config, MakeRustlsConnect)>,
    /// For one call.
    deadline: Duration,
}

impl Store {
    /// Connects nowhere yet: PostgreSQL may be down.
    ///
    /// # Errors
    /// If a setting makes no sense.
    pub fn new(settings: &settings::Store) -> Result<Self, SetupError> {
        let mut config: tokio_postgres::Config = settings.url.expose().parse().map_err(|_| SetupError::Url)?;
        let (mode, tls) = tls::connector(settings.tls, settings.ca_file.as_deref())?;
        config.ssl_mode(mode).application_name("convoke").connect_timeout(settings.deadline);
        // A peer that vanished without a word is noticed within about a minute, or within the deadline if something was sent.
        config.keepalives_idle(Duration::from_secs(30)).keepalives_interval(Duration::from_secs(10)).keepalives_retries(3);
        config.tcp_user_timeout(settings.deadline);
        let recycling_method = RecyclingMethod::Fast;
        let outside = Arc::new((config.clone(), tls.clone()));
        let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method });
        let timeouts = Timeouts { wait: None, create: None, recycle: Some(RECYCLE_DEADLINE) };
        let pool = Pool::builder(manager)
            .config(PoolConfig { max_size: settings.pool_size, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .post_create(prepare_session(settings.deadline))
            .pre_recycle(prove_alive())
            .build()?;
        let turns = Arc::new(Semaphore::new((settings.pool_size / 2).max(1)));
        Ok(Self { pool, turns, outside, deadline: settings.deadline })
    }

    /// Whether PostgreSQL answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read("SELECT", &[]).await.map(drop)
    }

    /// By when a call that begins now must have ended.
    pub fn in_time(&self) -> Instant {
        Instant::now() + self.left()
    }

    fn left(&self) -> Duration {
        LEFT.try_with(Cell::get).ok().flatten().unwrap_or(self.deadline)
    }

    /// A connection, by the deadline.
    pub async fn lease(&self, deadline: Instant) -> Result<Lease, StoreError> {
        match timeout_at(deadline, self.pool.get()).await {
            Ok(object) => Ok(Lease { object: Some(object?), deadline, call: self.deadline }),
            Err(_) => Err(StoreError::Unavailable("no connection in time".into())),
        }
    }

    /// A turn among the transactions of this node that wait for each other's locks, by the deadline, until it is dropped:
    /// they take at most half of the pool.
    pub async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, StoreError> {
        let no_turn = || StoreError::Unavailable("other transactions took all the time".into());
        timeout_at(deadline, self.turns.acquire()).await.ok().and_then(Result::ok).ok_or_else(no_turn)
    }

    /// A connection outside of the pool, with the server's own time-outs. It ends with its task.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), StoreError> {
        let (config, tls) = &*self.outside;
        match timeout_at(self.in_time(), config.connect(tls.clone())).await {
            Ok(Ok((client, connection))) => {
                // The next call over this connection learns how it ended.
                let driver = tokio::spawn(async move { drop(connection.await) });
                Ok((client, driver))
            }
            Ok(Err(error)) => Err(StoreError::Unavailable(text(&error))),
            Err(_) => Err(StoreError::Unavailable("no connection in time".into())),
        }
    }

    /// One statement that changes nothing.
    pub async fn read(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.alone(sql, params).await.map_err(Fate::of_no_effect)
    }

    /// One statement that commits by itself.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] when it was sent and no answer came.
    pub async fn write(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.alone(sql, params).await.map_err(Fate::of_effect)
    }

    async fn alone(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fate> {
        let (began, left) = (Instant::now(), self.left());
        let told = self.ask_alone(sql, params).await;
        let _ = LEFT.try_with(|now| now.set(Some(left.saturating_sub(began.elapsed()))));
        told
    }

    async fn ask_alone(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fate> {
        let lease = self.lease(self.in_time()).await.map_err(Fate::Refused)?;
        let statement = lease.prepare(sql).await.map_err(Fate::Refused)?;
        let rows = lease.ask(lease.client().query(&statement, params)).await?;
        lease.give_back();
        Ok(rows)
    }
}

/// A connection in use. Dropped without [`Lease::give_back`] it is closed.
pub struct Lease {
    object: Option<Object>,
    deadline: Instant,
    /// What one call may take.
    call: Duration,
}

impl Lease {
    /// To prepare and to send with. Wait for the answers by [`Lease::ask`].
    pub fn client(&self) -> &ClientWrapper {
        self.object.as_ref().expect("a lease has its connection until it is consumed")
    }

    /// Takes it out of the pool for good.
    pub fn keep(mut self) -> ClientWrapper {
        Object::take(self.object.take().expect("a lease has its connection until it is consumed"))
    }

    /// Everything was answered.
    pub fn give_back(mut self) {
        self.object = None;
    }

    /// Waits for an answer until the deadline.
    pub async fn ask<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fate> {
        match timeout_at(self.deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Fate::of(&error)),
            Err(_) => Err(Fate::Lost("no answer in time".into())),
        }
    }

    /// Prepared once for each connection. It has no effect whatever happens.
    pub async fn prepare(&self, sql: &str) -> Result<Statement, StoreError> {
        self.ask(self.client().prepare_cached(sql)).await.map_err(Fate::of_no_effect)
    }

    /// What must be said first in a transaction: it reads what is committed, and the server itself ends it soon after the
    /// deadline if it waits for a lock, and after one call's time if it waits for a client that is gone.
    pub fn begin_sql(&self) -> String {
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis().max(1);
        let idle = left.min(self.call.as_millis());
        format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = {left}; \
             SET LOCAL statement_timeout = {left}; SET LOCAL idle_in_transaction_session_timeout = {idle};"
        )
    }

    /// COMMIT, and the connection goes back.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] when no answer came.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.ask(self.client().batch_execute("COMMIT")).await.map_err(Fate::of_effect)?;
        self.give_back();
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // It does not go back into the pool: an object that was taken out closes its connection when it is dropped.
        self.object.take().map(Object::take);
    }
}

/// What each connection is told first. The time-outs are the server's own, for statements outside of a transaction too; and
/// it looks each second whether we are still there, so that what was given up does not go on waiting for a lock.
fn prepare_session(deadline: Duration) -> Hook {
    let ms = deadline.as_millis();
    let sql: Arc<str> = format!(
        "SET TIME ZONE 'UTC'; SET statement_timeout = {ms}; SET lock_timeout = {ms}; \
         SET idle_in_transaction_session_timeout = {ms}; SET client_connection_check_interval = 1000"
    )
    .into();
    Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let sql = sql.clone();
        Box::pin(async move { client.batch_execute(&sql).await.map_err(HookError::Backend) })
    })
}

/// An empty query tells whether the connection lives.
fn prove_alive() -> Hook {
    Hook::async_fn(|client: &mut ClientWrapper, metrics| {
        let trusted = metrics.last_used() < TRUSTED_IDLE;
        Box::pin(async move {
            if trusted {
                return Ok(());
            }
            client.batch_execute("").await.map_err(HookError::Backend)
        })
    })
}
