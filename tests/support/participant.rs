//! A participant in a LiveKit room: LiveKit's own client in a headless browser (`tests/clients/join.mjs`).

use serde_json::Value;
use tempfile::TempDir;

use super::node::Script;

/// One that has joined.
pub struct Participant {
    script: Script,
    pub room: String,
    pub identity: String,
    /// The browser's, should it have no time to clean up.
    _folder: TempDir,
}

/// Why LiveKit let nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub message: String,
    /// As the client names it: `NotAllowed`, `ServerUnreachable`, ….
    pub reason: String,
}

impl Participant {
    /// Joins the room of a token.
    ///
    /// # Errors
    /// What the client was told.
    pub async fn join(ws_url: &str, token: &str) -> Result<Self, Refused> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut script = Script::node("join.mjs", &[ws_url, token, folder.path().to_str().expect("a path of ours")]);
        let fact = next(&mut script).await;
        let text = |name: &str| fact[name].as_str().unwrap_or_default().to_owned();
        match fact["fact"].as_str() {
            Some("joined") => Ok(Self { script, room: text("room"), identity: text("identity"), _folder: folder }),
            Some("refused") => {
                script.terminate();
                Err(Refused { message: text("message"), reason: text("reason") })
            }
            _ => panic!("neither joined nor refused: {fact}"),
        }
    }

    /// Waits until it is thrown out, or has left; the reason as the client names it: `ROOM_DELETED`, `CLIENT_INITIATED`, ….
    pub async fn wait_gone(&mut self) -> String {
        self.fact("gone", "reason").await
    }

    /// Leaves.
    pub async fn leave(mut self) {
        self.script.order("leave");
        assert_eq!(self.wait_gone().await, "CLIENT_INITIATED");
    }

    /// Says something to the others in the room.
    pub fn say(&mut self, text: &str) {
        self.script.order(&format!("say {text}"));
    }

    /// What another one says.
    pub async fn hear(&mut self) -> String {
        self.fact("heard", "text").await
    }

    async fn fact(&mut self, name: &str, field: &str) -> String {
        loop {
            let fact = next(&mut self.script).await;
            if fact["fact"] == name {
                return fact[field].as_str().unwrap_or_default().to_owned();
            }
        }
    }
}

impl Drop for Participant {
    fn drop(&mut self) {
        // A browser that is killed goes on writing files for a moment, after its folder was removed.
        self.script.terminate();
    }
}

async fn next(script: &mut Script) -> Value {
    let line = script.line().await.expect("the browser lives");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
