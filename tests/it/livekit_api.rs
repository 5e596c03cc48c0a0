//! Our client of LiveKit against a real server, and against one whose calls are lost.

use std::time::Duration;

use convoke::livekit::{LiveKit, LiveKitError};
use convoke::settings::{self, Secret};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::DEADLINE;
use crate::support::livekit::{self, Server};
use crate::support::livekit_proxy::{Fault, LiveKitProxy};
use crate::support::stub_http::{Answer, StubHttp};

const HOUR: Duration = Duration::from_secs(3600);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn new_room() -> String {
    format!("api-{}", Uuid::new_v4())
}

/// Settings for a server that is none of ours.
fn of_nobody() -> settings::LiveKit {
    settings::LiveKit {
        ws_url: "ws://h".into(),
        api_url: "http://127.0.0.1:9".into(),
        key: livekit::KEY.into(),
        secret: Secret::new(livekit::SECRET),
        token_ttl: HOUR,
        deadline: Duration::from_secs(15),
    }
}

/// A client behind a proxy that passes everything, with a deadline short enough to wait for.
async fn behind_a_proxy(server: &Server) -> (LiveKit, LiveKitProxy) {
    let proxy = LiveKitProxy::start(server.api_url()).await;
    let settings = settings::LiveKit { deadline: Duration::from_millis(2_500), ..server.settings_at(&proxy.url()) };
    (LiveKit::new(&settings).unwrap(), proxy)
}

#[tokio::test]
async fn a_room_is_made_listed_and_deleted_and_outlives_its_emptiness() {
    for server in livekit::each() {
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), new_room());
        livekit.create_room(&room, Duration::from_millis(1_800_001), soon()).await.unwrap();
        // Our client leaves the time-outs out.
        let made = server.ask("RoomService/ListRooms", &room, &json!({"names": [room]})).await["rooms"][0].take();
        assert_eq!((&made["empty_timeout"], &made["departure_timeout"]), (&json!(1801), &json!(1801)), "rounded up");

        let listed = livekit.list_rooms(soon()).await.unwrap().into_iter().find(|listed| listed.name == room).unwrap();
        assert_eq!((json!(listed.sid), listed.participants), (made["sid"].clone(), 0));
        assert_eq!(json!(listed.created_ms.unwrap().to_string()), made["creation_time_ms"]);
        assert!(livekit.delete_room(&room, soon()).await.unwrap());
        assert!(!livekit.delete_room(&room, soon()).await.unwrap(), "there is none any more");
        assert!(livekit.list_rooms(soon()).await.unwrap().iter().all(|listed| listed.name != room));
    }
}

/// LiveKit Cloud does a call once that comes twice with one id. The open server does not look at it: so the hub asks before it sends for
/// an agent again.
#[tokio::test]
async fn the_open_server_takes_a_call_with_the_same_id_for_a_second_one() {
    for server in livekit::each() {
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), new_room());
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        let (id, question) = ([("x-livekit-request-id", "6d1f0f6e")], json!({"agent_name": "an-agent", "room": room}));
        for _ in 0..2 {
            server.ask_with("AgentDispatchService/CreateDispatch", &room, &question, &id).await;
        }
        assert_eq!(livekit.dispatched(&room, soon()).await.unwrap(), ["an-agent", "an-agent"]);
        livekit.delete_room(&room, soon()).await.unwrap();
    }
}

#[tokio::test]
async fn all_tries_of_a_call_carry_one_id_and_another_call_another() {
    let server = StubHttp::start(Answer::json(503, &json!({"code": "unavailable", "msg": "not now"}))).await;
    let settings = settings::LiveKit { api_url: server.url().into(), ..of_nobody() };
    let livekit = LiveKit::new(&settings).unwrap();
    for _ in 0..2 {
        livekit.list_rooms(soon()).await.unwrap_err();
    }
    let ids: Vec<_> = server.asked().iter().map(|asked| asked.headers["x-livekit-request-id"].clone()).collect();
    assert!(ids[0] == ids[1] && ids[0] == ids[2], "{ids:?}");
    assert!(ids[3] == ids[4] && ids[3] == ids[5] && ids[0] != ids[3], "{ids:?}");
}

#[tokio::test]
async fn the_path_of_the_address_is_kept() {
    let server = StubHttp::start(Answer::json(404, &json!({"code": "not_found", "msg": "no room"}))).await;
    let url = |path: &str| settings::LiveKit { api_url: format!("{}{path}", server.url()).into(), ..of_nobody() };
    let refused = LiveKit::new(&url("/behind/a/proxy")).unwrap().ping().await;
    assert_eq!(refused, Err(LiveKitError::Refused { code: "not_found".into(), message: "no room".into() }));
    assert!(!LiveKit::new(&url("")).unwrap().delete_room("r", soon()).await.unwrap());
    let paths: Vec<_> = server.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/behind/a/proxy/twirp/livekit.RoomService/ListRooms", "/twirp/livekit.RoomService/DeleteRoom"]);
}

#[tokio::test]
async fn an_agent_whose_call_was_lost_after_it_was_heard_is_not_called_twice() {
    for server in livekit::each() {
        let ((livekit, proxy), room) = (behind_a_proxy(server).await, new_room());
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        proxy.set_next("CreateDispatch", 1, Fault::LoseAnswer);
        livekit.dispatch_agent(&room, "ai-interviewer", "{}", soon()).await.unwrap();
        assert_eq!(proxy.calls("CreateDispatch"), 1);
        assert_eq!(livekit.dispatched(&room, soon()).await.unwrap(), ["ai-interviewer"]);

        // A hang is no other case than a cut: the client must ask first.
        let other = new_room();
        livekit.create_room(&other, HOUR, soon()).await.unwrap();
        proxy.set_next("CreateDispatch", 1, Fault::Slow(Duration::from_secs(60)));
        livekit.dispatch_agent(&other, "ai-interviewer", "{}", soon()).await.unwrap();
        assert_eq!(proxy.calls("CreateDispatch"), 2);
        assert_eq!(livekit.dispatched(&other, soon()).await.unwrap(), ["ai-interviewer"]);
        for room in [room, other] {
            livekit.delete_room(&room, soon()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_agent_whose_call_was_never_heard_is_called_again() {
    for server in livekit::each() {
        let ((livekit, proxy), room) = (behind_a_proxy(server).await, new_room());
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        for fault in [Fault::Cut, Fault::Hang, Fault::Refuse(503, "unavailable")] {
            proxy.set_next("CreateDispatch", 1, fault.clone());
            let (before, asked) = (proxy.calls("CreateDispatch"), proxy.calls("ListDispatch"));
            let agent = format!("agent-{before}");
            livekit.dispatch_agent(&room, &agent, "{}", soon()).await.unwrap();
            assert_eq!(proxy.calls("CreateDispatch"), before + 2, "{fault:?}");
            assert_eq!(proxy.calls("ListDispatch"), asked + 1, "{fault:?}");
        }
        let mut dispatched = livekit.dispatched(&room, soon()).await.unwrap();
        dispatched.sort();
        assert_eq!(dispatched, ["agent-0", "agent-2", "agent-4"]);
        // While nobody can say whether it was heard, it is not repeated at all.
        proxy.set("CreateDispatch", Fault::LoseAnswer);
        proxy.set("ListDispatch", Fault::Cut);
        let before = proxy.calls("CreateDispatch");
        let error = livekit.dispatch_agent(&room, "late", "{}", soon()).await.unwrap_err();
        assert!(matches!(error, LiveKitError::Unavailable(_)), "{error:?}");
        assert_eq!(proxy.calls("CreateDispatch"), before + 1);
        proxy.heal();
        livekit.delete_room(&room, soon()).await.unwrap();
    }
}

#[tokio::test]
async fn a_refusal_is_not_repeated_and_says_why() {
    let Some(server) = livekit::shared() else { return };
    let (livekit, proxy) = behind_a_proxy(server).await;
    for method in ["CreateRoom", "DeleteRoom", "ListRooms", "CreateDispatch"] {
        proxy.set(method, Fault::Refuse(403, "permission_denied"));
    }
    let refused = LiveKitError::Refused { code: "permission_denied".into(), message: "as the test says".into() };
    assert_eq!(livekit.create_room("r", HOUR, soon()).await.unwrap_err(), refused);
    assert_eq!(livekit.delete_room("r", soon()).await.unwrap_err(), refused);
    assert_eq!(livekit.list_rooms(soon()).await.unwrap_err(), refused);
    assert_eq!(livekit.dispatch_agent("r", "a", "", soon()).await.unwrap_err(), refused);
    for method in ["CreateRoom", "DeleteRoom", "ListRooms", "CreateDispatch"] {
        assert_eq!(proxy.calls(method), 1, "{method}");
    }
}

#[tokio::test]
async fn calls_that_may_happen_twice_are_repeated_within_their_bounds() {
    for server in livekit::each() {
        let ((livekit, proxy), room) = (behind_a_proxy(server).await, new_room());
        proxy.set_next("CreateRoom", 2, Fault::LoseAnswer);
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        assert_eq!(proxy.calls("CreateRoom"), 3);
        proxy.set_next("DeleteRoom", 1, Fault::LoseAnswer);
        assert!(!livekit.delete_room(&room, soon()).await.unwrap(), "the first try has deleted it");
        assert_eq!(proxy.calls("DeleteRoom"), 2);

        proxy.set("ListRooms", Fault::Cut);
        let error = livekit.list_rooms(soon()).await.unwrap_err();
        assert!(matches!(error, LiveKitError::Unavailable(_)), "{error:?}");
        assert_eq!(proxy.calls("ListRooms"), 3, "not for ever");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_no_more_than_the_deadline() {
    let Some(server) = livekit::shared() else { return };
    let (livekit, proxy) = behind_a_proxy(server).await;
    for method in ["CreateRoom", "CreateDispatch", "ListDispatch"] {
        proxy.set(method, Fault::Hang);
    }
    let deadline = || Instant::now() + Duration::from_secs(1);
    let all = async {
        livekit.create_room("r", HOUR, deadline()).await.unwrap_err();
        livekit.dispatch_agent("r", "a", "", deadline()).await.unwrap_err()
    };
    let error = tokio::time::timeout(DEADLINE, all).await.expect("it ends");
    assert_eq!(error, LiveKitError::Unavailable("it did not answer in time".into()));
    assert_eq!(proxy.calls("CreateDispatch"), 1);
}

#[tokio::test]
async fn a_wrong_secret_and_a_server_that_is_away_are_told_apart_and_shown_without_the_secret() {
    for server in livekit::each() {
        let livekit = LiveKit::new(&server.settings()).unwrap();
        livekit.ping().await.unwrap();

        let wrong = "another secret, and just as long as the right one is";
        let livekit = LiveKit::new(&settings::LiveKit { secret: Secret::new(wrong), ..server.settings() }).unwrap();
        let error = livekit.ping().await.unwrap_err();
        assert!(error.to_string().contains("LIVEKIT_API_SECRET"), "{error}");
        for text in [format!("{livekit:?}"), format!("{error:?}"), error.to_string()] {
            assert!(!text.contains(wrong) && !text.contains("eyJ"), "{text}");
        }

        let away = settings::LiveKit { api_url: "http://127.0.0.1:9".into(), ..server.settings() };
        let error = LiveKit::new(&away).unwrap().ping().await.unwrap_err().to_string();
        assert!(error.contains("Connection refused") && !error.contains("eyJ"), "{error}");
    }
}
