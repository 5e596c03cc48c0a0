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
use super::refusals::Refusals;
use super::survey::Text as _;

/// The address of one Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Node {
    pub host: Arc<str>,
    pub port: u16,
}

impl Node {
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Reads `host:port`; a missing host, as in `:7000`, is `asked`: the one that said so.
    pub fn parse(text: &str, asked: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host.into() };
        Some(Self { host, port: port.parse().ok()? })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Makes connections, all with the same login.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    tls: bool,
    login: RedisConnectionInfo,
    connect_timeout: Duration,
    answer_timeout: Duration,
    /// Shared by all connections of a client.
    pub refusals: Arc<Refusals>,
}

/// One connection, and the news that it is gone. Dropping it closes the socket at once.
pub(super) struct Link {
    pub con: MultiplexedConnection,
    /// Cancelled when the peer has closed it.
    pub gone: CancellationToken,
    /// How the server calls it; `None` if it does not say so (before Redis 6.2).
    pub name: Option<ClientName>,
}

/// What tells a connection from all others at its server. The number alone would not do: a restarted server counts anew, and
/// may have given it to another node's connection.
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
        // A pipeline's own deadline is kept by its sender; this is the net below, a little further down.
        let answer_timeout = config.response_timeout + config.ack_timeout + Duration::from_secs(1);
        Self {
            tls: target.tls,
            login: target.login.clone(),
            connect_timeout: config.connect_timeout,
            answer_timeout,
            refusals: Arc::default(),
        }
    }

    /// For the sentinels: the same network, but neither login nor database, and the older protocol, which all of them speak.
    pub fn for_sentinels(&self) -> Self {
        Self { login: RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2), ..self.clone() }
    }

    /// Connects without pushes.
    pub async fn plain(&self, node: &Node) -> RedisResult<MultiplexedConnection> {
        self.open(node, self.config()).await
    }

    /// Connects, kills the connection `previous` if the server still holds it, and hands every push to `push`, which is called
    /// by the connection's own task and must not block.
    ///
    /// The older connection is killed because a half-open one goes on living at the server: as a subscriber it would count
    /// as a listener, and what it still holds unread might be executed after it was given up.
    pub async fn link(
        &self,
        node: &Node,
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
            let mut con = self.open(node, config).await?;
            if let Some(ClientName { id, addr }) = previous {
                // Best effort: it is an error if that connection is gone, or if an ACL forbids it.
                let _ = con.send_packed_command(cmd("CLIENT").arg("KILL").arg("ID").arg(id).arg("ADDR").arg(addr)).await?;
            }
            let info = con.send_packed_command(cmd("CLIENT").arg("INFO")).await?;
            if let Value::ServerError(error) = &info {
                self.refusals.note(node, error);
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

    async fn open(&self, node: &Node, config: AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let host = node.host.to_string();
        let addr = if self.tls {
            ConnectionAddr::TcpTls { host, port: node.port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, node.port)
        };
        let info = addr
            .into_connection_info()?
            .set_redis_settings(self.login.clone())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let opened = Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await;
        opened.inspect_err(|error| self.refusals.note_error(node, error))
    }
}
