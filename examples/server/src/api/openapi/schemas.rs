//! The schemas of bodies, in the dialect of JSON Schema that OpenAPI 3.1 has.

use serde_json::{Map, Value, json};

/// A reference to a schema by its name.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A page of a list.
pub(super) fn page(name: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items", "total", "limit", "offset"],
        "properties": {
            "items": {"type": "array", "items": reference(name)},
            "total": count(),
            "limit": count(),
            "offset": count(),
        },
    })
}

pub(super) fn all() -> Value {
    let mut schemas = Map::new();
    let mut add = |name: &str, schema: Value| schemas.insert(name.to_owned(), schema);
    for (name, fields, required) in kinds() {
        add(&format!("{name}Fields"), object(&fields, &required));
        add(&format!("{name}Patch"), object(&fields, &[]));
        add(name, row(fields, &required));
    }
    let review = json!({
        "reviewer": text(100),
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "text": text(2_000),
        "book_id": {"description": "Not looked at: the book is the path's."},
    });
    add(
        "ReviewOfBook",
        object(&review, &["reviewer", "rating", "text"]),
    );
    add(
        "Order",
        row(order(), &["customer_id", "status", "lines", "total_cents"]),
    );
    add("Basket", basket());
    add(
        "Stock",
        object(&json!({"stock": bounded(u32::MAX.into())}), &["stock"]),
    );
    add(
        "Index",
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
    );
    add("Anything", json!({"type": "object"}));
    add(
        "GenreCount",
        object(
            &json!({"genre": genre(), "books": count()}),
            &["genre", "books"],
        ),
    );
    add(
        "Hit",
        object(
            &json!({
                "kind": {"enum": ["author", "book", "review"]},
                "text": {"type": "string"},
                "href": {"type": "string"},
            }),
            &["kind", "text", "href"],
        ),
    );
    let counts = [
        "authors",
        "books",
        "copies_in_stock",
        "customers",
        "orders",
        "ordered_cents",
        "reviews",
    ];
    let properties: Value = counts
        .iter()
        .map(|name| ((*name).to_owned(), count()))
        .collect::<Map<_, _>>()
        .into();
    add("Statistics", object(&properties, &counts));
    add("Problem", problem());
    Value::Object(schemas)
}

/// The kinds of rows that clients write: fields, and those that must be there.
fn kinds() -> [(&'static str, Value, Vec<&'static str>); 4] {
    let year = || json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX});
    [
        (
            "Author",
            json!({"name": text(100), "born": {"anyOf": [year(), {"type": "null"}]}}),
            vec!["name"],
        ),
        (
            "Book",
            json!({
                "title": text(200),
                "author_id": count(),
                "isbn": {"type": "string", "pattern": "^[0-9]{13}$"},
                "published": year(),
                "genre": genre(),
                "price_cents": bounded(u32::MAX.into()),
                "stock": bounded(u32::MAX.into()),
            }),
            vec![
                "title",
                "author_id",
                "isbn",
                "published",
                "genre",
                "price_cents",
            ],
        ),
        (
            "Customer",
            json!({"name": text(100), "email": email()}),
            vec!["name", "email"],
        ),
        (
            "Review",
            json!({
                "book_id": count(),
                "reviewer": text(100),
                "rating": {"type": "integer", "minimum": 1, "maximum": 5},
                "text": text(2_000),
            }),
            vec!["book_id", "reviewer", "rating", "text"],
        ),
    ]
}

fn order() -> Value {
    let line = json!({
        "book_id": count(),
        "title": {"type": "string"},
        "quantity": count(),
        "price_cents": count(),
    });
    json!({
        "customer_id": count(),
        "status": {"enum": ["placed", "paid", "shipped", "cancelled"]},
        "lines": {
            "type": "array",
            "items": object(&line, &["book_id", "title", "quantity", "price_cents"]),
        },
        "total_cents": count(),
    })
}

fn basket() -> Value {
    let wanted = json!({"book_id": count(), "quantity": {"type": "integer", "minimum": 1, "maximum": u32::MAX}});
    let lines = json!({
        "type": "array",
        "minItems": 1,
        "maxItems": 20,
        "items": object(&wanted, &["book_id", "quantity"]),
    });
    object(
        &json!({"customer_id": count(), "lines": lines}),
        &["customer_id", "lines"],
    )
}

/// RFC 9457
fn problem() -> Value {
    let fault = json!({"pointer": {"type": "string"}, "detail": {"type": "string"}});
    object(
        &json!({
            "type": {"const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string"},
            "errors": {"type": "array", "items": object(&fault, &["pointer", "detail"])},
        }),
        &["type", "title", "status"],
    )
}

/// An object that has these fields and no others.
fn object(properties: &Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Fields with what the table adds to them.
fn row(mut properties: Value, required: &[&str]) -> Value {
    properties["id"] = count();
    properties["revision"] = count();
    let required: Vec<_> = ["id", "revision"].iter().chain(required).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn text(most: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": most})
}

fn email() -> Value {
    let mut schema = text(254);
    schema["pattern"] = "^[^@]+@[^@]*\\.[^@]*$".into();
    schema
}

fn count() -> Value {
    bounded(u64::MAX)
}

fn bounded(most: u64) -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": most})
}

fn genre() -> Value {
    json!({"enum": ["classic", "computing", "mystery", "science"]})
}
