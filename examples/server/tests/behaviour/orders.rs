//! An order's way from the shelf to the post.

use http::Method;
use serde_json::json;

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn an_order_takes_copies_and_a_cancellation_returns_them() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let basket = json!({"customer_id": 1, "lines": [{"book_id": 1, "quantity": 2}, {"book_id": 9, "quantity": 1}]});
    let placed = client.post("/api/v1/orders", basket).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    assert_eq!(placed.json()["total_cents"], 2 * 899 + 699);
    assert_eq!(
        client.get("/api/v1/books/1/stock").await.json()["stock"],
        10
    );

    let order = placed.header("location").to_owned();
    let invoice = client.get(&format!("{order}/invoice.txt")).await.body;
    assert!(
        invoice.contains("2 x Frankenstein") && invoice.contains("24.97 EUR"),
        "{invoice}"
    );
    assert_eq!(
        client
            .get("/api/v1/customers/1/orders?status=placed")
            .await
            .json()["total"],
        1
    );
    assert_eq!(
        client.get("/api/v1/orders?status=paid").await.json()["total"],
        0
    );

    let kept = client
        .send(Method::DELETE, "/api/v1/books/1", &[], None)
        .await;
    assert!(kept.problem(409).contains("order 2"));

    assert_eq!(
        client.post(&format!("{order}/pay"), json!({})).await.json()["status"],
        "paid"
    );
    assert_eq!(
        client
            .post(&format!("{order}/cancel"), json!({}))
            .await
            .json()["status"],
        "cancelled"
    );
    assert_eq!(
        client.get("/api/v1/books/1/stock").await.json()["stock"],
        12
    );
    assert_eq!(
        client.send(Method::DELETE, &order, &[], None).await.status,
        204
    );
}

#[tokio::test]
async fn an_order_moves_only_forwards() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let basket = json!({"customer_id": 1, "lines": [{"book_id": 1, "quantity": 1}]});
    client.post("/api/v1/orders", basket).await;
    let steps = [
        ("ship", 409),
        ("pay", 200),
        ("pay", 409),
        ("ship", 200),
        ("cancel", 409),
        ("pay", 409),
    ];
    for (step, want) in steps {
        let answer = client
            .post(&format!("/api/v1/orders/2/{step}"), json!({}))
            .await;
        assert_eq!(answer.status, want, "{step}: {}", answer.body);
    }
    let kept = client
        .send(Method::DELETE, "/api/v1/orders/2", &[], None)
        .await;
    assert_eq!(kept.problem(409), "order 2 is shipped; cancel it first");
}

#[tokio::test]
async fn baskets_that_cannot_be_filled_change_nothing() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let line = |book: u64, quantity: u32| json!({"book_id": book, "quantity": quantity});
    let cases = [
        (json!([line(1, 1), line(11, 1)]), 409, vec![]),
        (json!([line(1, 13)]), 409, vec![]),
        (
            json!([line(1, 1), line(99, 1)]),
            422,
            vec!["#/lines/1/book_id"],
        ),
        (json!([line(1, 0)]), 422, vec!["#/lines/0/quantity"]),
        (
            json!([line(1, 1), line(1, 1)]),
            422,
            vec!["#/lines/1/book_id"],
        ),
        (json!([]), 422, vec!["#/lines"]),
    ];
    for (lines, status, pointers) in cases {
        let answer = client
            .post("/api/v1/orders", json!({"customer_id": 1, "lines": lines}))
            .await;
        answer.problem(status);
        let problem = answer.json();
        let found = problem["errors"].as_array().cloned().unwrap_or_default();
        let found: Vec<_> = found
            .iter()
            .map(|fault| fault["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(found, pointers, "{lines}");
    }
    assert_eq!(
        client.get("/api/v1/books/1/stock").await.json()["stock"],
        12
    );
    assert_eq!(client.get("/api/v1/orders").await.json()["total"], 1);
}
