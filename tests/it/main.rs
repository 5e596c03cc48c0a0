//! The one integration binary; its modules are named by subject.

#[path = "../support/mod.rs"]
mod support;

mod anynode_engineio;
mod balancer;
mod cli;
mod clients;
mod cluster_nodes;
mod crowd;
mod engineio_polling;
mod engineio_upgrade;
mod engineio_websocket;
mod http_demo;
mod http_doors;
mod http_drain;
mod http_sos;
mod identity;
mod layers;
mod limits;
mod peer;
mod readme;
mod redis_commit;
mod redis_outage;
mod redis_subscriber;
mod scripts_location;
mod scripts_members;
mod scripts_migration;
mod scripts_node;
mod scripts_scope;
mod scripts_session;
mod scripts_status;
mod scripts_talk;
mod scripts_world;
mod socketio;
mod socketio_acks;
mod socketio_events;
mod socketio_parsers;
mod sos_events;
mod sos_input;
mod sos_life;
mod sos_permissions;
mod sos_poison;
mod sos_service;
mod sos_service_seed;
mod sos_talk;
mod sos_tokens;
