use super::*;
use crate::features::{self, sos::settings::Settings as Sos};

const SECRET: &str = "a secret of the tests";

fn config<const N: usize>(pairs: [(&str, &str); N]) -> Config {
    Config::read(&pairs.into_iter().collect()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn settings<const N: usize>(pairs: [(&str, &str); N]) -> Settings {
    config(pairs).settings
}

fn sos<const N: usize>(pairs: [(&str, &str); N]) -> Sos {
    Sos::read(&mut Reader::new(&pairs.into_iter().collect()))
}

fn faults<const N: usize>(pairs: [(&str, &str); N]) -> String {
    refused(&pairs.into_iter().collect())
}

fn refused(source: &Source) -> String {
    Config::read(source).err().map_or_else(|| panic!("nothing is wrong"), |faults| faults.to_string())
}

#[test]
fn an_empty_environment_gives_the_defaults() {
    let config = config([("HOSTNAME", "box-1")]);
    let settings = &config.settings;
    insta::assert_debug_snapshot!(settings);
    let empty = Source::default();
    let mut read = Reader::new(&empty);
    insta::assert_debug_snapshot!("sos", Sos::read(&mut read));
    insta::assert_debug_snapshot!("interviews", features::interviews::settings::Settings::read(&mut read));
    insta::assert_debug_snapshot!("realtime", features::realtime::settings::Settings::read(&mut read));
    insta::assert_debug_snapshot!("bookings", features::bookings::settings::Settings::read(&mut read));
    assert_eq!(settings.redis.url.expose(), "redis://localhost:6379/0");
    let off = config.notices();
    assert_eq!(off.len(), 7);
}

#[test]
fn all_faults_are_reported_at_once_and_no_secret_is_shown() {
    let report = faults([
        ("HOST", "localhost"),
        ("PORT", "70000"),
        ("METRICS_PORT", "http"),
        ("NODE_ID", "a b"),
        ("PEER_PORT", "peer"),
        ("POD_IP", "pod"),
        ("CLUSTER_SECRET", "pa55word"),
        ("DEMO", "perhaps"),
        ("HTTP_BODY_LIMIT", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.0/99, proxy"),
        ("CORS_ORIGIN", "https://app.example.com,app.example.com,https://a/b"),
        ("PING_INTERVAL_MS", "25s"),
        ("EVENTS_PER_SECOND", "0"),
        ("MAX_PAYLOAD", "2000000"),
        ("REDIS_URL", "http://:pa55word@db"),
        ("REDIS_PORT", "0"),
        ("SOS_MS_URL", "http://user:pa55word@sos"),
        ("SOS_JWKS_URL", "keys.json"),
        ("JWT_SECRET", "pa55word"),
        ("SOS_JWT_SECRET", "another pa55word"),
        ("JWT_PUBLIC_KEY", "pa55word"),
        ("LOG_LEVEL", "loud"),
    ]);
    assert!(!report.contains("pa55word"), "{report}");
    insta::assert_snapshot!(report);
}

#[test]
fn what_does_not_fit_together_is_a_fault() {
    let report = faults([
        ("PORT", "9090"),
        ("PEER_PORT", "9090"),
        ("DEMO", "true"),
        ("SOS_MS_URL", "http://sos"),
        ("OUTBOX_BYTES", "1024"),
        ("MAX_ATTACHMENTS", "16"),
        ("MEMORY_BUDGET_BYTES", "2000000"),
    ]);
    insta::assert_snapshot!(report);
}

#[test]
fn a_limit_never_stops_what_another_one_allows() {
    let limits = settings([("EVENTS_PER_SECOND", "300"), ("EVENTS_PER_SECOND_PER_USER", "100")]).limits;
    assert_eq!((limits.events_per_second_per_user, limits.read_bytes_per_second), (300, 300 * 16_384));
    let limits = settings([("READ_BYTES_PER_SECOND", "2000"), ("MAX_PAYLOAD", "1040000")]).limits;
    assert_eq!((limits.events_per_second_per_user, limits.read_bytes_per_second), (200, 1_040_000));
}

#[test]
fn an_empty_value_is_an_unset_one() {
    let all = [("PORT", ""), ("JWT_SECRET", "  "), ("SOS_MS_URL", "")];
    assert_eq!(settings(all).server.port, 3000);
    assert!(!sos(all).identity.is_configured());
    assert!(sos(all).service_url.is_none());
}

#[test]
fn port_wins_over_its_other_name() {
    assert_eq!(settings([("REALTIME_API_PORT", "4000")]).server.port, 4000);
    assert_eq!(settings([("REALTIME_API_PORT", "4000"), ("PORT", "5000")]).server.port, 5000);
    assert!(faults([("REALTIME_API_PORT", "x")]).contains("REALTIME_API_PORT must be an integer"));
}

#[test]
fn a_node_is_named_by_node_id_then_pod_then_host() {
    let all = [("NODE_ID", "n"), ("POD_NAME", "p"), ("HOSTNAME", "h")];
    for (from, expected) in [(0, "n"), (1, "p"), (2, "h"), (3, "node")] {
        let source: Source = all[from..].iter().copied().collect();
        assert_eq!(&*Settings::from_source(&source).unwrap().server.node_id, expected);
    }
}

#[test]
fn the_redis_url_is_built_from_its_parts_unless_given() {
    let parts = [("REDIS_HOST", "db"), ("REDIS_PORT", "7000"), ("REDIS_DB", "2"), ("REDIS_PASSWORD", "a/b@c#d")];
    assert_eq!(settings(parts).redis.url.expose(), "redis://:a%2Fb%40c%23d@db:7000/2");
    assert_eq!(settings([("REDIS_HOST", "::1")]).redis.url.expose(), "redis://[::1]:6379/0");
    let url = "redis-cluster://a:7000,b:7000";
    assert_eq!(settings([("REDIS_URL", url), ("REDIS_HOST", "db")]).redis.url.expose(), url);
    for bad in ["a b", "user@host", "host/1", "host?x", ""] {
        let source: Source = [("REDIS_HOST", bad)].into_iter().collect();
        assert_eq!(Settings::from_source(&source).is_err(), !bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn the_long_names_of_the_sos_keys_stand_for_the_short_ones() {
    let secret = |settings: Sos| settings.identity.secret.map(|secret| secret.expose().to_owned());
    assert_eq!(secret(sos([("SOS_JWT_SECRET", SECRET)])).as_deref(), Some(SECRET));
    assert_eq!(secret(sos([("JWT_SECRET", SECRET), ("SOS_JWT_SECRET", SECRET)])).as_deref(), Some(SECRET));
}

#[test]
fn origins_of_both_lists_are_united() {
    let settings = settings([("CORS_ORIGIN", "https://a.example"), ("CLIENT_ORIGINS", "https://b.example, https://c.example")]);
    assert!(["https://a.example", "https://b.example", "https://c.example"].iter().all(|origin| settings.origins.names(origin)));
    assert!(!settings.origins.names("https://d.example") && !settings.origins.any);
}

#[test]
fn a_url_works_whatever_the_case_of_its_scheme_and_keeps_its_path() {
    let given = [
        ("LIVEKIT_WS_URL", "WSS://News.example/livekit/"),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", SECRET),
        ("SOS_MS_URL", "HTTP://sos:8080/api//"),
        ("INTERNAL_AUTH_TOKEN", SECRET),
        ("SOS_JWKS_URL", "HTTPS://id.example/keys/?all=1"),
        ("REDIS_URL", "REDISS-Cluster://:P@A:1"),
    ];
    let (all, sos) = (settings(given), sos(given));
    let livekit = all.livekit.unwrap();
    assert_eq!((&*livekit.ws_url, &*livekit.api_url), ("wss://news.example/livekit", "https://news.example/livekit"));
    assert_eq!(sos.service_url.as_deref(), Some("http://sos:8080/api"));
    assert_eq!(sos.identity.jwks_url.as_deref(), Some("https://id.example/keys/?all=1"), "it is no base");
    assert_eq!(all.redis.url.expose(), "rediss-cluster://:P@A:1");
    let api = settings([
        ("LIVEKIT_WS_URL", "ws://h"),
        ("LIVEKIT_API_URL", "HTTP://inside:7880/a/b"),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", SECRET),
    ]);
    assert_eq!(&*api.livekit.unwrap().api_url, "http://inside:7880/a/b");
}

#[test]
fn a_url_to_which_no_path_can_be_appended_is_a_fault() {
    let livekit = [("LIVEKIT_API_KEY", "k"), ("LIVEKIT_API_SECRET", SECRET)];
    for (name, url) in [
        ("SOS_MS_URL", "http://sos/?key=1"),
        ("SOS_MS_URL", "http://sos/#x"),
        ("SOS_MS_URL", "ftp://sos"),
        ("LIVEKIT_WS_URL", "ws://h/?x"),
        ("LIVEKIT_WS_URL", "http://h"),
        ("LIVEKIT_WS_URL", "ws://user:pa55word@h"),
        ("LIVEKIT_API_URL", "ws://h"),
        ("SESSIONS_JWKS_URL", "file:///keys"),
        ("DATABASE_URL", "http://h/db"),
    ] {
        let source = livekit.into_iter().chain([("LIVEKIT_WS_URL", "ws://h"), (name, url)]).collect();
        let report = refused(&source);
        assert!(report.contains(&format!("{name} must")) && !report.contains("pa55word"), "{url}: {report}");
    }
}

#[test]
fn no_variable_is_listed_twice() {
    let mut names: Vec<_> = tables().flat_map(|group| group.variables).map(|variable| variable.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
