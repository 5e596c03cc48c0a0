//! schemathesis asks every route that the document describes, with what the schemas allow and with what they do not: no server error, no
//! answer that is not as documented.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::interviews_world::{MANY_ADDRESSES, ORG, create, recruiter};
use crate::openapi_answers::REALTIME;
use crate::support::booking::World;
use crate::support::hub::INTERNAL;
use crate::support::node::{python, root};
use crate::support::realtime;

/// It stops by itself long before.
const PATIENCE: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn every_route_stands_what_it_may_be_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    let limits = [("RATE_LIMIT_REALTIME_CREATE_PER_MINUTE", "100000"), ("RATE_LIMIT_REALTIME_PER_MINUTE", "100000")];
    let env =
        [&REALTIME[..], &limits, &[("AUDIO_STORAGE_URL", &*storage), ("HTTP_BODY_PAUSE_SECONDS", "2"), MANY_ADDRESSES]].concat();
    let Some(world) = World::start(1, &env).await else { return };
    let hub = &world.hubs[0];
    let user = world.user().await;
    let session = world.started(user).await;
    let interview = create(&world, json!({})).await;
    hub.create_sos("s-1", "c-1").await;
    let mut command = python();
    command
        .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", &format!("{}/openapi.json", hub.url())])
        .current_dir(root().join("tests/clients"))
        .env("INTERNAL", INTERNAL)
        .env("SESSION_TOKEN", world.token(user))
        .env("RECRUITER_TOKEN", recruiter("recruiter", "r-1", Some(ORG)))
        .env("USER_TOKEN", realtime::token("user-1"))
        .env("CANDIDATE_TOKEN", &interview.token)
        .env("SESSION", &session.id)
        .env("INTERVIEW", &interview.id)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output());
    let ran = tokio::time::timeout(PATIENCE, ran).await.expect("it ends in time").expect("it runs");
    let ran = ran.expect("schemathesis is installed: scripts/setup.sh test");
    assert!(ran.status.success(), "{}\n{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}
