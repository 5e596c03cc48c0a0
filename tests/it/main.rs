//! The one integration binary; its modules are named by subject.

#[path = "../support/mod.rs"]
mod support;

mod redis_commit;
mod redis_subscriber;
mod balancer;
mod cli;
mod identity;
mod layers;
mod redis_commit;
mod redis_subscriber;
mod sos_service;
#[path = "../support/mini_redis.rs"]
mod mini_redis;

mod identity;
mod layers;
mod redis_commit;
mod redis_subscriber;
mod scripts_location;
mod scripts_members;
mod scripts_migration;
mod scripts_scope;
mod scripts_status;
mod scripts_talk;
mod scripts_world;
mod sos_service;
mod engineio_polling;
mod engineio_upgrade;
mod engineio_websocket;
