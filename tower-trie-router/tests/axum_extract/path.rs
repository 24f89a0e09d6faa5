//! `axum/src/extract/path/mod.rs`

use std::collections::HashMap;

use serde::{Deserialize, de::DeserializeOwned};
use time::Date;
use tower_trie_router::{Path, RawPathParams};

use crate::methods::{MethodRouter, get};
use crate::support::{Router, TestClient};

/// A `GET` handler that answers with its only parameter.
fn echo() -> MethodRouter {
    get(|Path(param): Path<String>| async move { param })
}

#[tokio::test]
async fn extracting_url_params() {
    let route = get(|Path(id): Path<i32>| async move { assert_eq!(id, 42) })
        .post(|Path(map): Path<HashMap<String, i32>>| async move { assert_eq!(map["id"], 1337) });
    let client = TestClient::new(Router::new().route("/users/{id}", route));
    client
        .statuses(&[("GET /users/42", 200), ("POST /users/1337", 200)])
        .await;
}

#[tokio::test]
async fn extracting_url_params_multiple_times() {
    let app = Router::new().route("/users/{id}", get(|_: Path<i32>, _: Path<String>| async {}));
    TestClient::new(app)
        .statuses(&[("GET /users/42", 200)])
        .await;
}

#[tokio::test]
async fn percent_decoding() {
    let client = TestClient::new(Router::new().route("/{key}", echo()));
    client.texts(&[("GET /one%20two", "one two")]).await;
}

#[tokio::test]
async fn supports_128_bit_numbers() {
    async fn show<T: ToString>(Path(number): Path<T>) -> String {
        number.to_string()
    }
    let app = Router::new()
        .route("/i/{key}", get(show::<i128>))
        .route("/u/{key}", get(show::<u128>));
    let client = TestClient::new(app);
    client
        .texts(&[("GET /i/123", "123"), ("GET /u/123", "123")])
        .await;
}

#[tokio::test]
async fn wildcard() {
    let by_name =
        |Path(params): Path<HashMap<String, String>>| async move { params["rest"].clone() };
    let app = Router::new()
        .route("/foo/{*rest}", echo())
        .route("/bar/{*rest}", get(by_name));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /foo/bar/baz", "bar/baz"),
            ("GET /bar/baz/qux", "baz/qux"),
        ])
        .await;
}

#[tokio::test]
async fn captures_dont_match_empty_path() {
    let app = Router::new().route("/{key}", get(|| async {}));
    let client = TestClient::new(app);
    client.statuses(&[("GET /", 404), ("GET /foo", 200)]).await;
}

/// Different on purpose: a parameter is never empty, wherever in the path it is.
#[tokio::test]
async fn captures_match_empty_inner_segments() {
    let client = TestClient::new(Router::new().route("/{key}/method", echo()));
    client.texts(&[("GET /abc/method", "abc")]).await;
    client.statuses(&[("GET //method", 404)]).await;
}

/// Different on purpose: a parameter is never empty, wherever in the path it is.
#[tokio::test]
async fn captures_match_empty_inner_segments_near_end() {
    let client = TestClient::new(Router::new().route("/method/{key}/", echo()));
    client.texts(&[("GET /method/abc/", "abc")]).await;
    client
        .statuses(&[("GET /method/abc", 404), ("GET /method//", 404)])
        .await;
}

/// Different on purpose: a parameter is never empty, wherever in the path it is.
#[tokio::test]
async fn captures_match_empty_trailing_segment() {
    let client = TestClient::new(Router::new().route("/method/{key}", echo()));
    client.texts(&[("GET /method/abc", "abc")]).await;
    client
        .statuses(&[
            ("GET /method/abc/", 404),
            ("GET /method/", 404),
            ("GET /method", 404),
        ])
        .await;
}

#[tokio::test]
async fn str_reference_deserialize() {
    struct Param(String);

    impl<'de> Deserialize<'de> for Param {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <&str>::deserialize(deserializer).map(|text| Self(text.to_owned()))
        }
    }

    let param = get(|param: Path<Param>| async move { param.0.0 });
    let client = TestClient::new(Router::new().route("/{key}", param));
    client
        .texts(&[("GET /foo", "foo"), ("GET /foo%20bar", "foo bar")])
        .await;
}

#[tokio::test]
async fn two_path_extractors() {
    let app = Router::new().route("/{a}/{b}", get(|_: Path<String>, _: Path<String>| async {}));
    let text = "Wrong number of path arguments for `Path`. Expected 1 but got 2. \
                Note that multiple parameters must be extracted with a tuple `Path<(_, _)>` \
                or a struct `Path<YourParams>`";
    TestClient::new(app).answers("GET /a/b", 500, text).await;
}

#[tokio::test]
async fn tuple_param_matches_exactly() {
    #[derive(Deserialize)]
    struct Tuple(
        #[allow(dead_code, reason = "never made")] String,
        #[allow(dead_code, reason = "never made")] String,
    );

    let app = Router::new()
        .route(
            "/foo/{a}/{b}/{c}",
            get(|_: Path<(String, String)>| async {}),
        )
        .route("/bar/{a}/{b}/{c}", get(|_: Path<Tuple>| async {}));
    let client = TestClient::new(app);
    let text = "Wrong number of path arguments for `Path`. Expected 2 but got 3";
    client.answers("GET /foo/a/b/c", 500, text).await;
    client.answers("GET /bar/a/b/c", 500, text).await;
}

#[tokio::test]
async fn deserialize_into_vec_of_tuples() {
    let show =
        get(|Path(params): Path<Vec<(String, String)>>| async move { format!("{params:?}") });
    let client = TestClient::new(Router::new().route("/{a}/{b}", show));
    let pairs = r#"[("a", "foo"), ("b", "bar")]"#;
    client.texts(&[("GET /foo/bar", pairs)]).await;
}

/// A handler that answers with the dates that `dates` finds in a `T`.
fn shows_dates<T>(dates: fn(T) -> Vec<Date>) -> MethodRouter
where
    T: DeserializeOwned + Send + 'static,
{
    get(move |Path(target): Path<T>| async move {
        let texts: Vec<_> = dates(target).iter().map(Date::to_string).collect();
        texts.join(" ")
    })
}

#[tokio::test]
async fn type_that_uses_deserialize_any() {
    #[derive(Deserialize)]
    struct Params {
        a: Date,
        b: Date,
        c: Date,
    }

    let app = Router::new()
        .route("/single/{a}", shows_dates(|a: Date| vec![a]))
        .route(
            "/tuple/{a}/{b}/{c}",
            shows_dates(|(a, b, c): (Date, Date, Date)| vec![a, b, c]),
        )
        .route("/vec/{a}/{b}/{c}", shows_dates(|dates: Vec<Date>| dates))
        .route(
            "/vec_pairs/{a}/{b}/{c}",
            shows_dates(|pairs: Vec<(String, Date)>| {
                pairs.into_iter().map(|(_, date)| date).collect()
            }),
        )
        .route(
            "/map/{a}/{b}/{c}",
            shows_dates(|map: HashMap<String, Date>| vec![map["a"], map["b"], map["c"]]),
        )
        .route(
            "/struct/{a}/{b}/{c}",
            shows_dates(|Params { a, b, c }| vec![a, b, c]),
        );
    let client = TestClient::new(app);
    client
        .texts(&[("GET /single/2023-01-01", "2023-01-01")])
        .await;
    for shape in ["tuple", "vec", "vec_pairs", "map", "struct"] {
        let line = format!("GET /{shape}/2023-01-01/2023-01-02/2023-01-03");
        let dates = "2023-01-01 2023-01-02 2023-01-03";
        client.answers(&line, 200, dates).await;
    }
}

#[tokio::test]
async fn wrong_number_of_parameters_json() {
    use serde_json::Value;

    let app = Router::new()
        .route("/one/{a}", get(|_: Path<(Value, Value)>| async {}))
        .route("/two/{a}/{b}", get(|_: Path<Value>| async {}));
    let client = TestClient::new(app);
    for (path, numbers) in [
        ("/one/1", "Expected 2 but got 1"),
        ("/two/1/2", "Expected 1 but got 2"),
    ] {
        let text = client.get(path).await.text();
        let expected = format!("Wrong number of path arguments for `Path`. {numbers}");
        assert!(text.starts_with(&expected), "{path}: {text}");
    }
}

#[tokio::test]
async fn raw_path_params() {
    let show = |params: RawPathParams| async move {
        params
            .into_iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let client = TestClient::new(Router::new().route("/{a}/{b}/{c}", get(show)));
    client
        .texts(&[("GET /foo/bar/baz", "a=foo b=bar c=baz")])
        .await;
}

#[tokio::test]
async fn deserialize_error_single_value() {
    let app = Router::new().route("/resources/{res}", get(|_: Path<uuid::Uuid>| async {}));
    let text = "Invalid URL: Cannot parse `res` with value `123123-123-123123`: \
                UUID parsing failed: invalid group count: expected 5, found 3";
    let client = TestClient::new(app);
    client
        .answers("GET /resources/123123-123-123123", 400, text)
        .await;
}

#[tokio::test]
async fn deserialize_error_multi_value() {
    let app = Router::new().route(
        "/resources/{res}/sub/{sub}",
        get(|_: Path<(uuid::Uuid, uuid::Uuid)>| async {}),
    );
    let text = "Invalid URL: Cannot parse `res` with value `456456-123-456456`: \
                UUID parsing failed: invalid group count: expected 5, found 3";
    let client = TestClient::new(app);
    client
        .answers("GET /resources/456456-123-456456/sub/123", 400, text)
        .await;
}

#[tokio::test]
async fn regression_3038() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct MoreChars {
        first_two: [char; 2],
        second_two: [char; 2],
        crate_name: String,
    }

    let app = Router::new().route(
        "/{first_two}/{second_two}/{crate_name}",
        get(|_: Path<MoreChars>| async {}),
    );
    let text = "Invalid URL: array types are not supported";
    let client = TestClient::new(app);
    client.answers("GET /te/st/_thing", 400, text).await;
}
