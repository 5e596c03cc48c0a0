//! The one integration binary; its modules are named by subject.

#[path = "../support/mini_redis.rs"]
mod mini_redis;

mod scripts_world;

mod scripts_scope;
mod scripts_status;
