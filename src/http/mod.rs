//! HTTP: the accept loop and what is served over it.

pub mod server;
