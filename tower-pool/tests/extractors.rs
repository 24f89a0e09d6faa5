//! What clients are told by the extractors and responses for axum.
#![cfg(all(feature = "axum", not(pool_loom)))]

use axum::{Router, body::Body, extract::State, routing::post};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize, Serializer, ser::Error};
use tower::ServiceExt;
use tower_pool::{BodyPool, LeakTracking, Pool, PooledBytes, PooledForm, PooledJson};

const KIB: usize = 1 << 10;

#[derive(Deserialize)]
struct Order {
    count: u32,
}

/// Cannot be serialised.
struct Unspeakable;

impl Serialize for Unspeakable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("as asked"))
    }
}

fn app(pool: &Pool) -> Router {
    let text = async |State(bodies): State<BodyPool>, body: PooledBytes| {
        let length = body.0.len();
        PooledJson("x".repeat(length)).response(bodies.pool())
    };
    let form = async |PooledForm(order): PooledForm<Order>| order.count.to_string();
    Router::new()
        .route(
            "/json",
            post(async |PooledJson(order): PooledJson<Order>| order.count.to_string()),
        )
        .route("/form", post(form).get(form))
        .route("/text", post(text))
        .route(
            "/unspeakable",
            post(async |State(bodies): State<BodyPool>| {
                PooledJson(Unspeakable).response(bodies.pool())
            }),
        )
        .with_state(BodyPool::new(pool.clone()).limit(100 * KIB))
}

async fn ask(app: &Router, request: Request<Body>) -> (Response<()>, Vec<u8>) {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), body.into())
}

#[tokio::test]
async fn each_request_has_its_status() {
    let pool = Pool::new();
    let app = app(&pool);
    let json = Some("application/json");
    let form = Some("application/x-www-form-urlencoded");
    let cases = [
        ("POST", "/json", json, r#"{"count":7}"#, 200, "7"),
        (
            "POST",
            "/json",
            Some("Application/Vnd.Api+JSON; charset=utf-8"),
            r#"{"count":7}"#,
            200,
            "7",
        ),
        (
            "POST",
            "/json",
            Some("text/json"),
            "{}",
            415,
            "expected a request with content type application/json",
        ),
        (
            "POST",
            "/json",
            None,
            "{}",
            415,
            "expected a request with content type application/json",
        ),
        (
            "POST",
            "/json",
            json,
            "{",
            400,
            "the request is not well-formed: EOF while parsing an object at line 1 column 1",
        ),
        (
            "POST",
            "/json",
            json,
            r#"{"count":7} 8"#,
            400,
            "the request is not well-formed: trailing characters at line 1 column 13",
        ),
        (
            "POST",
            "/json",
            json,
            r#"{"count":-7}"#,
            422,
            "the request is not of the expected form: invalid value: integer `-7`, expected u32 at line 1 column 11",
        ),
        ("POST", "/form", form, "count=7", 200, "7"),
        ("GET", "/form?count=7", None, "", 200, "7"),
        (
            "POST",
            "/form",
            json,
            "count=7",
            415,
            "expected a request with content type application/x-www-form-urlencoded",
        ),
        (
            "POST",
            "/form",
            form,
            "count=x",
            422,
            "the request is not of the expected form: invalid digit found in string",
        ),
        (
            "GET",
            "/form?count=x",
            None,
            "",
            400,
            "the request is not well-formed: invalid digit found in string",
        ),
        ("POST", "/text", None, "ab", 200, "\"xx\""),
        (
            "POST",
            "/unspeakable",
            None,
            "",
            500,
            "the response could not be serialised",
        ),
    ];
    for (method, path, kind, body, status, wanted) in cases {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let (response, text) = ask(&app, request.body(Body::from(body)).unwrap()).await;
        let case = format!("{method} {path} {kind:?} {body}");
        assert_eq!(response.status().as_u16(), status, "{case}");
        assert_eq!(String::from_utf8_lossy(&text), wanted, "{case}");
    }
    let (response, _) = ask(
        &app,
        Request::post("/text")
            .body(Body::from(vec![b'x'; 100 * KIB + 1]))
            .unwrap(),
    )
    .await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(pool.stats().in_use, 0);
}

#[tokio::test]
async fn a_response_that_finds_no_memory_says_when_to_come_back() {
    let pool = Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .limit(20 * KIB)
        .leak_tracking(LeakTracking::On)
        .build()
        .unwrap();
    let app = app(&pool);
    let text = |length: usize| {
        Request::post("/text")
            .body(Body::from("x".repeat(length)))
            .unwrap()
    };
    let held = [16 * KIB, 4 * KIB].map(|size| pool.try_acquire(size).unwrap());
    let (response, _) = ask(&app, text(1)).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    drop(held);
    let (response, body) = ask(&app, text(10 * KIB)).await;
    assert_eq!(
        (response.status().as_u16(), body.len()),
        (200, 10 * KIB + 2)
    );
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(pool.leaks().len(), 0);
}

#[tokio::test]
async fn a_response_larger_than_a_block_is_whole() {
    let pool = Pool::builder()
        .classes([4 * KIB, 16 * KIB])
        .build()
        .unwrap();
    let app = app(&pool);
    for length in [0, 4 * KIB - 2, 4 * KIB, 16 * KIB, 90 * KIB] {
        let request = Request::post("/text")
            .body(Body::from("x".repeat(length)))
            .unwrap();
        let (_, body) = ask(&app, request).await;
        assert!(
            body == format!("\"{}\"", "x".repeat(length)).into_bytes(),
            "{length}"
        );
    }
    assert_eq!(pool.stats().in_use, 0);
}
