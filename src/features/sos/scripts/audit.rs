//! The audit trail of an SOS.

use super::{Actor, RULES};
use crate::core::StreamId;
use crate::features::sos::keys as sos_keys;
use crate::redis::script::{Args, Eval, script};
use crate::rooms::audit::{self, AuditPage};

/// Appends a refusal to the audit trail (of an event whose script did not run), if there is a state.
pub async fn sos_audit<E: Eval>(redis: &E, sos: &str, actor: Actor<'_>, event: &str, code: &str) -> Result<(), E::Error> {
    let at = vec![sos_keys::state(sos), sos_keys::events(sos)];
    let args = Args::new().text(actor.user).text(actor.role).text(actor.sid).text(actor.source.as_str());
    redis.eval(&AUDIT, at, args.text(event).text(code).done()).await?;
    Ok(())
}

/// The audit trail after `after`, ascending; `None` if there is no state. Its events are `created`, `join`, `leave`, `status`,
/// `assignment`, `acknowledgement`, `refusal`, `close`, `admit`, `remove`; its sources `socket`, `internal`, `hub`.
pub async fn sos_events<E: Eval>(
    redis: &E,
    sos: &str,
    after: Option<StreamId>,
    limit: u32,
) -> Result<Option<AuditPage>, E::Error> {
    audit::read_page(redis, &EVENTS, vec![sos_keys::state(sos), sos_keys::events(sos)], after, limit).await
}

script!(AUDIT = "sos" / "sos_audit" in RULES);
script!(EVENTS = "sos" / "sos_events", "rooms/lib/audit_page");
