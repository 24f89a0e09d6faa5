//! Every refusal is an RFC 9457 problem that says what was wrong.

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn paths_and_methods_that_are_not_served() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    for path in [
        "/nothing",
        "/api/v1/nothing",
        "/api/v1/books/one",
        "/api/v1/books/-1",
        "/api/v1/books/1/",
    ] {
        let detail = client.get(path).await.problem(404);
        assert!(detail.contains("/_routes"), "{path}: {detail}");
    }
    let refused = client
        .send(Method::DELETE, "/api/v1/books", &[], None)
        .await;
    let detail = refused.problem(405);
    for method in ["GET", "HEAD", "POST"] {
        assert!(
            refused.header("allow").contains(method),
            "{:?}",
            refused.headers
        );
        assert!(detail.contains(method), "{detail}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let cases = [
        ("application/json", "{\"name\"", 400, "Failed to parse"),
        (
            "application/json",
            "{\"name\": 7}",
            422,
            "name: invalid type: integer `7`",
        ),
        (
            "application/json",
            "{\"name\": \"x\", \"age\": 7}",
            422,
            "unknown field `age`",
        ),
        (
            "text/plain",
            "{\"name\": \"x\"}",
            415,
            "Content-Type: application/json",
        ),
    ];
    for (content_type, body, status, want) in cases {
        let request = Request::post(format!("http://{}/api/v1/authors", server.address))
            .header(CONTENT_TYPE, content_type)
            .body(Full::from(body))
            .expect("the request is valid");
        let detail = client.send_raw(request).await.problem(status);
        assert!(detail.contains(want), "{body}: {detail}");
    }
}

#[tokio::test]
async fn fields_that_cannot_be_accepted_are_all_named() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let book = json!({
        "title": " ", "author_id": 99, "isbn": "123", "published": 1831, "genre": "science", "price_cents": 1,
    });
    let answer = client.post("/api/v1/books", book).await;
    assert_eq!(answer.problem(422), "3 fields cannot be accepted");
    let problem = answer.json();
    let pointers: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| &fault["pointer"])
        .collect();
    assert_eq!(pointers, ["#/title", "#/author_id", "#/isbn"]);

    let twin = json!({"name": "Grace", "email": "grace@example.com"});
    let taken = client.post("/api/v1/customers", twin).await;
    taken.problem(422);
    assert_eq!(
        taken.json()["errors"][0]["detail"],
        "is customer 1's already"
    );
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let server = Server::start(&["--access-log", "json"]);
    let client = Client::http1(server.address);
    let made = client
        .get("/nothing")
        .await
        .header("x-request-id")
        .to_owned();
    assert_eq!(made.len(), 32, "{made}");
    let kept = client
        .send(Method::GET, "/healthz", &[("x-request-id", "mine-7")], None)
        .await;
    assert_eq!(kept.header("x-request-id"), "mine-7");
    for odd in ["", "a b", "<script>", &"x".repeat(65)] {
        let ours = client
            .send(Method::GET, "/healthz", &[("x-request-id", odd)], None)
            .await;
        assert_eq!(ours.header("x-request-id").len(), 32, "{odd:?} is kept");
    }

    let line: serde_json::Value =
        serde_json::from_str(&server.logged("mine-7")).expect("a log line is JSON");
    assert_eq!(line["path"], "/healthz", "{line}");
    assert_eq!(line["status"], 200, "{line}");
    assert_eq!(line["peer"], "127.0.0.1", "{line}");
}
