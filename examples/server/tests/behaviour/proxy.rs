//! The reverse proxy and its pooled connections.

use http::Method;

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn requests_reach_the_upstream_over_few_connections() {
    let upstream = Server::start(&[]);
    let proxy = Server::start(&["--proxy-upstream", &upstream.address.to_string()]);
    let client = Client::http1(proxy.address);
    let made = client
        .post(
            "/proxy/api/v1/authors",
            serde_json::json!({"name": "Sophie Germain"}),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.header("via"), "1.1 tower-example");
    for _ in 0..10 {
        let list = client
            .get("/proxy/api/v1/authors?name=germain&limit=1")
            .await;
        assert_eq!(list.json()["total"], 1);
    }
    let direct = Client::http1(upstream.address)
        .get("/api/v1/authors?name=germain")
        .await;
    assert_eq!(direct.json()["total"], 1);
    let metrics = Client::http1(upstream.admin()).get("/metrics").await.body;
    // One from the proxy, one from the line above.
    assert!(
        metrics.contains("server_connections_accepted_total{port=\"http\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_cannot_be_forwarded_is_a_problem() {
    let off = Server::start(&["--proxy-upstream", "off"]);
    Client::http1(off.address)
        .get("/proxy/x")
        .await
        .problem(404);
    // Port 9 is discard, which nobody runs.
    let dead = Server::start(&["--proxy-upstream", "127.0.0.1:9"]);
    Client::http1(dead.address)
        .get("/proxy/x")
        .await
        .problem(502);
    let itself = Server::start(&[]);
    let client = Client::http1(itself.address);
    assert_eq!(client.get("/proxy/healthz").await.status, 200);
    client.get("/proxy/proxy/healthz").await.problem(508);
    let named = [("connection", "x-secret"), ("x-secret", "1")];
    let answer = client.send(Method::GET, "/proxy/hello", &named, None).await;
    assert_eq!(answer.body, "Hello, World!");
}
