//! The one integration binary; its modules are named by subject.

#[path = "../support/mod.rs"]
mod support;

mod engineio_polling;
mod engineio_upgrade;
mod engineio_websocket;
mod limits;
mod socketio;
mod socketio_acks;
mod socketio_events;
mod socketio_parsers;
