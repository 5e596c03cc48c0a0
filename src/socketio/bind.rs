//! Methods of a feature as handlers of a namespace.

use std::sync::Arc;

/// A handler that calls a method of `state`:
///
/// ```
/// use std::sync::Arc;
/// use convoke::socketio::{Event, EventError, Namespace, Reply, Socket, bind, bind_event};
///
/// struct Greeter(String);
///
/// impl Greeter {
///     async fn connected(self: Arc<Self>, socket: Arc<Socket>) {
///         socket.emit("hello", &self.0);
///     }
///
///     async fn echo(self: Arc<Self>, _: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
///         Ok(Reply::Args(event.args))
///     }
/// }
///
/// let greeter = Arc::new(Greeter("hi".into()));
/// Namespace::new("/")
///     .on_connected(bind(&greeter, Greeter::connected))
///     .on("echo", bind_event(&greeter, Greeter::echo));
/// ```
pub fn bind<T, A, R, M>(state: &Arc<T>, method: M) -> impl Fn(A) -> R + use<T, A, R, M>
where
    M: Fn(Arc<T>, A) -> R,
{
    let state = state.clone();
    move |argument| method(state.clone(), argument)
}

/// [`bind`] for a handler that takes a socket and something else, such as an event.
pub fn bind_event<T, A, B, R, M>(state: &Arc<T>, method: M) -> impl Fn(A, B) -> R + use<T, A, B, R, M>
where
    M: Fn(Arc<T>, A, B) -> R,
{
    let state = state.clone();
    move |socket, event| method(state.clone(), socket, event)
}
