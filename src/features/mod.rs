//! What the hub is for: rules and events of each surface. A feature knows scopes and scripts, never a transport or HTTP.

pub mod interviews;
pub mod sessions;
pub mod sos;
