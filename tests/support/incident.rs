//! Who takes part in an incident, as most tests want them.

use serde_json::json;

use super::client::Client;
use super::hub::Hub;

/// Connects with a token for these incidents.
pub async fn client(hub: &Hub, role: &str, user: &str, sos: &[&str]) -> Client {
    Client::connect(&hub.url(), json!({"token": hub.token(role, user, sos)})).await
}

/// [`client`], once it is a member of its incident.
pub async fn member(hub: &Hub, role: &str, user: &str, sos: &str) -> Client {
    let client = client(hub, role, user, &[sos]).await;
    client.wait_count("sos:state", 1).await;
    client
}

/// Sends a message to the client's incident; it must be taken.
pub async fn say(client: &Client, text: &str) {
    client.ask_ok("message:send", json!({"text": text})).await;
}
