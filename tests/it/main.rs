//! The one integration binary; its modules are named by subject.

#[path = "../support/mini_redis.rs"]
mod mini_redis;
#[path = "../support/mod.rs"]
mod support;

mod redis_commit;
mod redis_subscriber;
mod scripts_location;
mod scripts_members;
mod scripts_migration;
mod scripts_scope;
mod scripts_status;
mod scripts_talk;
mod scripts_world;
