//! What the hub is for: rules and events of each surface. A feature knows scopes and scripts, never a transport or HTTP.

pub mod bookings;
pub mod interviews;
pub mod realtime;
pub mod sos;
