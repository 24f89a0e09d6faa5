//! The same target types and paths on axum's router with axum's `Path` and on this one with ours:
//! status and text of the answers are equal, whether it is a value or a rejection.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Debug,
};

use axum::extract::Path as AxumPath;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde::{Deserialize, de::DeserializeOwned};
use tower::ServiceExt;
use tower_trie_router::{Path, TrieService};

use crate::support::Router;

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "shown by `Debug`")]
struct Fields {
    a: u8,
    b: String,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "shown by `Debug`")]
struct Optional {
    a: Option<i16>,
    z: Option<bool>,
    #[serde(default)]
    c: char,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "shown by `Debug`")]
struct Arrays {
    a: [char; 2],
}

#[derive(Debug, Deserialize)]
struct Newtype(#[allow(dead_code, reason = "shown by `Debug`")] u32);

#[derive(Debug, Deserialize)]
struct Unit;

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Kind {
    X,
    True,
}

#[derive(Debug, Deserialize)]
enum Data {
    #[serde(rename = "x")]
    #[allow(dead_code, reason = "never made")]
    Newtype(u8),
    #[serde(rename = "1")]
    #[allow(dead_code, reason = "never made")]
    Struct { a: u8 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "shown by `Debug`")]
enum Untagged {
    Text(String),
}

const VALUES: &[&str] = &[
    "1",
    "-1",
    "256",
    "1.5",
    "x",
    "xy",
    "true",
    "null",
    "%20",
    "%C3%A9",
    "a%2Fb",
    "%FF",
    "%C3%28",
    "%",
    "%zz",
    "100%25",
    "+",
    "2023-01-01",
    "67e55044-10b1-426f-9247-bb680e5fe0c8",
];

/// Paths of no, one, two and three parameters.
fn paths() -> Vec<String> {
    let mut paths = vec!["/".to_owned()];
    for (at, one) in VALUES.iter().enumerate() {
        paths.push(format!("/{one}"));
        for two in VALUES {
            paths.push(format!("/{one}/{two}"));
        }
        let [two, three] = [1, 2].map(|step| VALUES[(at + step) % VALUES.len()]);
        paths.push(format!("/{one}/{two}/{three}"));
    }
    paths
}

const PATTERNS: [&str; 4] = ["/", "/{a}", "/{a}/{b}", "/{a}/{b}/{c}"];

async fn answer<S>(service: &S, path: &str) -> (StatusCode, String)
where
    S: tower::Service<axum::extract::Request, Response = axum::response::Response> + Clone,
    S::Error: Debug,
{
    let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Compares the two for one type; returns the statuses that were met.
async fn compare<T: DeserializeOwned + Debug + Send + 'static>() -> HashSet<StatusCode> {
    let show = |target: T| format!("{target:?}");
    let (mut axum, mut ours) = (axum::Router::new(), Router::new());
    for pattern in PATTERNS {
        let theirs = move |AxumPath(target): AxumPath<T>| async move { show(target) };
        axum = axum.route(pattern, axum::routing::get(theirs));
        ours = ours.get(
            pattern,
            move |Path(target): Path<T>| async move { show(target) },
        );
    }
    let ours: TrieService = ours.build();
    let mut statuses = HashSet::new();
    for path in paths() {
        let expected = answer(&axum, &path).await;
        let got = answer(&ours, &path).await;
        assert_eq!(got, expected, "{path} as {}", std::any::type_name::<T>());
        statuses.insert(got.0);
    }
    statuses
}

macro_rules! compare {
    ($($type:ty),+ $(,)?) => {{
        let mut statuses = HashSet::new();
        $(statuses.extend(compare::<$type>().await);)+
        statuses
    }};
}

#[tokio::test]
async fn every_shape_of_target_answers_as_axum_does() {
    let statuses = compare![
        (),
        bool,
        char,
        i8,
        u8,
        i64,
        u128,
        f32,
        f64,
        String,
        Box<str>,
        uuid::Uuid,
        time::Date,
        serde_json::Value,
        Unit,
        Newtype,
        Kind,
        Data,
        Untagged,
        Fields,
        Optional,
        Arrays,
        (u8,),
        (String,),
        (u8, u8),
        (String, Option<i32>),
        (Kind, Newtype, String),
        ((), String),
        [String; 2],
        Vec<String>,
        Vec<i32>,
        Vec<Option<bool>>,
        Vec<Kind>,
        Vec<(String, String)>,
        Vec<(String, f64)>,
        Vec<(u8, String)>,
        Vec<(String, String, String)>,
        Vec<Vec<u8>>,
        Vec<Fields>,
        BTreeSet<char>,
        BTreeMap<String, String>,
        BTreeMap<String, u16>,
        BTreeMap<String, Kind>,
        BTreeMap<u8, String>,
        BTreeMap<Kind, String>,
        BTreeMap<String, Vec<u8>>,
        BTreeMap<String, serde_json::Value>,
    ];
    let all = [200, 400, 500].map(|code| StatusCode::from_u16(code).unwrap());
    assert_eq!(statuses, HashSet::from(all));
}
