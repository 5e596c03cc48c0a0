//! The members of one scope on this node, and the messages that are held for joining ones.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cluster::LocalMember;
use crate::cluster::delivery::Delivery;
use crate::cluster::outcome::Outcome;
use crate::core::{Position, ScopeId};
use crate::engineio::CloseReason;
use crate::socketio::Socket;

/// Messages that may be held for one joining member.
const MAX_HELD: usize = 4_096;

pub struct Member {
    pub local: LocalMember,
    /// The position of its join; `None`: it is joining. Older messages may still come, from the channel or from a read of the
    /// log.
    pub since: Option<Position>,
    /// Messages held while it joins, perhaps again: they are delivered after the snapshot that it is about to get.
    pub held: Option<Vec<Arc<Delivery>>>,
}

#[derive(Default)]
pub struct Members {
    all: Vec<Member>,
    by_sid: HashMap<Box<str>, usize>,
}

impl Members {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.all.iter()
    }

    /// Adds a joining socket. False if it was a member before; messages are held in both cases. A recovered socket replaces the
    /// old one.
    pub fn register(&mut self, local: LocalMember) -> bool {
        match self.by_sid.get(local.socket.id()).copied() {
            Some(at) if Arc::ptr_eq(&self.all[at].local.socket, &local.socket) => {
                self.all[at].held.get_or_insert_default();
                return false;
            }
            Some(at) => self.all[at] = Member::joining(local),
            None => {
                self.by_sid.insert(local.socket.id().into(), self.all.len());
                self.all.push(Member::joining(local));
            }
        }
        true
    }

    pub fn remove(&mut self, socket: &Socket) -> Option<Member> {
        let at = self.find(socket)?;
        self.by_sid.remove(socket.id());
        let member = self.all.swap_remove(at);
        if let Some(moved) = self.all.get(at) {
            self.by_sid.insert(moved.local.socket.id().into(), at);
        }
        Some(member)
    }

    pub fn get(&self, socket: &Socket) -> Option<&Member> {
        self.find(socket).map(|at| &self.all[at])
    }

    pub fn get_mut(&mut self, socket: &Socket) -> Option<&mut Member> {
        self.find(socket).map(|at| &mut self.all[at])
    }

    pub fn by_sid(&self, sid: &str) -> Option<&Member> {
        self.by_sid.get(sid).map(|at| &self.all[*at])
    }

    pub fn by_sid_mut(&mut self, sid: &str) -> Option<&mut Member> {
        self.by_sid.get(sid).map(|at| &mut self.all[*at])
    }

    /// Queues a message to its audience, or holds it for joining members.
    pub fn deliver(&mut self, scope: &ScopeId, delivery: &Arc<Delivery>, outcome: &mut Outcome) {
        for member in &mut self.all {
            if !delivery.is_for(scope, &member.local) {
                continue;
            }
            match &mut member.held {
                Some(held) if held.len() < MAX_HELD => held.push(delivery.clone()),
                // A join that takes so long has failed; the client reconnects.
                Some(_) => {
                    let session = member.local.socket.session().clone();
                    tokio::spawn(async move { session.close(CloseReason::TryAgain) });
                }
                None if member.since.as_ref().is_some_and(|since| !delivery.is_after(since)) => {}
                None => {
                    outcome.deliveries += 1;
                    let socket = &member.local.socket;
                    if delivery.queue(scope, socket, false) {
                        outcome.dirty.push(socket.session().clone());
                    }
                }
            }
        }
    }

    fn find(&self, socket: &Socket) -> Option<usize> {
        let at = self.by_sid.get(socket.id()).copied()?;
        std::ptr::eq(&raw const *self.all[at].local.socket, socket).then_some(at)
    }
}

impl Member {
    fn joining(local: LocalMember) -> Self {
        Self { local, since: None, held: Some(Vec::new()) }
    }

    /// Delivers the held messages to a member; does nothing for one that is still joining.
    pub fn go_on(&mut self, scope: &ScopeId) {
        let Some(since) = &self.since else { return };
        let mut needs_flush = false;
        let held = self.held.take();
        for delivery in held.iter().flatten().filter(|held| held.is_after(since) && held.is_for(scope, &self.local)) {
            needs_flush |= delivery.queue(scope, &self.local.socket, false);
        }
        if needs_flush {
            self.local.socket.session().flush();
        }
    }
}
