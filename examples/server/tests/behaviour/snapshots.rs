//! The admin API of the settings: history, differences, publication, canary and rollback.

use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;

use crate::client::{Answer, Client};
use crate::process::Server;

const BEARER: (&str, &str) = ("authorization", "Bearer opensesame");

async fn publish(server: &Server, query: &str, tag: &str, text: &'static str) -> Answer {
    let request = Request::post(format!("http://{}/snapshots{query}", server.admin()))
        .header(BEARER.0, BEARER.1)
        .header("if-match", tag)
        .body(Full::from(Bytes::from_static(text.as_bytes())))
        .unwrap();
    Client::http1(server.admin()).send_raw(request).await
}

async fn with_headers(server: &Server) -> bool {
    let hello = Client::http1(server.address).get("/hello").await;
    hello.headers.contains_key("x-frame-options")
}

#[tokio::test]
async fn settings_are_published_compared_and_rolled_back() {
    let server = Server::start(&["--admin-token", "opensesame"]);
    let admin = Client::http1(server.admin());
    admin.get("/snapshots").await.problem(401);
    let first = admin
        .send(Method::GET, "/snapshots/current", &[BEARER], None)
        .await;
    let (tag, id) = (
        first.header("etag").to_owned(),
        first.json()["id"].as_str().unwrap().to_owned(),
    );
    assert!(with_headers(&server).await);

    let published = publish(&server, "?note=less", &tag, "security-headers = false\n").await;
    assert_eq!(published.status, 201, "{}", published.body);
    assert!(!with_headers(&server).await);
    let stale = publish(&server, "", &tag, "security-headers = true\n").await;
    stale.problem(412);
    let bad = publish(&server, "", "*", "security-headers = maybe\n").await;
    bad.problem(422);
    assert!(!with_headers(&server).await);

    let diff = format!("/snapshots/{id}/diff/current");
    let diff = admin.send(Method::GET, &diff, &[BEARER], None).await;
    assert!(
        diff.body.contains("+security-headers = false"),
        "{}",
        diff.body
    );
    let back = admin
        .send(
            Method::POST,
            "/rollback",
            &[BEARER],
            Some(json!({"to": id})),
        )
        .await;
    assert_eq!(back.json()["id"], id.as_str());
    assert!(with_headers(&server).await);
    let history = admin
        .send(Method::GET, "/snapshots", &[BEARER], None)
        .await
        .json();
    assert_eq!(history["current"], id.as_str());
    assert_eq!(
        history["snapshots"].as_array().unwrap().len(),
        2,
        "{history}"
    );
}

#[tokio::test]
async fn limits_outside_of_the_request_plane_roll_back_as_well() {
    let server = Server::start(&["--admin-token", "opensesame"]);
    let admin = Client::http1(server.admin());
    let first = admin
        .send(Method::GET, "/snapshots/current", &[BEARER], None)
        .await
        .json();
    publish(&server, "", "*", "log = \"debug\"\n").await;
    server.logged("settings in force");
    admin
        .send(
            Method::POST,
            "/rollback",
            &[BEARER],
            Some(json!({"to": first["id"]})),
        )
        .await;
    server.logged("settings in force");
}

#[tokio::test]
async fn a_canary_takes_its_share_and_is_promoted() {
    let server = Server::start(&["--admin-token", "opensesame"]);
    let admin = Client::http1(server.admin());
    let staged = publish(&server, "?stage=true", "*", "security-headers = false\n")
        .await
        .json();
    assert!(with_headers(&server).await, "it is only staged");
    let rule = json!({"snapshot": staged["id"], "header": "x-canary", "value": "yes"});
    let begun = admin
        .send(Method::POST, "/canary", &[BEARER], Some(rule))
        .await;
    assert_eq!(begun.status, 200, "{}", begun.body);
    assert!(with_headers(&server).await);
    let chosen = Client::http1(server.address)
        .send(Method::GET, "/hello", &[("x-canary", "yes")], None)
        .await;
    assert!(
        !chosen.headers.contains_key("x-frame-options"),
        "{:?}",
        chosen.headers
    );
    admin
        .send(Method::POST, "/canary/promote", &[BEARER], None)
        .await;
    assert!(!with_headers(&server).await);
}
