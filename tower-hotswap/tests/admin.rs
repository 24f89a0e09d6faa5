//! The admin router as its clients see it.
#![cfg(all(feature = "axum", not(hotswap_loom)))]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, routing::get};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_hotswap::{
    BoxError, Handle, HotSwap, Recipe, Version,
    admin::{Admin, AdminError},
};

fn build(text: &[u8]) -> Result<Router, BoxError> {
    let text = String::from_utf8(text.to_vec())?;
    match text.as_str() {
        "bad" => Err("line 1: `bad` is not good".into()),
        "panic" => panic!("two routes for /"),
        "hang" => {
            std::thread::sleep(Duration::from_millis(600));
            Ok(Router::new())
        }
        _ => Ok(Router::new().route("/", get(move || async move { text }))),
    }
}

struct World {
    admin: Router,
    app: HotSwap<Router>,
    handle: Handle<Router>,
}

fn world() -> World {
    // A panic that prints its backtrace takes its time.
    world_within(Duration::from_secs(60))
}

fn world_within(limit: Duration) -> World {
    let version = Version::parse("1.0.0", b"one\ntwo\n").unwrap();
    let handle = Handle::builder(build(b"one\ntwo\n").unwrap(), version)
        .content(*b"one\ntwo\n")
        .time_limit(limit)
        .build();
    let admin = Admin::new(handle.clone(), Recipe::new(build));
    World {
        admin: admin.router().unwrap(),
        app: handle.service(),
        handle,
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn tag(&self) -> &str {
        self.headers[header::ETAG].to_str().unwrap()
    }

    /// The detail of a problem, whose form is checked.
    fn problem(&self) -> String {
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["title"], self.status.canonical_reason().unwrap());
        body["detail"].as_str().unwrap().to_owned()
    }
}

async fn send(router: &Router, request: http::request::Builder, body: impl Into<Body>) -> Answer {
    let mut request = request.body(body.into()).unwrap();
    let fields = request.headers_mut();
    fields
        .entry(header::HOST)
        .or_insert("localhost:9000".parse().unwrap());
    if request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .is_none()
    {
        let peer: SocketAddr = "127.0.0.1:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        headers,
        body,
    }
}

impl World {
    async fn get(&self, path: &str) -> Answer {
        send(&self.admin, Request::get(path), Body::empty()).await
    }

    async fn publish(&self, if_match: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/snapshots").header(header::IF_MATCH, if_match);
        send(&self.admin, request, body).await
    }

    async fn json(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        send(&self.admin, request, body.to_string()).await
    }

    async fn served(&self) -> String {
        let response = self
            .app
            .clone()
            .oneshot(Request::new(Body::empty()))
            .await
            .unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test]
async fn publish_look_compare_and_roll_back() {
    let world = world();
    let list = world.get("/snapshots").await;
    assert_eq!(list.status, StatusCode::OK);
    let first = list.json()["current"].as_str().unwrap().to_owned();

    let request =
        Request::post("/snapshots?version=1.2.0&note=more").header(header::IF_MATCH, list.tag());
    let published = send(&world.admin, request, "one\nthree\n").await;
    assert_eq!(published.status, StatusCode::CREATED);
    let location = published.headers[header::LOCATION].to_str().unwrap();
    let shown = world.get(location).await;
    assert_eq!(shown.tag(), published.tag());
    assert_eq!(shown.json(), published.json());
    assert_eq!(shown.json()["number"], "1.2.0");
    assert_eq!(
        (&shown.json()["note"], &shown.json()["origin"]),
        (&json!("more"), &json!("admin"))
    );
    assert_eq!(world.served().await, "one\nthree\n");
    assert_eq!(world.get("/snapshots/current").await.tag(), published.tag());

    let version = shown.json()["version"].as_str().unwrap().to_owned();
    let content = world.get(&format!("/snapshots/{version}/content")).await;
    assert_eq!(content.body, "one\nthree\n");
    let diff = world
        .get(&format!("/snapshots/{first}/diff/{version}"))
        .await;
    assert_eq!(diff.body, " one\n-two\n+three\n");

    let back = world.json("/rollback", json!({ "to": first })).await;
    assert_eq!(back.status, StatusCode::OK);
    assert_eq!(world.served().await, "one\ntwo\n");
    // A second post of the same text takes the next number by itself.
    let next = world.publish("*", "four").await;
    assert_eq!(next.json()["number"], "1.0.1");
}

#[tokio::test]
async fn conditions_follow_rfc_9110() {
    let world = world();
    let list = world.get("/snapshots").await;
    let current = world.get("/snapshots/current").await;
    for (path, tag) in [
        ("/snapshots", list.tag()),
        ("/snapshots/current", current.tag()),
    ] {
        let weak = format!("\"x\", W/{tag}");
        for (value, status) in [(tag, 304), (weak.as_str(), 304), ("*", 304), ("\"x\"", 200)] {
            let request = Request::get(path).header(header::IF_NONE_MATCH, value);
            let answer = send(&world.admin, request, Body::empty()).await;
            assert_eq!(answer.status, status, "{path} {value}");
            assert_eq!(answer.tag(), tag, "{path} {value}");
            assert_eq!(answer.body.is_empty(), status == 304, "{path} {value}");
        }
    }
    let refused = [
        ("stale", "\"r7-000000000000-0000000000000000\"".to_owned()),
        ("weak", format!("W/{}", list.tag())),
        ("not a tag", "r0".to_owned()),
        ("empty", String::new()),
    ];
    for (name, tag) in refused {
        let answer = world.publish(&tag, "two").await;
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{name}");
        assert!(answer.problem().contains(list.tag()), "{name}");
    }
    let none = send(&world.admin, Request::post("/snapshots"), "two").await;
    assert_eq!(none.status, StatusCode::PRECONDITION_REQUIRED);
    none.problem();
    assert_eq!(world.served().await, "one\ntwo\n");

    let several = format!("\"x\", {}", current.tag());
    assert_eq!(
        world.publish(&several, "two").await.status,
        StatusCode::CREATED
    );
    for tag in [list.tag(), current.tag()] {
        let stale = world.publish(tag, "three").await;
        assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    }
    let request = Request::post("/rollback")
        .header(header::IF_MATCH, list.tag())
        .header(header::CONTENT_TYPE, "application/json");
    let stale = send(&world.admin, request, json!({ "to": "x" }).to_string()).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(world.served().await, "two");
}

#[tokio::test]
async fn of_a_hundred_publishers_with_one_tag_one_wins() {
    let world = world();
    let tag = world.get("/snapshots").await.tag().to_owned();
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (admin, tag) = (world.admin.clone(), tag.clone());
            tokio::spawn(async move {
                let request = Request::post("/snapshots").header(header::IF_MATCH, tag);
                send(&admin, request, number.to_string()).await.status
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    let count = |status| statuses.iter().filter(|each| **each == status).count();
    assert_eq!(count(StatusCode::CREATED), 1);
    assert_eq!(count(StatusCode::PRECONDITION_FAILED), 99);
}

#[tokio::test]
async fn what_does_not_build_is_422_and_changes_nothing() {
    let world = world();
    let hasty = world_within(Duration::from_millis(100));
    let cases = [
        ("bad", "line 1: `bad` is not good"),
        ("panic", "two routes for /"),
        ("hang", "limit of 100ms"),
    ];
    for (text, detail) in cases {
        let world = if text == "hang" { &hasty } else { &world };
        let answer = world.publish("*", text).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert!(
            answer.problem().contains(detail),
            "{text}: {}",
            answer.problem()
        );
        assert_eq!(answer.json()["stage"], "building it", "{text}");
        assert_eq!(world.served().await, "one\ntwo\n", "{text}");
    }
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_early() {
    let world = world();
    let announced = world.publish("*", vec![b'x'; 100 << 20]).await;
    assert_eq!(announced.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(announced.problem().contains("1048576 bytes"));

    // In pieces, without a length.
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = taken.clone();
    let pieces = futures_util::stream::iter(0..1600).map(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 64 << 10]))
    });
    let streamed = world.publish("*", Body::from_stream(pieces)).await;
    assert_eq!(streamed.status, StatusCode::PAYLOAD_TOO_LARGE);
    streamed.problem();
    assert!(
        taken.load(std::sync::atomic::Ordering::SeqCst) <= 18,
        "read to the limit only"
    );
    assert_eq!(world.served().await, "one\ntwo\n");
}

#[tokio::test]
async fn canaries_begin_change_and_end() {
    let world = world();
    let request = Request::post("/snapshots?stage=true").header(header::IF_MATCH, "*");
    let staged = send(&world.admin, request, "two").await;
    assert_eq!(staged.status, StatusCode::CREATED);
    let id = staged.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.served().await, "one\ntwo\n");

    let begin = json!({ "snapshot": id, "percent": 5, "header": "x-user" });
    assert_eq!(world.json("/canary", begin).await.status, StatusCode::OK);
    let list = world.get("/snapshots").await.json();
    assert_eq!(
        list["canary"],
        json!({ "id": id, "takes": "5 % of x-user" })
    );
    let conflict = world.publish("*", "three").await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.problem().contains("promote or abort it first"));

    let all = json!({ "snapshot": id, "percent": 100 });
    assert_eq!(world.json("/canary", all).await.status, StatusCode::OK);
    assert_eq!(world.served().await, "two");
    let generations = world.get("/generations").await.json();
    assert_eq!(generations["generations"][1]["role"], "canary");
    assert_eq!(
        world.json("/canary/abort", json!({})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.json("/canary/promote", json!({})).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(world.served().await, "one\ntwo\n");

    let bad = [
        (json!({ "snapshot": id }), 422),
        (json!({ "snapshot": id, "percent": 101 }), 422),
        (
            json!({ "snapshot": id, "percent": 5, "header": "no name" }),
            422,
        ),
        (json!({ "snapshot": id, "percent": 5, "value": "x" }), 422),
        (json!({ "snapshot": "0-0", "percent": 5 }), 404),
        (
            json!({ "snapshot": world.handle.current().id.to_string(), "percent": 5 }),
            409,
        ),
        (json!({ "snapshot": id, "percent": 5, "extra": 1 }), 400),
        (json!([]), 400),
    ];
    for (body, status) in bad {
        let answer = world.json("/canary", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.problem());
    }
}

#[tokio::test]
async fn requests_that_mean_nothing_are_told_so() {
    let world = world();
    let cases = [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/snapshots/0-0", 404),
        (Method::GET, "/snapshots/v1.0.0", 404),
        (Method::GET, "/snapshots/%FF", 400),
        (Method::DELETE, "/snapshots", 405),
        (Method::GET, "/rollback", 405),
        (Method::POST, "/rollback", 415),
        (Method::POST, "/snapshots?version=new", 422),
        (Method::POST, "/snapshots?colour=red", 400),
        (Method::POST, "/snapshots?schema=-1", 400),
    ];
    for (method, path, status) in cases {
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::IF_MATCH, "*");
        let answer = send(&world.admin, request, "{}").await;
        assert_eq!(answer.status, status, "{method} {path}");
        if status != 400 || method == Method::POST {
            answer.problem();
        }
    }
}

#[tokio::test]
async fn only_loopback_and_the_right_token_are_let_in() {
    let world = world();
    let peer = |text: &str| ConnectInfo(text.parse::<SocketAddr>().unwrap());
    let cases = [
        ("127.0.0.1:1", "localhost", 200),
        ("127.8.9.1:1", "127.0.0.1:9000", 200),
        ("[::1]:1", "[::1]:9000", 200),
        ("[::ffff:127.0.0.1]:1", "LOCALHOST:9000", 200),
        ("10.0.0.1:1", "localhost", 403),
        ("[2001:db8::1]:1", "localhost", 403),
        // A page that made its name resolve to this machine.
        ("127.0.0.1:1", "evil.example:9000", 403),
        ("127.0.0.1:1", "localhost.evil.example", 403),
    ];
    for (from, host, status) in cases {
        let request = Request::get("/snapshots")
            .extension(peer(from))
            .header(header::HOST, host);
        let answer = send(&world.admin, request, Body::empty()).await;
        assert_eq!(answer.status, status, "{from} {host}");
    }
    let unknown = Request::get("/snapshots").header(header::HOST, "localhost");
    let response = world
        .admin
        .clone()
        .oneshot(unknown.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::FORBIDDEN,
        "the peer is not known"
    );

    let admin = || Admin::new(world.handle.clone(), Recipe::new(build));
    assert_eq!(
        admin().allow_remote().router().unwrap_err(),
        AdminError::RemoteWithoutToken
    );
    assert_eq!(
        admin().token("secret").router().unwrap_err(),
        AdminError::ShortToken { length: 6 }
    );
    let remote = admin()
        .allow_remote()
        .token("correct horse")
        .router()
        .unwrap();
    let cases = [
        (Some("Bearer correct horse"), 200),
        (Some("bearer correct horse"), 200),
        (Some("Bearer correct hors"), 401),
        (Some("Bearer correct horse "), 401),
        (Some("Bearer "), 401),
        (Some("Basic correct horse"), 401),
        (Some("correct horse"), 401),
        (None, 401),
    ];
    for (authorization, status) in cases {
        let mut request = Request::get("/snapshots").extension(peer("10.0.0.1:1"));
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let answer = send(&remote, request, Body::empty()).await;
        assert_eq!(answer.status, status, "{authorization:?}");
        if status == 401 {
            answer.problem();
            assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }
}

#[tokio::test]
async fn events_are_streamed() {
    let world = world();
    let mut request = Request::get("/events")
        .header(header::HOST, "localhost")
        .body(Body::empty())
        .unwrap();
    let peer: SocketAddr = "127.0.0.1:1".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = world.admin.clone().oneshot(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut events = response.into_body().into_data_stream();
    world.publish("*", "two").await;
    world.publish("*", "bad").await;
    let mut text = String::new();
    while text.matches("\n\n").count() < 3 {
        text.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(names, ["published", "drained", "rejected"]);
    assert!(text.contains("line 1: `bad` is not good"));
}
