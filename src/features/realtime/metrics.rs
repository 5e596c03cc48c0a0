//! What this feature measures. A label never holds an id of a user, a session or a room.

crate::metrics_table! {
    CREATED: describe_counter = "convoke_realtime_created_total", "Realtime sessions that this node has created";
    REMOVED: describe_counter = "convoke_realtime_removed_total", "Realtime sessions that this node has removed, by reason: asked, finished, empty, stale";
    RESTORED: describe_counter = "convoke_realtime_restored_total", "Realtime sessions that this node has made again because Redis had lost them";
    SESSIONS: describe_gauge = "convoke_realtime_sessions", "Realtime sessions of all nodes, by status, as this node's last round of polling found them";
    ROUNDS: describe_counter = "convoke_realtime_poll_rounds_total", "Rounds of polling of this node, by outcome: ok, observed (the first one after a failure), failed";
    LISTINGS: describe_counter = "convoke_realtime_listings_total", "Lists of rooms that this node has asked LiveKit for, repeats of failed calls not counted";
}
