//! The operator's view: the protocol of Socket.IO's admin UI in the namespace `/admin`, for all nodes of the cluster.
//!
//! ```text
//! operator ─► namespace ─► viewer ─► mirror of the cluster ─► all_sockets, then each change
//!                            │ a follower for each node
//!                            ├─► source of this node ◄─ taps of engineio and socketio
//!                            └─► peers ─► source of another node
//! ```
//!
//! Nothing is observed before an operator is connected somewhere: the viewer asks each node again and again for what is new,
//! and a source that nobody has asked for some seconds shuts its taps. The view knows sockets, rooms and events; it does not
//! know what they mean.

pub mod door;
pub mod feature;
mod follow;
mod metrics;
pub mod mirror;
mod namespace;
mod peers;
pub mod settings;
pub mod show;
pub mod source;
mod stats;
mod viewer;
pub mod wire;

/// The name of the namespace. The page takes it for granted.
pub const NAMESPACE: &str = "/admin";
