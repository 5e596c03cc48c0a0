//! Acknowledgements that the hub waits for.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::protocol::event::Args;

/// Why an acknowledgement did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    #[error("the client did not acknowledge in time")]
    Timeout,
    #[error("the socket is gone")]
    SocketGone,
    #[error("too many acknowledgements are awaited already")]
    TooManyPending,
    #[error("an argument has no form as JSON")]
    NoJson,
}

/// The acknowledgements of one socket. Each has a number that no other of this socket has, on any node.
#[derive(Default)]
pub struct Acks {
    pub last_id: u64,
    awaited: HashMap<u64, oneshot::Sender<Args>>,
    /// Those for which the former node of the socket waits; it will ask for them.
    kept: HashMap<u64, oneshot::Receiver<Args>>,
}

impl Acks {
    /// The next number, and what comes.
    pub fn begin(&mut self, most: usize) -> Result<(u64, oneshot::Receiver<Args>), AckError> {
        if self.awaited.len() >= most {
            return Err(AckError::TooManyPending);
        }
        self.last_id += 1;
        let (sender, receiver) = oneshot::channel();
        self.awaited.insert(self.last_id, sender);
        Ok((self.last_id, receiver))
    }

    /// [`Acks::begin`] for the former node of this socket.
    pub fn begin_for_another(&mut self, most: usize) -> Result<u64, AckError> {
        let (id, receiver) = self.begin(most)?;
        self.kept.insert(id, receiver);
        Ok(id)
    }

    pub fn acknowledged(&mut self, id: u64, args: Args) {
        if let Some(sender) = self.awaited.remove(&id) {
            let _ = sender.send(args);
        }
    }

    /// It is not awaited any longer.
    pub fn give_up(&mut self, id: u64) {
        self.awaited.remove(&id);
    }

    /// The numbers of the awaited acknowledgements.
    pub fn awaited(&self) -> Vec<u64> {
        self.awaited.keys().copied().collect()
    }

    /// Takes over those of another node.
    pub fn adopt(&mut self, last_id: u64, awaited: &[u64]) {
        self.last_id = last_id;
        for id in awaited {
            let (sender, receiver) = oneshot::channel();
            self.awaited.insert(*id, sender);
            self.kept.insert(*id, receiver);
        }
    }

    /// The node that waits for it asks.
    pub fn fetch(&mut self, id: u64) -> Option<oneshot::Receiver<Args>> {
        self.kept.remove(&id)
    }
}
