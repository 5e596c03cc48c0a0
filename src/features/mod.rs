//! What the hub is for: rules and events of each surface. A feature knows scopes and scripts, never a transport (but for
//! the operator's view, which looks at them) or HTTP.

pub mod admin;
pub mod bookings;
pub mod interviews;
pub mod realtime;
pub mod sos;
