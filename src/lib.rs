//! Convoke: a realtime hub that unmodified Socket.IO clients reach through any load balancer, scaled out over Redis.
//!
//! The modules form layers, listed here from the bottom up; each imports only from layers below it (`tests/it/layers.rs`
//! asserts that). `ARCHITECTURE.md` draws the house.

// L0
pub mod core;
pub mod settings;
pub mod telemetry;
// L1
pub mod net;
pub mod protocol;
// L2
pub mod auth;
pub mod engineio;
pub mod livekit;
pub mod peer;
pub mod redis;
pub mod store;
// L3
pub mod socketio;
// L4
pub mod asyncapi;
pub mod cluster;
// L5
pub mod http;
pub mod rooms;
// L6
pub mod feature;
// L7
pub mod features;
// L8
pub mod app;
// L9
pub mod cli;
