//! Who is in an incident, as a client knows that applies what it hears.

use std::collections::BTreeMap;

use serde_json::Value;

/// What counts of a member, by user: role, online, sockets. When it was last seen is no change that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    members: BTreeMap<String, (String, bool, u64)>,
    /// Of the last `presence:update`.
    pub count: Option<u64>,
}

impl Roster {
    /// The list of a state.
    pub fn of(state: &Value) -> Self {
        let mut roster = Self::default();
        roster.apply("sos:state", state);
        roster
    }

    /// With this as the last count.
    pub fn counted(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// Applies `sos:state` and `presence:update`; other events change nothing.
    pub fn apply(&mut self, event: &str, payload: &Value) {
        match event {
            "sos:state" => self.replace(&payload["members"]),
            "presence:update" => {
                match payload.get("members") {
                    Some(members) => self.replace(members),
                    None => {
                        payload["joined"].as_array().into_iter().flatten().for_each(|member| self.put(member));
                        for user in payload["left"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                            self.members.remove(user);
                        }
                    }
                }
                self.count = payload["count"].as_u64();
            }
            _ => {}
        }
    }

    /// Who is in it, and how.
    pub fn members(&self) -> &BTreeMap<String, (String, bool, u64)> {
        &self.members
    }

    fn replace(&mut self, members: &Value) {
        self.members.clear();
        members.as_array().into_iter().flatten().for_each(|member| self.put(member));
    }

    fn put(&mut self, member: &Value) {
        let text = |name: &str| member[name].as_str().unwrap_or_default().to_owned();
        let is = (text("role"), member["online"] == true, member["sockets"].as_u64().unwrap_or(u64::MAX));
        self.members.insert(text("userId"), is);
    }
}
