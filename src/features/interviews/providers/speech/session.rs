//! One stream at work: what the caller wants goes to the vendor, what the vendor says goes to the caller, and every wait ends.
//!
//! ```text
//! Streaming ─ EndTurn ─► Flushing ─ ForceEndpoint ─► Settling ─ all is final ─► Streaming
//!     └────── Close ───► Flushing ─ Terminate ─────► Terminating ─ Termination ─► the end
//! ```
//!
//! While a turn is flushed or settles, the caller's next commands wait in their queue, so that no audio of the next answer gets
//! into it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::outgoing::Outgoing;
use super::socket::{Incoming, Socket, Writer, open};
use super::turns::{Heard, Turns};
use super::wire::{FORCE_ENDPOINT, KEEP_ALIVE, ServerMessage, TERMINATE, ended, unreachable};
use super::{Command, Reason, SpeechEvent, Turn, Unavailable};

/// From the connection to `Begin`.
const BEGIN_WITHIN: Duration = Duration::from_secs(5);
/// From `Terminate` to `Termination`.
const TERMINATION_WITHIN: Duration = Duration::from_secs(10);
/// A turn has settled if nothing is said for so long after `ForceEndpoint`: with a final since then; without one (there may have
/// been nothing to say, but some models take 750 ms to say the first word); and if there was loud audio without text (the vendor may
/// lag behind).
const QUIET_AFTER_FINAL: Duration = Duration::from_millis(700);
const QUIET: Duration = Duration::from_millis(2500);
const QUIET_AFTER_SPEECH: Duration = Duration::from_secs(4);
/// A turn that has not settled is given up: what is late comes as a turn of its own.
const SETTLE_WITHIN: Duration = Duration::from_secs(14);
/// A connection on which nothing comes is asked whether it lives, and given up if it does not answer.
const PING_AFTER: Duration = Duration::from_secs(10);
const LOST_AFTER: Duration = Duration::from_secs(20);
/// Without audio for so long, the vendor is told that there will be more.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(20);
/// Loud audio of which nothing was heard.
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// How long an event waits for the caller.
const TELL_WITHIN: Duration = Duration::from_secs(10);

/// What a stream has begun with.
pub struct Begun {
    pub id: String,
    /// The model that the vendor has taken, if it says so.
    pub model: Option<String>,
    writer: Writer,
    incoming: mpsc::Receiver<Incoming>,
}

impl Begun {
    /// Ends the stream, without having used it.
    pub async fn end(mut self) {
        let _ = self.writer.text(TERMINATE).await;
        let _ = self.writer.close().await;
    }
}

/// Waits for the vendor to begin a stream.
pub async fn begin(socket: Box<dyn Socket>) -> Result<Begun, Unavailable> {
    let (writer, mut incoming) = open(socket);
    let begun = async {
        loop {
            match incoming.recv().await {
                Some(Incoming::Message(ServerMessage::Begin { id, configuration })) => return Ok((id, configuration.model)),
                Some(Incoming::Message(ServerMessage::Error { error_code, error })) => return Err(ended(error_code, &error)),
                Some(Incoming::Ended(why)) => return Err(why),
                Some(_) => {}
                None => return Err(unreachable("the connection is gone")),
            }
        }
    };
    let begun = timeout(BEGIN_WITHIN, begun).await;
    let (id, model) = begun.unwrap_or_else(|_| Err(unreachable("the vendor does not begin")))?;
    Ok(Begun { id, model, writer, incoming })
}

/// A stream at work.
pub struct Session {
    writer: Writer,
    incoming: mpsc::Receiver<Incoming>,
    commands: mpsc::Receiver<Command>,
    tell: mpsc::Sender<SpeechEvent>,
    outgoing: Outgoing,
    turns: Turns,
    phase: Phase,
    /// When something came from the vendor.
    heard: Instant,
    /// When something but a ping went to it.
    sent: Instant,
    pinged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Streaming,
    /// What waits goes out, and then this.
    Flushing(Flush),
    /// `ForceEndpoint` was sent.
    Settling {
        since: Instant,
        /// When a turn was heard, or `since`.
        last: Instant,
        is_final: bool,
    },
    /// `Terminate` was sent.
    Terminating {
        since: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flush {
    Turn,
    Stream,
}

/// Why a session ends.
enum End {
    Lost(Unavailable),
    /// As it was asked to.
    Closed,
    /// The caller has gone.
    Abandoned,
}

impl From<Unavailable> for End {
    fn from(why: Unavailable) -> Self {
        Self::Lost(why)
    }
}

impl Session {
    pub fn new(begun: Begun, commands: mpsc::Receiver<Command>, tell: mpsc::Sender<SpeechEvent>) -> Self {
        let now = Instant::now();
        let Begun { writer, incoming, .. } = begun;
        let (outgoing, turns, phase) = (Outgoing::new(now), Turns::default(), Phase::Streaming);
        Self { writer, incoming, commands, tell, outgoing, turns, phase, heard: now, sent: now, pinged: false }
    }

    /// Works until the stream ends, and tells how it did.
    pub async fn run(mut self) {
        let end = match self.work().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // What was heard is not lost because its formatted text did not come.
        if let Some(heard) = self.turns.give_up() {
            let _ = self.tell_turn(heard).await;
        }
        let last = match end {
            End::Lost(why) => SpeechEvent::Lost(why),
            End::Closed => SpeechEvent::Closed,
            End::Abandoned => {
                let _ = self.writer.text(TERMINATE).await;
                SpeechEvent::Closed
            }
        };
        let _ = timeout(TELL_WITHIN, self.tell.send(last)).await;
        let _ = self.writer.close().await;
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.advance().await?;
            let takes = self.phase == Phase::Streaming && self.outgoing.has_room();
            let message = self.outgoing.due();
            let timer = self.next_timer();
            tokio::select! {
                incoming = self.incoming.recv() => match incoming {
                    Some(incoming) => self.on_incoming(incoming).await?,
                    None => return Err(unreachable("the connection is gone").into()),
                },
                command = self.commands.recv(), if takes => match command {
                    Some(Command::Audio(chunk)) => self.outgoing.push(&chunk),
                    Some(Command::EndTurn) => self.phase = Phase::Flushing(Flush::Turn),
                    Some(Command::Close) | None => self.phase = Phase::Flushing(Flush::Stream),
                },
                () = sleep_until(message.unwrap_or(timer)), if message.is_some() => self.send_audio().await?,
                () = sleep_until(timer) => self.on_timer().await?,
                () = self.tell.closed() => return Err(End::Abandoned),
            }
        }
    }

    async fn send_audio(&mut self) -> Result<(), End> {
        let message = self.outgoing.take(Instant::now());
        self.writer.audio(message).await?;
        self.sent = Instant::now();
        let unheard = self.outgoing.unheard();
        if unheard >= SILENT_AFTER {
            let detail = format!("nothing was heard of {} s of loud audio", unheard.as_secs());
            return Err(Unavailable { reason: Reason::Silent, detail }.into());
        }
        Ok(())
    }

    /// Goes on to the next phase if this one is over.
    async fn advance(&mut self) -> Result<(), End> {
        if let Phase::Flushing(flush) = self.phase {
            self.outgoing.pad();
            if !self.outgoing.is_empty() {
                return Ok(());
            }
            let now = Instant::now();
            let message = match flush {
                Flush::Turn => FORCE_ENDPOINT,
                Flush::Stream => TERMINATE,
            };
            self.writer.text(message).await?;
            self.sent = now;
            self.phase = match flush {
                Flush::Turn => Phase::Settling { since: now, last: now, is_final: false },
                Flush::Stream => Phase::Terminating { since: now },
            };
        }
        if let Some(due) = self.settled_at()
            && due <= Instant::now()
        {
            self.phase = Phase::Streaming;
            if let Some(heard) = self.turns.give_up() {
                self.tell_turn(heard).await?;
            }
            let position = self.outgoing.cover_all().unwrap_or_default();
            self.tell(SpeechEvent::Settled { position }).await?;
        }
        Ok(())
    }

    /// When the turn has settled, if nothing more comes.
    fn settled_at(&self) -> Option<Instant> {
        let Phase::Settling { since, last, is_final } = self.phase else { return None };
        let latest = since + SETTLE_WITHIN;
        if !self.turns.are_settled() {
            return Some(latest);
        }
        if self.outgoing.is_final() {
            return Some(since);
        }
        let quiet = match (self.outgoing.awaits_text(), is_final) {
            (true, _) => QUIET_AFTER_SPEECH,
            (false, true) => QUIET_AFTER_FINAL,
            (false, false) => QUIET,
        };
        Some(latest.min(last + quiet))
    }

    async fn on_incoming(&mut self, incoming: Incoming) -> Result<(), End> {
        let now = Instant::now();
        self.heard = now;
        self.pinged = false;
        match incoming {
            Incoming::Alive => {}
            Incoming::Ping(payload) => self.writer.pong(payload).await?,
            Incoming::Ended(why) => return Err(why.into()),
            Incoming::Message(ServerMessage::Turn(message)) => {
                self.outgoing.heard();
                let is_final = message.end_of_turn;
                if let Phase::Settling { last, is_final: any, .. } = &mut self.phase {
                    *last = now;
                    *any |= is_final;
                }
                for heard in self.turns.hear(message, now) {
                    self.tell_turn(heard).await?;
                }
            }
            Incoming::Message(ServerMessage::SpeechStarted {}) => {
                self.outgoing.heard();
                if let Phase::Settling { last, .. } = &mut self.phase {
                    *last = now;
                }
            }
            Incoming::Message(ServerMessage::Termination {}) if matches!(self.phase, Phase::Terminating { .. }) => {
                return Err(End::Closed);
            }
            Incoming::Message(ServerMessage::Termination {}) => return Err(ended(Some(1000), "Termination").into()),
            Incoming::Message(ServerMessage::Error { error_code, error }) => return Err(ended(error_code, &error).into()),
            Incoming::Message(ServerMessage::Begin { .. } | ServerMessage::Other) => {}
        }
        Ok(())
    }

    fn next_timer(&self) -> Instant {
        let life = if self.pinged { self.heard + LOST_AFTER } else { self.heard + PING_AFTER };
        let terminated = match self.phase {
            Phase::Terminating { since } => Some(since + TERMINATION_WITHIN),
            _ => None,
        };
        let others = [self.turns.due(), self.settled_at(), terminated, Some(self.sent + KEEP_ALIVE_EVERY)];
        others.into_iter().flatten().fold(life, Instant::min)
    }

    async fn on_timer(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.turns.due().is_some_and(|due| due <= now)
            && let Some(heard) = self.turns.give_up()
        {
            self.tell_turn(heard).await?;
        }
        if let Phase::Terminating { since } = self.phase
            && since + TERMINATION_WITHIN <= now
        {
            return Err(unreachable("the vendor does not end the stream").into());
        }
        if self.heard + LOST_AFTER <= now {
            return Err(unreachable("nothing comes from the vendor").into());
        }
        if self.heard + PING_AFTER <= now && !self.pinged {
            self.writer.ping().await?;
            self.pinged = true;
        }
        if self.sent + KEEP_ALIVE_EVERY <= now {
            self.writer.text(KEEP_ALIVE).await?;
            self.sent = now;
        }
        Ok(())
    }

    async fn tell_turn(&mut self, heard: Heard) -> Result<(), End> {
        let covered = match (heard.is_final, heard.end_ms) {
            (true, Some(end_ms)) => self.outgoing.cover(end_ms),
            _ => None,
        };
        let Heard { order, text, is_final, confidence, .. } = heard;
        let event = SpeechEvent::Turn(Turn { order, text, is_final, confidence, covered });
        if !is_final {
            // The next one says it again.
            let _ = self.tell.try_send(event);
            return Ok(());
        }
        self.tell(event).await
    }

    async fn tell(&mut self, event: SpeechEvent) -> Result<(), End> {
        match timeout(TELL_WITHIN, self.tell.send(event)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Abandoned),
        }
    }
}
