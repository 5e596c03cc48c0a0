//! (being written: only the shape that features code against)
#![allow(unused_variables, clippy::todo, clippy::unused_async, missing_docs)]

use std::sync::Arc;

use bytes::Bytes;

use crate::ids::{ScopeId, ScopeKind, StreamId};
use crate::protocol::event::Args;
use crate::redis::script::Script;
use crate::redis::scripts::{BadReply, Eval};
use crate::redis::{Redis, RedisError, Value};
use crate::socketio::Socket;

pub struct Scopes {
    redis: Redis,
}

pub struct Hold;

pub struct LocalMember {
    pub socket: Arc<Socket>,
    pub user: Arc<str>,
    pub role: Arc<str>,
}

pub enum Audience {
    All,
    User(String),
    Socket(String),
    Nodes,
}

pub enum Except {
    Nobody,
    Socket(String),
    MembersOf(String),
}

pub trait ScopeListener: Send + Sync + 'static {
    fn control(&self, scope: &ScopeId, args_json: &Bytes);
    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool);
}

impl Scopes {
    pub fn node(&self) -> &str {
        todo!()
    }
    pub fn next_op(&self) -> String {
        todo!()
    }
    pub fn redis(&self) -> &Redis {
        &self.redis
    }
    pub fn set_listener(&self, kind: ScopeKind, listener: Arc<dyn ScopeListener>) {
        todo!()
    }
    pub async fn hold(
        self: &Arc<Self>,
        scope: &ScopeId,
        socket: &Arc<Socket>,
        user: &str,
        role: &str,
    ) -> Result<Hold, RedisError> {
        todo!()
    }
    pub fn is_member(&self, scope: &ScopeId, sid: &str) -> bool {
        todo!()
    }
    pub fn scopes_of(&self, sid: &str) -> Vec<ScopeId> {
        todo!()
    }
    pub fn members(&self, scope: &ScopeId) -> Vec<LocalMember> {
        todo!()
    }
    pub fn set_role(&self, scope: &ScopeId, sid: &str, role: &str) {
        todo!()
    }
    pub fn leave(self: &Arc<Self>, scope: &ScopeId, sid: &str) {
        todo!()
    }
    pub fn empty(self: &Arc<Self>, scope: &ScopeId) {
        todo!()
    }
    pub fn written(&self, scope: &ScopeId, heard: Option<u32>, listeners: u32) {
        todo!()
    }
    pub fn body(audience: &Audience, except: Except, key: Option<&str>, args: &Args) -> Bytes {
        todo!()
    }
}

impl Hold {
    pub fn was_member(&self) -> bool {
        todo!()
    }
    pub fn release(self, position: StreamId) {
        todo!()
    }
}

impl From<BadReply> for RedisError {
    fn from(bad: BadReply) -> Self {
        Self::Script { code: "REPLY".into(), message: bad.to_string() }
    }
}

impl Eval for Redis {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Self::eval(self, script, &keys, args).await
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Self::eval_write(self, script, &keys, args).await
    }
}
