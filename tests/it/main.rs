//! The one integration binary; its modules are named by subject.

#[path = "../support/mod.rs"]
mod support;

mod balancer;
mod cli;
mod identity;
mod layers;
mod redis_commit;
mod redis_subscriber;
mod sos_service;
