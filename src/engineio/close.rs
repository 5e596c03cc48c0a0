//! Why sessions end, and how that is told to the client.

/// Why a session ended. The first group is the client's doing, the rest the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// A `close` packet or a WebSocket close frame.
    ClientClosed,
    /// The stream ended without one: the link is gone, or the client.
    ConnectionLost,
    /// No `pong` in time.
    PingTimeout,
    /// A long-polling request was given up by the client.
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
    /// It held more of the memory budget than anybody else when that was used up.
    Overload,
    /// Ended by the layer above.
    ServerClosed,
    /// The node is going away; the client should come back to another.
    GoingAway,
    /// Something the session needs is away for a moment; the client should come back.
    TryAgain,
    /// The client came back over another connection, to this node or another; this one is no longer its own.
    TakenOver,
    /// Others have acted in the place of this node; the client should come back.
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

    /// The reason as it stands in close frames, logs and metrics.
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
