//! The end of a client's token: `auth:expiring {expiresAt}` before it, then an `error` and a DISCONNECT, unless the feature grants
//! more time; and `auth:refresh {token}`, by which a client renews its token in place. What a token allows is for the feature to
//! say.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::AbortHandle;

use crate::auth::AuthError;
use crate::core::clock;
use crate::core::sync::lock;
use crate::protocol::fields::Fields;
use crate::socketio::{Code, Event, EventError, Reply, Socket};

/// The token has ended.
pub const TOKEN_EXPIRED: Code = Code(AuthError::Expired.code());

/// Timers of the runtime reach no further than some two years; who grants longer is asked again before.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// `auth:expiring`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TokenExpiring")]
pub struct Expiring {
    /// The token's `exp`, in ms since 1970.
    pub expires_at: u64,
}

/// What `auth:refresh` is acknowledged with.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "TokenRefresh")]
pub struct Refreshed {
    /// Of the new token, in ms since 1970. Null: it has no end.
    pub expires_at: Option<u64>,
}

/// The payload of `auth:refresh`.
#[derive(JsonSchema)]
#[schemars(rename = "TokenRefresh")]
pub struct Refresh {
    /// A new token of the same user.
    pub token: String,
}

/// What a token says of its bearer, as far as its end is concerned. Times are seconds since 1970.
pub trait Bearer: Send + Sync + 'static {
    fn user(&self) -> &str;
    /// `exp`; `None`: never.
    fn expires_at(&self) -> Option<u64>;
    /// Until then the token counts. Clocks may differ, so that it is a little later than `exp`.
    fn ends_at(&self) -> Option<u64>;
}

/// What comes after the end of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEnd {
    /// The socket gets `error` `TOKEN_EXPIRED` and a DISCONNECT.
    Disconnect,
    /// It goes on for now; ask again so much later.
    AskAgain(Duration),
    /// There is nothing to end: the socket is gone.
    Nothing,
}

/// What a feature says about the tokens of its sockets.
pub trait Tokens: Send + Sync + 'static {
    type Bearer: Bearer;

    /// `auth:expiring` comes so long before `exp`.
    fn warn_before(&self) -> Duration;

    /// Where the timer of a socket is kept, and whose token it has. `None`: it has none.
    fn of<'a>(&self, socket: &'a Socket) -> Option<(&'a ExpiryTimer, Arc<Self::Bearer>)>;

    /// Verifies a token; one that has expired is an error.
    fn verify(&self, token: &str) -> impl Future<Output = Result<Self::Bearer, AuthError>> + Send;

    /// New rights replace the old ones. Called with a token of the same user; an error must have changed nothing.
    fn renew(self: Arc<Self>, socket: Arc<Socket>, bearer: Self::Bearer) -> impl Future<Output = Result<(), EventError>> + Send;

    /// The time of the socket's token is up.
    fn ended(self: Arc<Self>, socket: Arc<Socket>) -> impl Future<Output = AfterEnd> + Send;
}

/// The one timer that a socket has. Kept with the socket; a timer that is set after the socket's end is stopped at once.
#[derive(Default)]
pub struct ExpiryTimer(Mutex<Timer>);

#[derive(Default)]
enum Timer {
    #[default]
    None,
    Set(AbortHandle),
    /// The socket is gone.
    Ended,
}

impl ExpiryTimer {
    /// The socket is gone: its timer goes with it.
    pub fn end(&self) {
        self.put(Timer::Ended);
    }

    fn put(&self, new: Timer) {
        let mut timer = lock(&self.0);
        let old = if matches!(*timer, Timer::Ended) { new } else { std::mem::replace(&mut *timer, new) };
        if let Timer::Set(old) = old {
            old.abort();
        }
    }
}

/// Sets the timer of a socket by its token: it warns, then ends the token. With `ended` that was done before, and the feature
/// is asked at once what comes now. The timer holds neither the socket nor the feature.
pub fn schedule<T: Tokens>(tokens: &Arc<T>, socket: &Arc<Socket>, ended: bool) {
    let Some((timer, bearer)) = tokens.of(socket) else { return };
    let (Some(expires_at), Some(ends_at)) = (bearer.expires_at(), bearer.ends_at()) else { return timer.put(Timer::None) };
    let (weak_tokens, weak, before) = (Arc::downgrade(tokens), Arc::downgrade(socket), tokens.warn_before());
    let task = tokio::spawn(async move {
        if !ended {
            sleep_until(expires_at, before).await;
            let Some(socket) = weak.upgrade() else { return };
            socket.emit("auth:expiring", &Expiring { expires_at: expires_at.saturating_mul(1000) });
            drop(socket);
            sleep_until(ends_at, Duration::ZERO).await;
        }
        loop {
            let (Some(tokens), Some(socket)) = (weak_tokens.upgrade(), weak.upgrade()) else { return };
            match tokens.ended(socket.clone()).await {
                AfterEnd::AskAgain(pause) => {
                    drop(socket);
                    tokio::time::sleep(pause.clamp(Duration::from_secs(1), LONGEST)).await;
                }
                AfterEnd::Disconnect => return end(&socket),
                AfterEnd::Nothing => return,
            }
        }
    });
    timer.put(Timer::Set(task.abort_handle()));
}

/// Ends a socket whose token has ended.
pub fn end(socket: &Arc<Socket>) {
    socket.refuse("auth", None, &EventError::new(TOKEN_EXPIRED, "the token has expired"));
    socket.disconnect();
}

/// `auth:refresh {token}`, acknowledged with `{ok:true, expiresAt}`. A bad token changes nothing.
pub async fn refresh<T: Tokens>(tokens: Arc<T>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
    let fail = |error: AuthError| EventError::new(code(error), error.to_string());
    let new = {
        let fields = Fields::parse(event.object()?);
        let fields = fields.ok_or_else(|| EventError::new(Code::INVALID_PAYLOAD, "the payload must be an object"))?;
        let token = token(&fields).map_err(|error| match error {
            AuthError::Missing => EventError::new(Code::INVALID_TOKEN, "a token is required"),
            error => fail(error),
        })?;
        tokens.verify(&token).await.map_err(fail)?
    };
    let (_, old) = tokens.of(&socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?;
    if new.user() != old.user() {
        return Err(EventError::new(Code::INVALID_TOKEN, "the token is another user's"));
    }
    let expires_at = new.expires_at().map(|seconds| seconds.saturating_mul(1000));
    tokens.renew(socket, new).await?;
    Ok(Reply::accepted(Refreshed { expires_at }))
}

/// The token in an `auth` object or in the payload of `auth:refresh`. How long it may be is for its verifier to say.
pub fn token<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, AuthError> {
    fields.text("token", usize::MAX).map_err(|_| AuthError::Invalid)?.ok_or(AuthError::Missing)
}

/// The code of a token that is not accepted.
pub const fn code(error: AuthError) -> Code {
    Code(error.code())
}

/// How long until `seconds` after 1970, less `before`.
pub fn until(seconds: u64, before: Duration) -> Duration {
    Duration::from_secs(seconds).saturating_sub(before).saturating_sub(clock::since_1970())
}

/// In steps, since the clock may be set and the timers of the runtime have an end.
async fn sleep_until(seconds: u64, before: Duration) {
    loop {
        let left = until(seconds, before);
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
    }
}
