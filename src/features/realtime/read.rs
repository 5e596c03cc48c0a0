//! Reading sessions. The indexes may name sessions that are gone: those are dropped on the way.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::error::RealtimeError;
use super::scripts::{Session, read, texts};
use super::wire::{RealtimeSession, SessionList};
use super::{Realtime, keys, names};
use crate::redis::{RedisError, cmd};

/// Sessions that are read at the same time.
const AT_ONCE: usize = 128;
/// Most sessions of one page.
pub(super) const MOST: usize = 100;

/// Which sessions a list is to hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// `None`: all that follow.
    pub limit: Option<usize>,
    /// The id of the one right before the page.
    pub after: Option<String>,
}

impl Page {
    /// Reads the parameters of a query. Those that are not known are ignored.
    ///
    /// # Errors
    /// `Limit`.
    pub fn parse(mut query: BTreeMap<String, String>) -> Result<Self, RealtimeError> {
        let limit = query.get("limit").map(|text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|limit| digits && (1..=MOST).contains(limit)).ok_or(RealtimeError::Limit)
        });
        Ok(Self { limit: limit.transpose()?, after: query.remove("after") })
    }
}

impl Realtime {
    /// A session of this user.
    ///
    /// # Errors
    /// `NotFound` if it is missing or another user's, `Unavailable`.
    pub async fn get(&self, user: &str, id: &str) -> Result<RealtimeSession, RealtimeError> {
        Ok(self.shown(self.own(user, id).await?))
    }

    /// The user's sessions, the newest first; those of one millisecond by their ids.
    ///
    /// # Errors
    /// `After` if that is no session of this user, `Unavailable`.
    pub async fn list(&self, user: &str, page: &Page) -> Result<SessionList, RealtimeError> {
        let ids = self.ids_of(user).await?;
        let rest = match &page.after {
            None => &ids[..],
            Some(after) => {
                self.own(user, after).await.map_err(|error| match error {
                    RealtimeError::NotFound => RealtimeError::After,
                    error => error,
                })?;
                let at = ids.iter().position(|id| id == after).ok_or(RealtimeError::After)?;
                &ids[at + 1..]
            }
        };
        let limit = page.limit.unwrap_or(usize::MAX);
        let mut found: Vec<Session> = Vec::new();
        let mut missing = Vec::new();
        // One more than asked for says whether there are more.
        let mut left = rest;
        while !left.is_empty() && found.len() <= limit {
            let (next, later) = left.split_at(left.len().min(limit.saturating_add(1) - found.len()));
            for (id, session) in next.iter().zip(self.read_all(next).await?) {
                match session.filter(|session| session.user == user) {
                    Some(session) => found.push(session),
                    None => missing.push(id.clone()),
                }
            }
            left = later;
        }
        self.drop_of(user, &missing).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok(SessionList::new(found.into_iter().map(|session| self.shown(session)).collect(), has_more))
    }

    /// A missing session and another user's cost the same: one read.
    pub(super) async fn own(&self, user: &str, id: &str) -> Result<Session, RealtimeError> {
        if !names::is_session(id) {
            return Err(RealtimeError::NotFound);
        }
        let session = read(&self.redis, id).await?;
        session.filter(|session| session.user == user).ok_or(RealtimeError::NotFound)
    }

    /// Whether the user may have one more. Where the index says no, it is first cleared of sessions that are gone.
    pub(super) async fn may_have_one_more(&self, user: &str) -> Result<bool, RealtimeError> {
        let ids = self.ids_of(user).await?;
        let most = self.settings.per_user as usize;
        if ids.len() < most {
            return Ok(true);
        }
        let sessions = self.read_all(&ids).await?;
        let missing: Vec<_> =
            ids.iter().zip(&sessions).filter(|(_, session)| session.is_none()).map(|(id, _)| id.clone()).collect();
        self.drop_of(user, &missing).await?;
        Ok(ids.len() - missing.len() < most)
    }

    /// Sessions by their ids, in the same order; `None` where there is none.
    pub(super) async fn read_all(&self, ids: &[String]) -> Result<Vec<Option<Session>>, RedisError> {
        let reads = stream::iter(ids.to_vec()).map(|id| async move { read(&self.redis, &id).await });
        reads.buffered(AT_ONCE).try_collect().await
    }

    async fn ids_of(&self, user: &str) -> Result<Vec<String>, RedisError> {
        let key = keys::of_user(user);
        let mut list = cmd("ZREVRANGE");
        list.arg(&key).arg(0).arg(-1);
        Ok(texts(self.redis.command_idempotent(list, &key).await?))
    }

    /// Drops entries from the index of a user.
    async fn drop_of(&self, user: &str, ids: &[String]) -> Result<(), RedisError> {
        self.drop_from(&keys::of_user(user), ids).await
    }

    /// Drops entries from an index.
    pub(super) async fn drop_from(&self, key: &str, ids: &[String]) -> Result<(), RedisError> {
        for ids in ids.chunks(500) {
            let mut drop = cmd("ZREM");
            drop.arg(key).arg(ids);
            self.redis.command_idempotent(drop, key).await?;
        }
        Ok(())
    }

    fn shown(&self, session: Session) -> RealtimeSession {
        RealtimeSession::new(session, self.livekit.ws_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_to_a_hundred() {
        let page = |pairs: &[(&str, &str)]| {
            Page::parse(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(page(&[("order", "asc")]), Ok(Page::default()));
        for limit in [1, 100] {
            let expected = Page { limit: Some(limit), after: Some("x".into()) };
            assert_eq!(page(&[("limit", &limit.to_string()), ("after", "x")]), Ok(expected));
        }
        for bad in ["", "0", "101", "-1", "+1", "1.0", "ten", "1 ", "99999999999999999999"] {
            assert_eq!(page(&[("limit", bad)]), Err(RealtimeError::Limit), "{bad}");
        }
    }
}
