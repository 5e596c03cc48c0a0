//! The routes, a file for each subject.

pub mod demo;
mod geojson;
pub mod health;
pub mod interviews;
pub mod livekit;
pub mod sessions;
pub mod sos;
