//! Routes that belong to no feature, in a file for each subject.

pub mod asyncapi;
pub mod health;
pub mod livekit;
pub mod openapi;
