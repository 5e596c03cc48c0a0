//! What this feature measures. A label never holds an id of a user, a socket or a scope.

crate::metrics_table! {
    SOS_OUTBOX_DEAD: describe_counter = "convoke_sos_outbox_dead_total", "Events that the SOS service refused for good";
}
