//! What this feature measures.

crate::metrics_table! {
    ADMIN_WATCHED: describe_gauge = "convoke_admin_watched", "1 while an operator's view of some node looks at this one";
    ADMIN_NOTED: describe_counter = "convoke_admin_noted_total", "What this node has noted for the operators' views: figures, sockets, rooms and events";
    ADMIN_LOGINS: describe_counter = "convoke_admin_logins_total", "Logins to the operator's view, by outcome";
}
