//! What this feature measures. A label never holds an id of a user, a socket or a scope.

crate::metrics_table! {
    SESSION_STARTS: describe_counter = "convoke_session_starts_total", "Starts of interview sessions, by outcome: ok, or the code of the refusal";
    SESSION_START_SECONDS: describe_histogram = "convoke_session_start_seconds", "Time that a start of an interview session took, refused or not";
    SESSION_TIMEOUTS: describe_counter = "convoke_session_timeouts_total", "Interview sessions that this node's job has completed because their time was over";
    SESSION_SLOTS: describe_gauge = "convoke_session_slots", "Slots of interview sessions, reservations included, as this node's last sweep found them";
    SESSION_SWEPT: describe_counter = "convoke_session_swept_total", "What this node's sweeps have put right, by kind";
}
