//! What has been acknowledged is there again, however the process ended.

use http::Method;
use serde_json::json;

use crate::client::Client;
use crate::process::{Server, output, program};

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["--data", data];
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut server = Server::start(&arguments);
        let client = Client::http1(server.address);
        // Several at once, so that batches have more than one write.
        let writes = (0..20).map(|number| {
            let author = json!({"name": format!("author {round}-{number}")});
            let client = &client;
            async move {
                let made = client.post("/api/v1/authors", author).await;
                assert_eq!(made.status, 201, "{}", made.body);
                made.json()
            }
        });
        acknowledged.extend(futures_util::future::join_all(writes).await);
        server.kill();
        drop(server);
        let server = Server::start(&arguments);
        let client = Client::http1(server.address);
        for author in &acknowledged {
            let id = author["id"].as_u64().unwrap();
            let there = client.get(&format!("/api/v1/authors/{id}")).await;
            assert_eq!(there.json(), *author, "after round {round}");
        }
    }
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let last = acknowledged.last().unwrap()["id"].as_u64().unwrap();
    let removed = client
        .send(
            Method::DELETE,
            &format!("/api/v1/authors/{last}"),
            &[],
            None,
        )
        .await;
    assert_eq!(removed.status, 204);
    drop(server);
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    client
        .get(&format!("/api/v1/authors/{last}"))
        .await
        .problem(404);
    let made = client
        .post("/api/v1/authors", json!({"name": "Next"}))
        .await
        .json();
    assert!(
        made["id"].as_u64().unwrap() > last,
        "ids are not used again: {made}"
    );
    // The demo data was put in once.
    let books = client.get("/api/v1/books").await.json();
    assert_eq!(books["total"], 12);
}

#[tokio::test]
async fn orders_and_the_shelf_agree_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--data", folder.path().to_str().unwrap()];
    let mut server = Server::start(&arguments);
    let client = Client::http1(server.address);
    let order = json!({"customer_id": 1, "lines": [{"book_id": 1, "quantity": 5}]});
    let placed = client.post("/api/v1/orders", order).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    server.kill();
    drop(server);
    let server = Server::start(&arguments);
    let client = Client::http1(server.address);
    assert_eq!(client.get("/api/v1/books/1/stock").await.json()["stock"], 7);
    let orders = client.get("/api/v1/customers/1/orders").await.json();
    assert_eq!(orders["items"][0]["status"], "placed", "{orders}");
}

#[tokio::test]
async fn one_folder_is_for_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let first = Server::start(&["--data", data]);
    let second = output(&mut program(&["--data", data]));
    let text = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{text}");
    assert!(text.contains("is in use by another process"), "{text}");
    assert_eq!(
        Client::http1(first.address).get("/healthz").await.status,
        200
    );
}
