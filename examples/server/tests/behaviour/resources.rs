//! Create, read, update and delete, for every kind of row.

use http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::process::Server;

/// Collection, a row to create, a patch, and the field the patch changes.
fn kinds() -> [(&'static str, Value, Value, &'static str); 4] {
    [
        (
            "authors",
            json!({"name": "Mary Somerville", "born": 1780}),
            json!({"born": 1781}),
            "born",
        ),
        (
            "books",
            json!({
                "title": "Mechanism of the Heavens", "author_id": 1, "isbn": "9780306406157",
                "published": 1831, "genre": "science", "price_cents": 1999, "stock": 3,
            }),
            json!({"price_cents": 999}),
            "price_cents",
        ),
        (
            "reviews",
            json!({"book_id": 2, "reviewer": "Ada", "rating": 4, "text": "Good."}),
            json!({"rating": 5}),
            "rating",
        ),
        (
            "customers",
            json!({"name": "Sofia", "email": "sofia@example.com"}),
            json!({"name": "S. K."}),
            "name",
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_row_can_be_created_read_changed_and_deleted() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    for (table, fields, patch, changed) in kinds() {
        let created = client
            .post(&format!("/api/v1/{table}"), fields.clone())
            .await;
        assert_eq!(created.status, 201, "{table}: {}", created.body);
        let location = created.header("location").to_owned();
        let row = created.json();
        assert_eq!(location, format!("/api/v1/{table}/{}", row["id"]));
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(row[name], *value, "{table}: {name} as created");
        }

        let read = client.get(&location).await;
        assert_eq!(
            (read.status.as_u16(), read.json()),
            (200, row.clone()),
            "{table}"
        );

        let patched = client
            .send(Method::PATCH, &location, &[], Some(patch.clone()))
            .await;
        assert_eq!(patched.status, 200, "{table}: {}", patched.body);
        assert_eq!(patched.json()[changed], patch[changed], "{table}");
        assert_eq!(patched.json()["revision"], 2, "{table}");

        let replaced = client
            .send(Method::PUT, &location, &[], Some(fields.clone()))
            .await;
        assert_eq!(
            replaced.json()[changed],
            fields[changed],
            "{table}: {}",
            replaced.body
        );

        let removed = client.send(Method::DELETE, &location, &[], None).await;
        assert_eq!(
            (removed.status.as_u16(), removed.body.as_str()),
            (204, ""),
            "{table}"
        );
        client.get(&location).await.problem(404);
        client
            .send(Method::DELETE, &location, &[], None)
            .await
            .problem(404);
    }
}

#[tokio::test]
async fn entity_tags_save_a_transfer_and_guard_a_change() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let path = "/api/v1/authors/1";
    let first = client.get(path).await.header("etag").to_owned();

    let again = client
        .send(Method::GET, path, &[("if-none-match", &first)], None)
        .await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    let weak = client
        .send(
            Method::GET,
            path,
            &[("if-none-match", &format!("\"x\", W/{first}"))],
            None,
        )
        .await;
    assert_eq!(weak.status, 304);

    let change = Some(json!({"born": 1800}));
    let changed = client
        .send(Method::PATCH, path, &[("if-match", &first)], change.clone())
        .await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_ne!(changed.header("etag"), first);

    let late = client
        .send(Method::PATCH, path, &[("if-match", &first)], change.clone())
        .await;
    assert!(
        late.problem(412).contains(changed.header("etag")),
        "the current tag is named"
    );
    for method in [Method::PUT, Method::DELETE] {
        let body = (method == Method::PUT).then(|| json!({"name": "x"}));
        client
            .send(method, path, &[("if-match", &first)], body)
            .await
            .problem(412);
    }
    assert_eq!(
        client
            .send(Method::PATCH, path, &[("if-match", "*")], change)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn rows_that_others_need_stay() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let detail = client
        .send(Method::DELETE, "/api/v1/authors/1", &[], None)
        .await
        .problem(409);
    assert!(detail.contains("2 books"), "{detail}");

    // Deleting a book takes its reviews along, and then the author may go too.
    let before = client.get("/api/v1/reviews?book_id=1").await.json();
    assert_eq!(before["total"], 1);
    for book in [1, 2] {
        let removed = client
            .send(Method::DELETE, &format!("/api/v1/books/{book}"), &[], None)
            .await;
        assert_eq!(removed.status, 204, "{}", removed.body);
    }
    assert_eq!(
        client.get("/api/v1/reviews?book_id=1").await.json()["total"],
        0
    );
    assert_eq!(
        client
            .send(Method::DELETE, "/api/v1/authors/1", &[], None)
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn rows_are_found_under_what_they_belong_to() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let posted = json!({"reviewer": "Ada", "rating": 3, "text": "Long.", "book_id": 99});
    let review = client.post("/api/v1/books/9/reviews", posted).await;
    assert_eq!(
        (review.status.as_u16(), &review.json()["book_id"]),
        (201, &json!(9)),
        "{}",
        review.body
    );

    let cases = [
        (
            "/api/v1/books/9/reviews",
            "reviewer",
            vec!["Elizabeth", "Ada"],
        ),
        (
            "/api/v1/authors/1/books",
            "title",
            vec!["Frankenstein", "The Last Man"],
        ),
        (
            "/api/v1/genres/computing",
            "title",
            vec!["Notes on the Analytical Engine", "The Laws of Thought"],
        ),
        (
            "/api/v1/books/published/1815-1818",
            "title",
            vec!["Frankenstein", "Emma", "Persuasion"],
        ),
    ];
    for (path, field, want) in cases {
        let listing = client.get(path).await.json();
        let found: Vec<_> = listing["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item[field])
            .collect();
        assert_eq!(found, want, "{path}");
    }
    assert_eq!(
        client.get("/api/v1/books/isbn/9780141439587").await.json()["title"],
        "Emma"
    );
    assert_eq!(
        client
            .send(
                Method::PUT,
                "/api/v1/books/10/stock",
                &[],
                Some(json!({"stock": 0}))
            )
            .await
            .status,
        200
    );
    assert_eq!(
        client.get("/api/v1/books/10/stock").await.json(),
        json!({"stock": 0})
    );
    for path in [
        "/api/v1/books/99/reviews",
        "/api/v1/authors/99/books",
        "/api/v1/customers/99/orders",
    ] {
        let detail = client.get(path).await.problem(404);
        assert!(detail.ends_with(" 99"), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_field_that_the_document_has_not_is_refused() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    let document = client.get("/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut bodies = 0;
    for content in
        operations.filter_map(|operation| operation["requestBody"]["content"].as_object())
    {
        for body in content.values() {
            let name = body["schema"]["$ref"].as_str().unwrap();
            let schema = document.pointer(name.strip_prefix('#').unwrap()).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{name}");
            bodies += 1;
        }
    }
    assert!(bodies > 10, "{bodies}");
    let review = json!({"reviewer": "You", "rating": 5, "text": "Fine.", "stars": 5});
    let refused = client.post("/api/v1/books/1/reviews", review).await;
    assert!(refused.problem(422).contains("unknown field `stars`"));
}
