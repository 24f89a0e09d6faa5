//! Lists come in pages that link to each other.

use std::collections::HashMap;

use crate::client::{Answer, Client};
use crate::process::Server;

/// The targets of a `Link` header by relation.
fn links(answer: &Answer) -> HashMap<String, String> {
    let links = answer.header("link").split(", ").map(|link| {
        let (target, relation) = link
            .split_once(">; rel=")
            .unwrap_or_else(|| panic!("no link: {link}"));
        (
            relation.trim_matches('"').to_owned(),
            target.trim_start_matches('<').to_owned(),
        )
    });
    links.collect()
}

#[tokio::test]
async fn following_next_visits_every_row_once() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let mut query = "?limit=5".to_owned();
    let mut sizes = Vec::new();
    let mut ids = Vec::new();
    loop {
        let page = client.get(&format!("/api/v1/books{query}")).await;
        let listing = page.json();
        assert_eq!(listing["total"], 12);
        let items = listing["items"].as_array().unwrap().clone();
        sizes.push(items.len());
        ids.extend(items.iter().map(|item| item["id"].as_u64().unwrap()));
        match links(&page).remove("next") {
            Some(next) => query = next,
            None => break,
        }
    }
    assert_eq!(sizes, [5, 5, 2]);
    assert_eq!(ids, (1..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn links_keep_the_filters() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let page = client
        .get("/api/v1/books?genre=classic&title=e&limit=2")
        .await;
    let next = links(&page)
        .remove("next")
        .expect("there are more than two");
    let second = client.get(&format!("/api/v1/books{next}")).await.json();
    let titles: Vec<_> = second["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["title"])
        .collect();
    assert_eq!(titles, ["Pride and Prejudice", "Emma"]);
}

#[tokio::test]
async fn pages_that_make_no_sense_are_refused() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let cases = [
        ("limit=0", "limit=0 is out of range; it goes from 1 to 100"),
        (
            "limit=101",
            "limit=101 is out of range; it goes from 1 to 100",
        ),
        ("limit=ten", "limit=\"ten\" is not a whole number"),
        ("offset=-1", "offset=\"-1\" is not a whole number"),
        (
            "colour=red",
            "\"colour\" is no parameter of this list; there are limit, offset, author_id, genre, title",
        ),
    ];
    for (query, want) in cases {
        let detail = client
            .get(&format!("/api/v1/books?{query}"))
            .await
            .problem(400);
        assert_eq!(detail, want, "?{query}");
    }
    let beyond = client
        .get("/api/v1/books?offset=18446744073709551615")
        .await;
    assert_eq!(
        (
            beyond.status.as_u16(),
            beyond.json()["items"].as_array().map(Vec::len)
        ),
        (200, Some(0))
    );
}
