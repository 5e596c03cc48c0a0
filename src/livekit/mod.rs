//! The LiveKit server: rooms, agents, tokens for participants, and what it tells by webhook (contract §§ 4 to 6).
//!
//! A call has a deadline, and only what may happen twice is repeated here. What a room means, and when it has to go, is for
//! the features to know.

mod api;
mod error;
pub mod rooms;
mod token;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::crypto::aws_lc;
use livekit_protocol as proto;
use prost::Message;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use self::api::Call;
use self::token::Rights;
use crate::core::clock::now_seconds;
use crate::settings;

pub use error::{LiveKitError, SetupError, WebhookError};
pub use token::{Agent, Grant};
pub use webhook::{RoomEvent, RoomListener, SignedWebhook};

/// Services of its API.
const ROOMS: &str = "RoomService";
const AGENTS: &str = "AgentDispatchService";
/// How often a call is tried whose outcome is unclear.
const TRIES: u32 = 3;
/// Before the second try; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(100);

/// A room as LiveKit lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub name: String,
    /// A new one each time that a room of this name is made.
    pub sid: String,
    /// Milliseconds since 1970.
    pub created_ms: Option<u64>,
    /// Lags the truth by some seconds.
    pub participants: u32,
}

impl From<proto::Room> for Room {
    fn from(room: proto::Room) -> Self {
        Self {
            name: room.name,
            sid: room.sid,
            created_ms: u64::try_from(room.creation_time_ms).ok().filter(|ms| *ms > 0),
            participants: room.num_participants,
        }
    }
}

/// A client of the LiveKit server. Cheap to clone; its connections are shared.
#[derive(Clone)]
pub struct LiveKit(Arc<Inner>);

struct Inner {
    api: api::Api,
    tokens: token::Signer,
    webhooks: webhook::Receiver,
    settings: settings::LiveKit,
}

impl LiveKit {
    /// Calls nothing: LiveKit may be down.
    ///
    /// # Errors
    /// If the address of the API is none.
    pub fn new(settings: &settings::LiveKit) -> Result<Self, SetupError> {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let (url, key, secret) = (&settings.api_url, &settings.key, settings.secret.expose());
        Ok(Self(Arc::new(Inner {
            api: api::Api::new(url, settings.deadline)?,
            tokens: token::Signer::new(key, secret),
            webhooks: webhook::Receiver::new(key, secret),
            settings: settings.clone(),
        })))
    }

    /// Where clients reach it.
    pub fn ws_url(&self) -> &str {
        &self.0.settings.ws_url
    }

    /// How long a token lasts where no session ends earlier.
    pub fn token_ttl(&self) -> Duration {
        self.0.settings.token_ttl
    }

    /// Makes a room that stays for so long (whole seconds, rounded up) even if it is empty. A room that is there already is
    /// left as it is.
    ///
    /// # Errors
    /// [`LiveKitError::Unavailable`]: the room may have been made all the same.
    pub async fn create_room(&self, room: &str, lasts: Duration, deadline: Instant) -> Result<(), LiveKitError> {
        // Zero means LiveKit's own defaults: minutes for a room that stays empty, seconds after the last participant has
        // left.
        let seconds = u32::try_from(lasts.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1);
        let question = proto::CreateRoomRequest {
            name: room.into(),
            empty_timeout: seconds,
            departure_timeout: seconds,
            ..proto::CreateRoomRequest::default()
        };
        let call = self.call(ROOMS, "CreateRoom", may_create(), question)?;
        self.repeated(deadline, &call).await.map(|_: proto::Room| ())
    }

    /// Sends for an agent. Twice would mean two agents, since a LiveKit server does not look at the id of a call. So after a call
    /// with an unclear outcome it is asked whether the agent is called, and only if not, it is called again.
    ///
    /// # Errors
    /// [`LiveKitError::Unavailable`]: the agent may come all the same.
    pub async fn dispatch_agent(&self, room: &str, agent: &str, metadata: &str, deadline: Instant) -> Result<(), LiveKitError> {
        let question = proto::CreateAgentDispatchRequest {
            agent_name: agent.into(),
            room: room.into(),
            metadata: metadata.into(),
            ..proto::CreateAgentDispatchRequest::default()
        };
        let call = self.call(AGENTS, "CreateDispatch", may_manage(room), question)?;
        let mut tried = 0;
        loop {
            let outcome = self.once(deadline, &call).await.map(|_: proto::AgentDispatch| ());
            tried += 1;
            let Err(error @ LiveKitError::Unavailable(_)) = outcome else { return outcome };
            if self.dispatched(room, deadline).await?.iter().any(|called| called == agent) {
                return Ok(());
            }
            if tried == TRIES {
                return Err(error);
            }
        }
    }

    /// The names of the agents that were sent for. Those without a name, which LiveKit itself sends for in every room, are
    /// left out.
    ///
    /// # Errors
    /// `not_found` without the room.
    pub async fn dispatched(&self, room: &str, deadline: Instant) -> Result<Vec<String>, LiveKitError> {
        let question = proto::ListAgentDispatchRequest { room: room.into(), ..proto::ListAgentDispatchRequest::default() };
        let call = self.call(AGENTS, "ListDispatch", may_manage(room), question)?;
        let proto::ListAgentDispatchResponse { agent_dispatches: dispatches, .. } = self.repeated(deadline, &call).await?;
        Ok(dispatches.into_iter().map(|dispatch| dispatch.agent_name).filter(|name| !name.is_empty()).collect())
    }

    /// Deletes a room and disconnects its participants. False: there was none, or an earlier try whose answer was lost has
    /// deleted it.
    ///
    /// # Errors
    /// [`LiveKitError::Unavailable`]: the room may be gone all the same.
    pub async fn delete_room(&self, room: &str, deadline: Instant) -> Result<bool, LiveKitError> {
        let question = proto::DeleteRoomRequest { room: room.into() };
        let call = self.call(ROOMS, "DeleteRoom", may_create(), question)?;
        match self.repeated(deadline, &call).await {
            Ok(proto::DeleteRoomResponse {}) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All rooms of the server, also those that this hub has not made.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn list_rooms(&self, deadline: Instant) -> Result<Vec<Room>, LiveKitError> {
        let listed: proto::ListRoomsResponse = self.repeated(deadline, &self.listing(Vec::new())?).await?;
        Ok(listed.rooms.into_iter().map(Room::from).collect())
    }

    /// Those of these rooms that are there. Without a name this would be all rooms, so none is asked for then.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn list_named_rooms(&self, names: &[String], deadline: Instant) -> Result<Vec<Room>, LiveKitError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let listed: proto::ListRoomsResponse = self.repeated(deadline, &self.listing(names.to_vec())?).await?;
        Ok(listed.rooms.into_iter().map(Room::from).collect())
    }

    /// The identities of the participants in a room.
    ///
    /// # Errors
    /// `not_found` without the room.
    pub async fn participants(&self, room: &str, deadline: Instant) -> Result<Vec<String>, LiveKitError> {
        let participants = self.list_participants(room, deadline).await?;
        Ok(participants.into_iter().map(|participant| participant.identity).collect())
    }

    /// The participants in a room that have an attribute of this name: identity and value.
    ///
    /// # Errors
    /// `not_found` without the room.
    pub async fn participants_with(
        &self,
        room: &str,
        attribute: &str,
        deadline: Instant,
    ) -> Result<Vec<(String, String)>, LiveKitError> {
        let participants = self.list_participants(room, deadline).await?.into_iter();
        let with = participants.filter_map(|mut each| each.attributes.remove(attribute).map(|value| (each.identity, value)));
        Ok(with.collect())
    }

    async fn list_participants(&self, room: &str, deadline: Instant) -> Result<Vec<proto::ParticipantInfo>, LiveKitError> {
        let question = proto::ListParticipantsRequest { room: room.into() };
        let call = self.call(ROOMS, "ListParticipants", may_manage(room), question)?;
        let proto::ListParticipantsResponse { participants } = self.repeated(deadline, &call).await?;
        Ok(participants)
    }

    /// Disconnects a participant. It may come back with its token, which only LiveKit's cloud takes back. False: there was none of
    /// this identity, or an earlier try whose answer was lost has disconnected it.
    ///
    /// # Errors
    /// [`LiveKitError::Unavailable`]: it may be disconnected all the same.
    pub async fn remove_participant(&self, room: &str, identity: &str, deadline: Instant) -> Result<bool, LiveKitError> {
        let question = proto::RoomParticipantIdentity {
            room: room.into(),
            identity: identity.into(),
            // Without this a token that is signed within the next minute would be taken back too.
            revoke_token_ts: i64::try_from(now_seconds()).unwrap_or_default(),
        };
        let call = self.call(ROOMS, "RemoveParticipant", may_manage(room), question)?;
        match self.repeated(deadline, &call).await {
            Ok(proto::RemoveParticipantResponse {}) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it answers and takes our key; for readiness and `convoke check`. One try.
    ///
    /// # Errors
    /// [`LiveKitError`].
    pub async fn ping(&self) -> Result<(), LiveKitError> {
        // No room has this name, so the answer is short.
        let names = vec!["convoke-ping".to_owned()];
        let call = self.listing(names)?;
        self.once(Instant::now() + self.0.settings.deadline, &call).await.map(|_: proto::ListRoomsResponse| ())
    }

    /// Signs a token that opens one room.
    ///
    /// # Errors
    /// [`LiveKitError::Token`] if there is no identity or room.
    pub fn token(&self, grant: &Grant<'_>) -> Result<String, LiveKitError> {
        self.0.tokens.sign(grant)
    }

    /// What our LiveKit has signed for a webhook. `authorization` is the header's value.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn signed_webhook(&self, authorization: &str) -> Result<SignedWebhook, WebhookError> {
        self.0.webhooks.signed(authorization)
    }

    /// Asks for the rooms of these names; without a name for all of them.
    fn listing(&self, names: Vec<String>) -> Result<Call<proto::ListRoomsRequest>, LiveKitError> {
        let rights = Rights { room_list: true, ..Rights::default() };
        self.call(ROOMS, "ListRooms", rights, proto::ListRoomsRequest { names })
    }

    fn call<Question>(
        &self,
        service: &'static str,
        method: &'static str,
        rights: Rights<'_>,
        question: Question,
    ) -> Result<Call<Question>, LiveKitError> {
        Ok(Call { service, method, token: self.0.tokens.sign_call(rights)?, id: Uuid::new_v4(), question })
    }

    /// A call that may happen twice: tried again while its outcome is unclear and there is time.
    async fn repeated<Answer: Message + Default>(
        &self,
        deadline: Instant,
        call: &Call<impl Message>,
    ) -> Result<Answer, LiveKitError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.once(deadline, call).await {
                Err(LiveKitError::Unavailable(_)) if Instant::now() + pause < deadline => sleep(pause).await,
                outcome => return outcome,
            }
            pause *= 2;
        }
        self.once(deadline, call).await
    }

    /// One try, within the deadline of a call and that of all.
    async fn once<Answer: Message + Default>(
        &self,
        deadline: Instant,
        call: &Call<impl Message>,
    ) -> Result<Answer, LiveKitError> {
        let deadline = deadline.min(Instant::now() + self.0.settings.deadline);
        match timeout_at(deadline, self.0.api.send(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(LiveKitError::Unavailable("it did not answer in time".into())),
        }
    }
}

fn may_create() -> Rights<'static> {
    Rights { room_create: true, ..Rights::default() }
}

fn may_manage(room: &str) -> Rights<'_> {
    Rights { room, room_admin: true, ..Rights::default() }
}

impl std::fmt::Debug for LiveKit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveKit").field("api_url", &self.0.settings.api_url).finish_non_exhaustive()
    }
}
