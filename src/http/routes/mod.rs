//! The routes, a file for each subject.

pub mod health;
pub mod livekit;
pub mod openapi;
