//! The kinds of scope that this feature has. Each interview has two scopes with the same id, which share a slot: the interview itself
//! with its candidate and those who observe it, and the call of its participants.

use uuid::Uuid;

use crate::core::{Kind, ScopeId};

pub const INTERVIEW: Kind = Kind::of("interview");
pub const CALL: Kind = Kind::of("call");

/// The scope of an interview: the candidate's present socket (role `candidate`) and the sockets that observe (role `observer`).
pub fn interview(id: Uuid) -> ScopeId {
    ScopeId { kind: INTERVIEW, id: id.to_string().into() }
}

/// The scope of its call: the sockets that sent `joinRoom`.
pub fn call(id: Uuid) -> ScopeId {
    ScopeId { kind: CALL, id: id.to_string().into() }
}

/// The interview that a scope belongs to.
pub fn interview_of(scope: &ScopeId) -> Option<Uuid> {
    super::uuid(&scope.id)
}
