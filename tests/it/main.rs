//! The one integration binary; its modules are named by subject.

#[path = "../support/mod.rs"]
mod support;

mod http_demo;
mod http_doors;
mod identity;
mod layers;
mod redis_commit;
mod redis_subscriber;
mod sos_service;
