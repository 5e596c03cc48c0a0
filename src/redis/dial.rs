//! How one connection is made: address, login, deadlines, pushes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo,
    RedisResult, Value, cmd,
};
use tokio_util::sync::CancellationToken;

use super::config::{RedisConfig, Target};
use super::discovery::Text as _;
use super::refusals::Refusals;

/// The address of one Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub host: Arc<str>,
    pub port: u16,
}

impl Address {
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Reads `host:port`. A missing host, as in `:7000`, means the host of `asked`, the server that sent it.
    pub fn parse(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host.into() };
        Some(Self { host, port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Makes connections, each with the same login.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub tls: bool,
    login: RedisConnectionInfo,
    connect_timeout: Duration,
    answer_timeout: Duration,
    /// Shared by all connections of a client.
    pub refusals: Arc<Refusals>,
}

/// One connection, with a token that tells when it is gone. Dropping it closes the socket at once.
pub(super) struct Link {
    pub con: MultiplexedConnection,
    /// Cancelled when Redis has closed it.
    pub gone: CancellationToken,
    /// How the server identifies it; `None` before Redis 6.2, which does not tell.
    pub name: Option<ClientName>,
}

/// Identifies a connection on its server. The id alone is not enough: a restarted server counts anew, and may have given the
/// same id to a connection of another hub node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientName {
    id: String,
    addr: String,
}

impl ClientName {
    /// Reads the answer of `CLIENT INFO`: `id=3 addr=127.0.0.1:50000 …`.
    fn parse(info: &str) -> Option<Self> {
        let field = |name: &str| info.split(' ').find_map(|part| part.strip_prefix(name)).map(str::to_owned);
        Some(Self { id: field("id=")?, addr: field("addr=")? })
    }
}

impl Dial {
    pub fn new(target: &Target, config: &RedisConfig) -> Self {
        // The sender of a pipeline has a deadline of its own; this one is a little later and only a safety net.
        let answer_timeout = config.response_timeout + config.ack_timeout + Duration::from_secs(1);
        Self {
            tls: target.tls,
            login: target.login.clone(),
            connect_timeout: config.connect_timeout,
            answer_timeout,
            refusals: Arc::default(),
        }
    }

    /// For the sentinels: the same network, without login and database, and with RESP2, which every sentinel speaks.
    pub fn for_sentinels(&self) -> Self {
        Self { login: RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2), ..self.clone() }
    }

    /// Connects without receiving pushes.
    pub async fn plain(&self, address: &Address) -> RedisResult<MultiplexedConnection> {
        self.open(address, self.config()).await
    }

    /// Connects, kills the connection `previous` if the server still has it, and gives every push to `push`. The connection's
    /// own task calls `push`, which must not block.
    ///
    /// The older connection is killed because the server may not have noticed that it broke: it would still count as a
    /// subscriber, and commands that the server has not read yet would be executed after the hub has given them up.
    pub async fn link(
        &self,
        address: &Address,
        previous: Option<&ClientName>,
        push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> RedisResult<Link> {
        let gone = CancellationToken::new();
        let token = gone.clone();
        let config = self.config().set_push_sender(move |info: PushInfo| {
            match info.kind {
                PushKind::Disconnection => token.cancel(),
                _ => push(info),
            }
            Ok::<(), ()>(())
        });
        let connect = async {
            let mut con = self.open(address, config).await?;
            if let Some(ClientName { id, addr }) = previous {
                // Best effort: it is an error if that connection is gone, or if an ACL forbids it.
                let _ = con.send_packed_command(cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(addr)).await?;
            }
            let info = con.send_packed_command(cmd("CLIENT").arg("INFO")).await?;
            if let Value::ServerError(error) = &info {
                self.refusals.note(address, error);
            }
            Ok(Link { con, gone, name: ClientName::parse(&info.text().unwrap_or_default()) })
        };
        match tokio::time::timeout(self.connect_timeout * 2, connect).await {
            Ok(link) => link,
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.answer_timeout))
    }

    async fn open(&self, address: &Address, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let host = address.host.to_string();
        let addr = if self.tls {
            ConnectionAddr::TcpTls { host, port: address.port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, address.port)
        };
        let info = addr
            .into_connection_info()?
            .set_redis_settings(self.login.clone())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let opened = Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await;
        opened.inspect_err(|error| self.refusals.note_error(address, error))
    }
}
