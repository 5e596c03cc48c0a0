//! The commands, as an operator meets them.

use std::process::{Command, Output};

use convoke::features::bookings::holder::HolderVerifier;
use convoke::features::interviews::recruiter::{RecruiterRole, RecruiterVerifier};
use convoke::features::sos::auth::{Role, SosVerifier};
use convoke::features::{bookings, interviews, sos};

use crate::identity::settings;
use crate::support::ports::free_port;
use crate::support::stub_http::{Answer, StubHttp};
use crate::support::{livekit, postgres, redis};

fn convoke(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
    command.args(args).env_clear().envs(environment.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_command_stops_at_faulty_settings_and_names_them_all() {
    for args in [&[][..], &["serve"], &["check"], &["token", "--role", "admin", "--user", "a"]] {
        let output = convoke(args, &[("PORT", "x"), ("DEMO", "maybe"), ("LOG_LEVEL", "loud")]);
        let report = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{report}");
        let faults = ["PORT must be an integer", "DEMO must be true", "LOG_LEVEL must be error"];
        assert!(faults.iter().all(|word| report.contains(word)), "{report}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn secrets_that_can_be_guessed_stop_a_production_start_and_are_told_in_development() {
    let names = [
        "SOS_JWT_SECRET",
        "INTERVIEW_JWT_SECRET",
        "SESSIONS_JWT_SECRET",
        "INTERNAL_AUTH_TOKEN",
        "CLUSTER_SECRET",
        "LIVEKIT_API_SECRET",
    ];
    let start = |secret: &str, more: &[(&str, &str)]| {
        let secrets = names.iter().enumerate().map(|(at, name)| (*name, format!("{secret}{at}"))).collect::<Vec<_>>();
        let secrets = secrets.iter().map(|(name, secret)| (*name, secret.as_str()));
        let others = [("REDIS_URL", "redis://127.0.0.1:1"), ("LIVEKIT_WS_URL", "ws://127.0.0.1:1"), ("LIVEKIT_API_KEY", "key")];
        let output = convoke(&["check"], &secrets.chain(others).chain(more.iter().copied()).collect::<Vec<_>>());
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    // 15 characters, of two bytes each.
    let (code, report) = start("ääääääääääääää", &[]);
    assert_eq!((code, report.matches("must have at least 16 characters").count()), (Some(2), names.len()), "{report}");
    assert!(names.iter().all(|name| report.contains(name)), "{report}");
    let (code, report) = start("ääääääääääääää", &[("NODE_ENV", "development"), ("REDIS_DEADLINE_MS", "50")]);
    assert_eq!((code, report.matches("shorter than 16 characters").count()), (Some(1), names.len()), "{report}");
    let (code, report) = start("äääääääääääääää", &[("REDIS_DEADLINE_MS", "50")]);
    assert_eq!((code, report.contains("16 characters")), (Some(1), false), "{report}");
}

/// All that serve says, on both outputs, is a line of the log: a start that fails, too.
#[test]
fn whatever_serve_says_is_a_line_of_the_log() {
    // Its own, or other nodes would not let it start.
    let redis = redis::Server::start(&[]);
    let redis = redis.url();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let node = [("REDIS_URL", &*redis), ("NODE_ID", "says"), ("HOST", "127.0.0.1"), ("PEER_PORT", "0"), ("METRICS_PORT", "0")];
    for (settings, code, said) in [
        (vec![("PORT", "x"), ("DEMO", "maybe")], 2, ["PORT must be an integer", "DEMO must be true"]),
        ([&node[..], &[("PORT", &*port)]].concat(), 1, ["this node must stay the only one", "cannot listen on"]),
    ] {
        let output = convoke(&["serve"], &settings);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(code), ""));
        let lines: Vec<serde_json::Value> = text(&output.stderr)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no line of a log: {line}")))
            .collect();
        let all = format!("{lines:?}");
        assert!(said.iter().all(|said| all.contains(said)), "{all}");
    }
}

#[tokio::test]
async fn a_token_from_the_command_line_opens_the_hub_that_has_the_secret() {
    let environment = [("JWT_SECRET", "a secret of at least thirty-two bytes")];
    let output =
        convoke(&["token", "--role", "Rescuer", "--user", "r1", "--sos", "s1", "--sos", "s2", "--ttl", "1h"], &environment);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let verified = SosVerifier::new(&settings(&environment, sos::settings::Settings::read).identity)
        .unwrap()
        .verify(text(&output.stdout).trim(), now)
        .await
        .unwrap();
    assert_eq!((&*verified.claims.user_id, verified.claims.role), ("r1", Role::Rescuer));
    assert_eq!(verified.claims.sos_id.as_deref(), Some("s1"));
    assert_eq!(verified.claims.sos_ids.len(), 2);
    assert!(verified.claims.expires_at.is_some_and(|at| (now + 3590..=now + 3601).contains(&at)));
}

#[test]
fn without_a_secret_no_token_is_made() {
    let output = convoke(&["token", "--role", "admin", "--user", "a"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("JWT_SECRET") && output.stdout.is_empty());
}

#[tokio::test]
async fn each_surface_has_tokens_of_its_own() {
    const USER: &str = "6f1c1d6e-8c0f-4d0b-9d5e-0d2f6a1b2c3d";
    let environment = [
        ("JWT_SECRET", "a secret of at least thirty-two bytes"),
        ("INTERVIEW_JWT_SECRET", "another secret of thirty-two bytes"),
        ("SESSIONS_JWT_SECRET", "a third secret of thirty-two bytes"),
    ];
    let token = |args: &[&str]| {
        let output = convoke(args, &environment);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    };
    let sessions = token(&["token", "--surface", "sessions", "--user", USER, "--email", "a@b.c", "--ttl", "1h"]);
    let interviews =
        token(&["token", "--surface", "interviews", "--role", "observer", "--user", "o1", "--org", "acme", "--ttl", "1h"]);

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let holders = HolderVerifier::new(&settings(&environment, bookings::settings::Settings::read).identity).unwrap();
    let holder = holders.verify(&sessions, now).await.unwrap();
    assert_eq!((holder.user_id.to_string().as_str(), holder.email.as_deref()), (USER, Some("a@b.c")));
    assert!(holder.expires_at.is_some_and(|at| (now + 3590..=now + 3601).contains(&at)));
    let recruiters = RecruiterVerifier::new(&settings(&environment, interviews::settings::Settings::read).identity).unwrap();
    let recruiter = recruiters.verify(&interviews, now).await.unwrap();
    assert_eq!((&*recruiter.user_id, recruiter.role), ("o1", RecruiterRole::Observer));
    assert_eq!(recruiter.org_id.as_deref(), Some("acme"));
    assert!(holders.verify(&interviews, now).await.is_err() && recruiters.verify(&sessions, now).await.is_err());

    for (surface, secret) in [("interviews", "INTERVIEW_JWT_SECRET"), ("sessions", "SESSIONS_JWT_SECRET")] {
        let output = convoke(&["token", "--surface", surface, "--role", "admin", "--user", USER], &environment[..1]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(secret) && output.stdout.is_empty());
    }
}

#[test]
fn a_wish_that_makes_no_sense_is_refused() {
    let bad = [
        &["--surface", "moon", "--role", "admin", "--user", "a"][..],
        &["--surface", "sessions", "--user", "no-uuid"],
        &["--surface", "interviews", "--user", "a"],
        &["--surface", "interviews", "--user", "a", "--role", "citizen"],
        &["--role", "recruiter", "--user", "a"],
        &["--user", "a"],
        &["--role", "root", "--user", "a"],
        &["--role", "admin", "--user", ""],
        &["--role", "admin"],
        &["--role", "admin", "--user", "a", "--sos", "{x}"],
        &["--role", "admin", "--user", "a", "--ttl", "1 day"],
    ];
    for args in bad {
        let args: Vec<&str> = ["token"].iter().chain(args).copied().collect();
        assert_eq!(convoke(&args, &[("JWT_SECRET", "a secret of at least thirty-two bytes")]).status.code(), Some(2), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_does_not_answer() {
    let service = StubHttp::start(Answer::Body(404, "".into())).await;
    let nothing = format!("redis://127.0.0.1:{}", free_port());
    let url = service.url();
    let environment = [
        ("REDIS_URL", nothing.as_str()),
        ("REDIS_DEADLINE_MS", "500"),
        ("INTERNAL_AUTH_TOKEN", "a token of the tests"),
        ("SOS_MS_URL", url.as_str()),
        ("SOS_JWKS_URL", url.as_str()),
    ];
    let output = tokio::task::block_in_place(|| convoke(&["check"], &environment));
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}{}", text(&output.stderr));
    for line in ["ok    settings", "BAD   Redis", "ok    SOS service", "BAD   SOS_JWKS_URL"] {
        assert!(report.contains(line), "{line}: {report}");
    }
}

#[test]
fn check_asks_each_redis_master() {
    let (single, cluster) = (redis::single().url(), redis::cluster().url());
    for (url, masters) in [(single, 1), (cluster, 3)] {
        let output = convoke(&["check"], &[("REDIS_URL", url.as_str())]);
        let report = text(&output.stdout);
        assert!(output.status.success(), "{report}{}", text(&output.stderr));
        assert_eq!(report.matches("ok    Redis 127.0.0.1:").count(), masters, "{report}");
        assert!(report.contains("note  incidents are off"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_tells_how_postgres_stands() {
    let (redis, database) = (redis::single().url(), postgres::database().await);
    let check = |concurrent: &str| {
        let settings = [("REDIS_URL", &*redis), ("DATABASE_URL", &*database), ("MAX_CONCURRENT_INTERVIEWS", concurrent)];
        let output = tokio::task::block_in_place(|| convoke(&["check"], &settings));
        (output.status.success(), text(&output.stdout))
    };
    let all = |report: &str, lines: &[&str]| lines.iter().for_each(|line| assert!(report.contains(line), "{line}: {report}"));
    let (good, report) = check("5");
    all(
        &report,
        &["ok    PostgreSQL, version 1", "note  migrations", "V1__interview_sessions", "note  the first start will write"],
    );
    assert!(good, "{report}");
    postgres::prepared(&database).await;
    let (good, report) = check("5");
    all(&report, &["ok    the schema in PostgreSQL is up to date", "ok    limits of sessions: MAX_CONCURRENT_INTERVIEWS=5"]);
    assert!(good, "{report}");
    let (good, report) = check("6");
    all(
        &report,
        &["BAD   no session would start: here MAX_CONCURRENT_INTERVIEWS=6", "in PostgreSQL MAX_CONCURRENT_INTERVIEWS=5"],
    );
    assert!(!good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_sessions_miss() {
    let service = StubHttp::start(Answer::Body(404, "".into())).await;
    let (redis, keys) = (redis::single().url(), service.url());
    let nothing = format!("127.0.0.1:{}", free_port());
    let (database, calls) = (format!("postgres://postgres:hidden@{nothing}/postgres"), format!("ws://{nothing}"));
    let settings = [
        ("REDIS_URL", &*redis),
        ("DATABASE_URL", &*database),
        ("DATABASE_DEADLINE_MS", "500"),
        ("LIVEKIT_WS_URL", &*calls),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", "hidden from view, too"),
        ("LIVEKIT_DEADLINE_MS", "500"),
        ("SESSIONS_JWKS_URL", &*keys),
        ("INTERVIEW_JWKS_URL", &*format!("{keys}/recruiters")),
    ];
    let output = tokio::task::block_in_place(|| convoke(&["check"], &settings));
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{report}{}", text(&output.stderr));
    for line in ["BAD   PostgreSQL", "BAD   LiveKit http://127.0.0.1:", "BAD   SESSIONS_JWKS_URL", "BAD   INTERVIEW_JWKS_URL"] {
        assert!(report.contains(line), "{line}: {report}");
    }
    assert!(!report.contains("hidden"), "{report}");
}

#[test]
fn check_asks_livekit_with_the_key() {
    let Some(livekit) = livekit::shared() else { return };
    let redis = redis::single().url();
    for (secret, good) in [(livekit::SECRET, true), ("another secret, long enough for anybody", false)] {
        let settings = [
            ("REDIS_URL", &*redis),
            ("LIVEKIT_WS_URL", livekit.ws_url()),
            ("LIVEKIT_API_KEY", livekit::KEY),
            ("LIVEKIT_API_SECRET", secret),
        ];
        let output = convoke(&["check"], &settings);
        let report = text(&output.stdout);
        assert_eq!(output.status.success(), good, "{report}{}", text(&output.stderr));
        assert!(report.contains(if good { "ok    LiveKit" } else { "BAD   LiveKit" }), "{report}");
    }
}
