//! The live state as the scripts keep it in Redis.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::LEASE;
use super::ports::{Asking, Away, Lease, Noted, Reading, State};
use crate::core::StreamId;
use crate::features::interviews::ending::Endings;
use crate::features::interviews::kinds;
use crate::features::interviews::live::Live;
use crate::features::interviews::scripts::{
    Evaluated, Finished, Heard, Outage, StoredAnswer, Turn, TurnTold, WORK, audio_read, outage_tell, question_ask,
    session_complete, summary_tell, turn_bytes, turn_final, turn_heard, turn_open, turn_partial, turn_read,
};
use crate::features::interviews::wire::Summary;
use crate::redis::RedisError;
use crate::redis::script::OnReader;
use crate::rooms;
use crate::rooms::lease::{lease_release, lease_take_over};
use crate::telemetry::once_a_minute;

/// The field of the lease.
const FIELD: &str = "lease:conductor";

impl From<RedisError> for Away {
    fn from(error: RedisError) -> Self {
        if matches!(error, RedisError::Script { .. } | RedisError::Config(_)) {
            once_a_minute!(error, "a script of interviews failed", %error);
        }
        Self
    }
}

/// See the module.
pub struct InRedis {
    pub live: Arc<Live>,
    pub endings: Arc<Endings>,
}

impl State for InRedis {
    fn lease(&self, id: Uuid) -> BoxFuture<'_, Result<Lease, Away>> {
        Box::pin(async move {
            let (scopes, node) = (&self.live.scopes, self.live.scopes.node());
            let lease_ms = LEASE.as_millis() as u64;
            let scope = kinds::interview(id);
            let lease = lease_take_over(self.live.redis(), &scope, FIELD, &node, lease_ms, |other| scopes.is_live(other)).await?;
            Ok(match lease {
                rooms::lease::Lease::Held => Lease::Held,
                rooms::lease::Lease::Busy { for_ms, .. } => Lease::Busy { for_ms },
            })
        })
    }

    fn release(&self, id: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = lease_release(self.live.redis(), &kinds::interview(id), FIELD, &self.live.scopes.node()).await;
        })
    }

    fn read(
        &self,
        id: Uuid,
        after: StreamId,
        to: Option<StreamId>,
        bytes: usize,
    ) -> BoxFuture<'_, Result<Option<Reading>, Away>> {
        Box::pin(async move {
            let page = audio_read(&OnReader(self.live.redis()), id, after, to, bytes).await?;
            Ok(page.session.map(|session| Reading { session, audio: page.entries, more: page.more }))
        })
    }

    fn stream<'a>(&'a self, id: Uuid, stream: &'a str) -> BoxFuture<'a, Result<Option<Heard>, Away>> {
        Box::pin(async move {
            let op = self.live.scopes.next_op();
            let Ok(entry) = turn_open(self.live.redis(), id, self.live.op(&op), stream).await? else { return Ok(None) };
            Ok(Some(Heard { entry, bytes: turn_bytes(self.live.redis(), id, entry).await? }))
        })
    }

    fn partial<'a>(&'a self, id: Uuid, stream: &'a str, text: &'a str, confidence: f64) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let op = self.live.scopes.next_op();
            let told = turn_partial(self.live.redis(), id, self.live.op(&op), stream, text, confidence).await?;
            if let Ok(TurnTold::Told { told, .. }) = told {
                self.live.told(id, &told, None);
            }
            Ok(())
        })
    }

    fn note<'a>(&'a self, id: Uuid, turn: &'a Turn, heard: Heard) -> BoxFuture<'a, Result<Noted, Away>> {
        Box::pin(async move {
            // A turn that is written once more says what came of it the first time.
            let op = format!("turn.{}.{}", turn.stream, turn.order);
            Ok(match turn_final(self.live.redis(), id, self.live.op(&op), turn, heard).await? {
                Ok(TurnTold::Told { kept, told }) => {
                    self.live.told(id, &told, None);
                    if kept { Noted::Kept } else { Noted::Late }
                }
                Ok(TurnTold::Duplicate) => Noted::Kept,
                Ok(TurnTold::Stale) => Noted::Stale,
                Err(_) => Noted::Late,
            })
        })
    }

    fn hear<'a>(&'a self, id: Uuid, stream: &'a str, heard: StreamId) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let op = self.live.scopes.next_op();
            turn_heard(self.live.redis(), id, self.live.op(&op), stream, heard).await?;
            Ok(())
        })
    }

    fn turns(&self, id: Uuid) -> BoxFuture<'_, Result<Vec<Turn>, Away>> {
        Box::pin(async move { Ok(turn_read(self.live.redis(), id).await?) })
    }

    fn ask<'a>(&'a self, id: Uuid, asking: &'a Asking) -> BoxFuture<'a, Result<bool, Away>> {
        Box::pin(async move {
            let (op, redis) = (self.live.scopes.next_op(), self.live.redis());
            let Asking { from, turns, question, progress, evaluation } = asking;
            let evaluated = Evaluated {
                score: evaluation.as_ref().map(|evaluation| evaluation.score.into()),
                evaluation: evaluation.as_ref().map(|evaluation| &*evaluation.evaluation),
            };
            let stored = StoredAnswer { position: *from, turns: *turns };
            let finished = match question {
                Some(question) => question_ask(redis, id, self.live.op(&op), stored, question, progress, evaluated).await?,
                None => session_complete(redis, id, self.live.op(&op), stored, progress, evaluated).await?,
            };
            if let Ok(Finished::Told { told, due_in }) = finished {
                self.live.told(id, &told, due_in);
                if question.is_none() {
                    self.endings.call_ends(id).await;
                }
            }
            Ok(finished != Ok(Finished::MoreTurns))
        })
    }

    fn summarize<'a>(&'a self, id: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let op = self.live.scopes.next_op();
            if let Some(told) = summary_tell(self.live.redis(), id, self.live.op(&op), summary).await? {
                self.live.told(id, &told, None);
            }
            Ok(())
        })
    }

    fn outage<'a>(&'a self, id: Uuid, what: Outage, reason: Option<&'a str>) -> BoxFuture<'a, Result<(), Away>> {
        Box::pin(async move {
            let op = self.live.scopes.next_op();
            if let Some(told) = outage_tell(self.live.redis(), id, self.live.op(&op), what, reason).await? {
                self.live.told(id, &told, None);
            }
            Ok(())
        })
    }

    fn store_noticed(&self, id: Uuid) -> BoxFuture<'_, Result<(), Away>> {
        Box::pin(async move {
            let stored = self.live.interviews.store.store_proctoring(self.live.redis(), id).await;
            stored.map(drop).map_err(|error| {
                tracing::debug!(%id, %error, "what was noticed is stored later");
                Away
            })
        })
    }

    fn hand_on(&self, id: Uuid) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let _ = self.live.timers.arm(&kinds::interview(id), WORK, "", Duration::ZERO).await;
        })
    }
}
