//! Search, statistics, exports and covers.

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn search_finds_authors_books_and_reviews() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let cases = [
        ("shelley", vec!["/api/v1/authors/1"]),
        ("BASKERVILLE", vec!["/api/v1/books/6"]),
        ("engine", vec!["/api/v1/books/3", "/api/v1/reviews/2"]),
        ("wet%20night", vec!["/api/v1/reviews/1"]),
        ("zzz", vec![]),
    ];
    for (words, want) in cases {
        let listing = client
            .get(&format!("/api/v1/search?q={words}"))
            .await
            .json();
        let found: Vec<_> = listing["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| &hit["href"])
            .collect();
        assert_eq!(found, want, "{words}");
        for href in want {
            assert_eq!(client.get(href).await.status, 200, "{href}");
        }
    }
    // What else a client says is carried on in the links, whatever it is called.
    let odd = client.get("/api/v1/search?q=zzz&%1F%3E=%0D%0A").await;
    assert_eq!(odd.status, 200, "{}", odd.body);
    assert!(odd.header("link").contains("&%1F%3E=%0D%0A&"), "{odd:?}");
    for query in ["", "?q=", "?q=%20"] {
        client
            .get(&format!("/api/v1/search{query}"))
            .await
            .problem(400);
    }
}

#[tokio::test]
async fn exports_are_csv_by_the_name_before_the_dot() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let csv = client.get("/api/v1/export/authors.csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        csv.body
            .starts_with("id,name,born\r\n1,Mary Shelley,1797\r\n"),
        "{}",
        csv.body
    );
    assert_eq!(
        client
            .get("/api/v1/export/books.csv")
            .await
            .body
            .lines()
            .count(),
        13
    );
    assert!(
        client
            .get("/api/v1/export/secrets.csv")
            .await
            .problem(404)
            .contains("secrets")
    );
    client.get("/api/v1/export/authors.xml").await.problem(404);
}

#[tokio::test]
async fn covers_are_drawn_in_the_size_of_the_path() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let cover = client.get("/api/v1/covers/1-240.svg").await;
    assert_eq!(cover.header("content-type"), "image/svg+xml");
    assert!(
        cover.body.contains("width=\"240\" height=\"360\""),
        "{}",
        cover.body
    );
    assert!(cover.body.contains("Frankenstein"), "{}", cover.body);
    for path in [
        "1-39.svg",
        "1-99999.svg",
        "99-240.svg",
        "1-240.png",
        "one-240.svg",
    ] {
        client
            .get(&format!("/api/v1/covers/{path}"))
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn statistics_count_what_is_there() {
    let full = Server::start(&[]);
    let stats = Client::http1(full.address)
        .get("/api/v1/stats")
        .await
        .json();
    assert_eq!(
        (&stats["books"], &stats["copies_in_stock"]),
        (&12.into(), &93.into())
    );
    let empty = Server::start(&["--demo-data", "off"]);
    let stats = Client::http1(empty.address)
        .get("/api/v1/stats")
        .await
        .json();
    assert_eq!((&stats["books"], &stats["authors"]), (&0.into(), &0.into()));
}
