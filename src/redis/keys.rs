//! Every key is born here.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

use crate::ids::ScopeId;

fn of(what: &str, scope: &ScopeId) -> String {
    format!("scope:{what}:{}:{{{}}}", scope.kind.as_str(), scope.id)
}

pub fn scope_meta(scope: &ScopeId) -> String {
    of("meta", scope)
}

pub fn scope_log(scope: &ScopeId) -> String {
    of("log", scope)
}

pub fn scope_members(scope: &ScopeId) -> String {
    of("members", scope)
}

pub fn scope_channel(scope: &ScopeId) -> String {
    of("channel", scope)
}

pub fn sos_state(id: &str) -> String {
    format!("sos:state:{{{id}}}")
}

pub fn sos_location(id: &str) -> String {
    format!("sos:location:{{{id}}}")
}

pub fn sos_track(id: &str) -> String {
    format!("sos:track:{{{id}}}")
}

pub fn sos_messages(id: &str) -> String {
    format!("sos:messages:{{{id}}}")
}

pub fn sos_events(id: &str) -> String {
    format!("sos:events:{{{id}}}")
}

pub fn sos_outbox(id: &str) -> String {
    format!("sos:outbox:{{{id}}}")
}

pub fn sos_outbox_dead(id: &str) -> String {
    format!("sos:outbox:dead:{{{id}}}")
}

pub fn user_presence(user: &str) -> String {
    format!("user:presence:{{{}}}", BASE64_URL_SAFE_NO_PAD.encode(user))
}
