//! Proctoring: what is noticed about the candidate, what it costs of its trust, who hears of it.

use serde_json::{Value, json};

use crate::interviews_world::{MANY_ADDRESSES, begin, connect, create, join_interview, observe, overview};
use crate::support::booking::World;

#[tokio::test]
async fn what_is_noticed_lowers_the_trust_and_alerts_from_a_severity_on() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 1, &interview).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let notice =
        |kind: &str, severity: &str, data: Value| json!({"type": kind, "severity": severity, "message": "seen", "data": data});
    let reply = candidate.ask("proctor-event", notice("face-detection", "medium", json!({"facesDetected": 2}))).await;
    assert_eq!(reply, json!({"ok": true}), "the candidate is not told what it was worth");
    assert_eq!(observer.wait("trust-score-update").await["trustScore"], 95);
    candidate.ask_ok("proctor-event", notice("face-detection", "high", json!({"facesDetected": 1}))).await;
    candidate.ask_ok("proctor-event", notice("fullscreen-exit", "critical", json!(null))).await;
    let alert = observer.wait_for("proctor-alert", |alert| alert["type"] == "fullscreen-exit").await;
    assert_eq!((&alert["message"], &alert["severity"]), (&json!("seen"), &json!("critical")));
    assert_eq!(observer.wait("trust-score-update").await["trustScore"], 85);
    candidate.ask_ok("proctor-event", notice("phone-call", "low", json!(null))).await;
    let session = overview(&world, &interview).await["session"].clone();
    assert_eq!(session["trustScore"], 85);
    assert_eq!(session["deductions"], json!({"faces": 1, "tabs": 0, "fullscreen": 1, "suspicious": 0}));
    assert!(observer.received("proctor-alert").iter().all(|alert| alert["type"] != "phone-call"));
    let heard = candidate.events();
    assert!(heard.iter().all(|event| !event.name.contains("trust") && !event.name.contains("proctor")), "{heard:?}");
}

#[tokio::test]
async fn more_reports_than_five_a_second_and_what_is_no_report_are_refused() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    join_interview(&candidate, &interview).await;
    for bad in [
        json!({"severity": "low"}),
        json!({"type": "tab-switch"}),
        json!({"type": "tab-switch", "severity": "grave"}),
        json!({"type": "", "severity": "low"}),
    ] {
        assert_eq!(candidate.ask("proctor-event", bad.clone()).await["code"], "INVALID_PAYLOAD", "{bad}");
    }
    let ids: Vec<_> =
        (0..30).map(|_| candidate.send_with_ack("proctor-event", &[json!({"type": "tab-switch", "severity": "low"})])).collect();
    let mut limited = 0;
    for id in ids {
        limited += usize::from(candidate.acknowledged(id).await[0]["code"] == "RATE_LIMITED");
    }
    assert!(limited >= 10, "{limited} of 30 at once");
}

#[tokio::test]
async fn weights_severity_and_repeats_are_settings() {
    let settings =
        [MANY_ADDRESSES, ("TRUST_WEIGHTS", "tabs=40"), ("PROCTOR_ALERT_SEVERITY", "low"), ("PROCTOR_MIN_REPEATS", "3")];
    let Some(world) = World::start(1, &settings).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 0, &interview).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    for _ in 0..3 {
        assert!(observer.received("proctor-alert").is_empty());
        candidate.ask_ok("proctor-event", json!({"type": "tab-switch", "severity": "low", "message": "away"})).await;
    }
    assert_eq!(observer.wait("proctor-alert").await["type"], "tab-switch");
    assert_eq!(observer.wait("trust-score-update").await["trustScore"], 60);
}
