//! What this node notes for the views of operators, as long as one of them asks for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, interval};

use super::NAMESPACE;
use super::metrics::{ADMIN_NOTED, ADMIN_WATCHED};
use super::show::{self, Show};
use super::stats::{Allowance, Process, Totals};
use super::wire::{End, News, Note, NotedEvent, Place, SocketPart};
use crate::core::sync::lock;
use crate::core::{ScopeId, Tap, clock, ids};
use crate::engineio::{self, Engine};
use crate::feature::Clients;
use crate::protocol::event::Args;
use crate::socketio::{self, DisconnectReason, Event, Socket, SocketIo};
use crate::telemetry::due;

/// How often the figures are noted.
const STATS_EVERY: Duration = Duration::from_secs(2);
/// When nobody has asked for so long, nothing is noted any more.
const WATCHED_FOR: Duration = Duration::from_secs(8);
/// Notes and bytes that wait for a view; the oldest are dropped first, and a view that has not had them lists the sockets anew.
const NOTES: usize = 8_192;
const BYTES: usize = 4 << 20;
/// Notes and bytes of one answer; of the bytes it may be one note more.
const NEWS: usize = 2_048;
const NEWS_BYTES: usize = 512 << 10;
/// An answer with so many sockets is not added to.
const PART: usize = 256;
/// The cost of a note beside its text.
const NOTE_BYTES: usize = 256;

/// One in a process.
pub struct Source {
    me: Weak<Self>,
    show: Show,
    process: Process,
    /// Sockets, rooms and events are noted, not only figures.
    has_sockets: bool,
    allowance: Allowance,
    totals: Arc<Totals>,
    clients: OnceLock<Local>,
    book: Mutex<Book>,
}

struct Local {
    engine: Weak<Engine>,
    io: Weak<SocketIo>,
    packets: Tap<dyn engineio::Observer>,
    sockets: Tap<dyn socketio::Observer>,
}

#[derive(Default)]
struct Book {
    name: String,
    /// The number of the first note that is here.
    first: u64,
    notes: VecDeque<Arc<Note>>,
    bytes: usize,
    /// `None`: nobody looks, and nothing is noted.
    watched_until: Option<Instant>,
}

impl Source {
    pub fn new(show: Show, has_sockets: bool, events_per_second: u32) -> Arc<Self> {
        let process = Process::new(&show.node);
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            show,
            process,
            has_sockets,
            allowance: Allowance::new(events_per_second),
            totals: Arc::default(),
            clients: OnceLock::new(),
            book: Mutex::default(),
        })
    }

    /// Names the clients that are looked at. Only the first call has an effect.
    pub fn look_at(self: &Arc<Self>, clients: &Clients) {
        let local = Local {
            engine: Arc::downgrade(&clients.engine),
            io: Arc::downgrade(&clients.io),
            packets: clients.engine.config().observer.clone(),
            sockets: clients.io.config().observer.clone(),
        };
        local.packets.set(self.totals.clone());
        if self.has_sockets {
            local.sockets.set(self.clone());
        }
        let _ = self.clients.set(local);
    }

    /// What is new after a place. The next seconds are noted. Must be called inside a Tokio runtime.
    pub fn news(&self, after: Option<&Place>) -> News<Arc<Note>> {
        let mut book = lock(&self.book);
        if book.watched_until.replace(Instant::now() + WATCHED_FOR).is_none() {
            *book = Book { name: ids::random(9), watched_until: book.watched_until, ..Book::default() };
            self.totals.take();
            self.allowance.not_shown();
            self.open(true);
            tokio::spawn(keep(self.me.clone()));
        }
        let end = book.first + book.notes.len() as u64;
        let known = after.filter(|place| place.book == book.name && (book.first..=end).contains(&place.next));
        let Some(place) = known else {
            return News { place: Place { book: book.name.clone(), next: end }, lost: true, notes: Vec::new() };
        };
        let mut bytes = 0;
        let fits = |note: &&Arc<Note>| {
            let before = bytes;
            bytes += weight(note);
            before < NEWS_BYTES
        };
        let new = book.notes.iter().skip((place.next - book.first) as usize).take(NEWS);
        let notes: Vec<_> = new.take_while(fits).cloned().collect();
        News { place: Place { book: book.name.clone(), next: place.next + notes.len() as u64 }, lost: false, notes }
    }

    fn open(&self, open: bool) {
        metrics::gauge!(ADMIN_WATCHED).set(f64::from(open));
        if let Some(clients) = self.clients.get() {
            clients.packets.open(open);
            clients.sockets.open(open && self.has_sockets);
        }
    }

    fn note(&self, note: Note) {
        let mut book = lock(&self.book);
        if book.watched_until.is_none() {
            return;
        }
        metrics::counter!(ADMIN_NOTED).increment(1);
        book.bytes += weight(&note);
        book.notes.push_back(Arc::new(note));
        while book.notes.len() > NOTES || book.bytes > BYTES {
            let Some(oldest) = book.notes.pop_front() else { break };
            book.bytes -= weight(&oldest);
            book.first += 1;
        }
    }

    fn note_event(&self, socket: &Socket, args: &Args, note: impl FnOnce(NotedEvent) -> Note) {
        let nsp = socket.namespace().name();
        // What this view sends is no news, and to tell of it would be more of it.
        if nsp == NAMESPACE || !self.allowance.take(clock::now_seconds()) {
            return;
        }
        let event = NotedEvent { id: socket.id().into(), nsp: nsp.into(), args: self.show.event(args), at: clock::now_ms() };
        self.note(note(event));
    }

    /// Notes the figures; false if nobody has looked for a while: then nothing more is noted.
    async fn note_figures(&self) -> bool {
        let clients = self.clients.get().and_then(|clients| clients.engine.upgrade().zip(clients.io.upgrade()));
        let Some((engine, io)) = clients.filter(|_| !self.close_if_unwatched()) else { return false };
        let stats = self.process.stats(&engine, &io, self.totals.take()).await;
        self.note(Note::Stats(stats));
        let (events, per_second) = (self.allowance.not_shown(), self.allowance.per_second());
        if events > 0 {
            if let Some(times) = due("the operator's view does not show every event") {
                tracing::info!(
                    events,
                    per_second,
                    times,
                    "the operator's view does not show every event: ADMIN_EVENTS_PER_SECOND"
                );
            }
            self.note(Note::NotShown { node: self.process.node.to_string(), events, per_second, at: clock::now_ms() });
        }
        true
    }

    fn close_if_unwatched(&self) -> bool {
        let mut book = lock(&self.book);
        let is_watched = book.watched_until.is_some_and(|until| until > Instant::now());
        if !is_watched {
            self.open(false);
            *book = Book::default();
        }
        !is_watched
    }

    /// Some of the connected sockets: part 0, then the parts that the answers name.
    pub async fn sockets(&self, part: usize) -> SocketPart {
        let engine = self.clients.get().and_then(|clients| clients.engine.upgrade());
        let Some(engine) = engine.filter(|_| self.has_sockets) else { return SocketPart::default() };
        let mut sockets = Vec::new();
        for part in part.. {
            if sockets.len() >= PART {
                return SocketPart { sockets, next: Some(part) };
            }
            let Some(sessions) = engine.part(part) else { break };
            sockets.extend(
                sessions.iter().flat_map(|session| SocketIo::sockets_of(session)).map(|socket| self.show.socket(&socket)),
            );
            yield_now().await;
        }
        SocketPart { sockets, next: None }
    }

    /// Ends a socket for good; false if it is not here.
    pub async fn end(&self, end: &End) -> bool {
        let Some(engine) = self.clients.get().and_then(|clients| clients.engine.upgrade()) else { return false };
        for part in 0.. {
            let Some(sessions) = engine.part(part) else { break };
            for session in sessions {
                let sockets = SocketIo::sockets_of(&session);
                if sockets.iter().any(|socket| socket.id() == end.id && socket.namespace().name() == end.nsp) {
                    sockets.iter().filter(|socket| end.close || socket.id() == end.id).for_each(|socket| socket.disconnect());
                    return true;
                }
            }
            yield_now().await;
        }
        false
    }
}

/// Notes the figures again and again, until nobody looks.
async fn keep(source: Weak<Source>) {
    let mut ticks = interval(STATS_EVERY);
    loop {
        ticks.tick().await;
        let Some(source) = source.upgrade() else { return };
        if !source.note_figures().await {
            return;
        }
    }
}

fn weight(note: &Note) -> usize {
    NOTE_BYTES
        + match note {
            Note::Received(event) | Note::Sent(event) => event.args.len(),
            Note::Connected { socket, .. } => 512 + 64 * socket.rooms.len(),
            Note::Stats(stats) => 64 * (stats.namespaces.len() + stats.aggregated_events.len()),
            _ => 0,
        }
}

impl socketio::Observer for Source {
    fn connected(&self, socket: &Arc<Socket>) {
        self.note(Note::Connected { socket: Box::new(self.show.socket(socket)), at: clock::now_ms() });
    }

    fn upgraded(&self, socket: &Arc<Socket>) {
        self.note(Note::Upgraded { id: socket.id().into(), nsp: socket.namespace().name().into() });
    }

    fn disconnected(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        self.note(Note::Disconnected {
            id: socket.id().into(),
            nsp: socket.namespace().name().into(),
            epoch: socket.epoch(),
            reason: show::reason(reason).into(),
            moved: reason == DisconnectReason::TakenOver,
            at: clock::now_ms(),
        });
    }

    fn joined(&self, socket: &Socket, room: &ScopeId) {
        let (id, nsp) = (socket.id().into(), socket.namespace().name().into());
        self.note(Note::Joined { id, nsp, room: room.to_string(), at: clock::now_ms() });
    }

    fn left(&self, socket: &Socket, room: &ScopeId) {
        let (id, nsp) = (socket.id().into(), socket.namespace().name().into());
        self.note(Note::Left { id, nsp, room: room.to_string(), at: clock::now_ms() });
    }

    fn received(&self, socket: &Socket, event: &Event) {
        self.note_event(socket, &event.args, Note::Received);
    }

    fn sent(&self, socket: &Socket, args: &Args) {
        self.note_event(socket, args, Note::Sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::admin::door::Door;
    use crate::features::admin::settings::Credentials;
    use crate::settings::Secret;

    fn source() -> Arc<Source> {
        let credentials = Credentials { username: "ops".into(), password: Secret::new("a long enough password") };
        let door = Arc::new(Door::new(credentials, Duration::from_secs(60)));
        Source::new(Show { node: "n".into(), door, payloads: false }, true, 100)
    }

    fn note(number: u64) -> Note {
        Note::Joined { id: "s".into(), nsp: "/".into(), room: "x:1".into(), at: number }
    }

    #[tokio::test]
    async fn a_view_that_comes_too_late_for_a_note_is_told_that_it_is_lost() {
        let source = source();
        source.note(note(0));
        let begun = source.news(None);
        assert!(begun.lost && begun.notes.is_empty(), "nothing is noted before somebody asks");
        source.note(note(1));
        let news = source.news(Some(&begun.place));
        assert_eq!((news.lost, news.notes.len()), (false, 1));
        assert_eq!(source.news(Some(&news.place)).notes, []);
        for number in 0..NOTES as u64 {
            source.note(note(number));
        }
        let (late, in_time) = (source.news(Some(&begun.place)), source.news(Some(&news.place)));
        assert!(late.lost && late.notes.is_empty());
        assert_eq!((in_time.lost, in_time.notes.len()), (false, NEWS_BYTES / NOTE_BYTES));
        source.note(note(0));
        assert!(source.news(Some(&news.place)).lost);
        let other = Place { book: "other".into(), ..in_time.place };
        assert!(source.news(Some(&other)).lost);
    }
}
