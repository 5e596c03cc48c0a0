//! The reasons why sessions end, and their WebSocket close codes.

/// Why a session ended. The first group is the client's doing, the rest the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// A `close` packet or a WebSocket close frame.
    ClientClosed,
    /// The stream ended without one: the connection or the client is gone.
    ConnectionLost,
    /// No `pong` in time.
    PingTimeout,
    /// The client has aborted a poll.
    PollAborted,
    /// A packet or frame that cannot be decoded, or a request that breaks the protocol.
    ProtocolError,
    /// A message larger than the limit.
    TooLarge,
    /// The layer above did not accept the client in time.
    ConnectTimeout,
    /// The client asked the layer above to be accepted again and again.
    TooManyConnects,
    /// More waits for the client than the budget allows.
    SlowClient,
    /// It used more of the memory budget than any other when that was full.
    Overload,
    /// Ended by the layer above.
    ServerClosed,
    /// The node is going away; the client should reconnect to another.
    GoingAway,
    /// A dependency is away for a moment; the client should reconnect.
    TryAgain,
    /// The client has come back over another connection, on this node or another.
    TakenOver,
    /// Other nodes have taken over from this one; the client should reconnect.
    LostOwnership,
}

impl CloseReason {
    /// The WebSocket close code (RFC 6455 § 7.4.1).
    pub(super) fn code(self) -> u16 {
        match self {
            Self::ClientClosed | Self::ConnectionLost | Self::ServerClosed | Self::TakenOver => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::TooLarge => 1009,
            Self::PingTimeout | Self::PollAborted | Self::ConnectTimeout | Self::TooManyConnects | Self::SlowClient => 1008,
            Self::Overload | Self::TryAgain | Self::LostOwnership => 1013,
        }
    }

    /// The reason in close frames, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client closed",
            Self::ConnectionLost => "connection lost",
            Self::PingTimeout => "ping timeout",
            Self::PollAborted => "poll aborted",
            Self::ProtocolError => "protocol error",
            Self::TooLarge => "message too large",
            Self::ConnectTimeout => "connect timeout",
            Self::TooManyConnects => "too many connects",
            Self::SlowClient => "slow client",
            Self::ServerClosed => "server closed",
            Self::GoingAway => "going away",
            Self::Overload => "overload",
            Self::TryAgain => "try again",
            Self::TakenOver => "taken over",
            Self::LostOwnership => "lost ownership",
        }
    }
}
