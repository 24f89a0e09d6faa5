//! What this crate's extractors do beyond axum's.

use axum::{
    extract::{FromRequestParts, Path as AxumPath, Request},
    middleware::{Next, from_fn},
    response::Response,
};
use http::{StatusCode, Uri};
use serde::Deserialize;
use tower_trie_router::{
    MatchedPattern, Path, RouteMatch, RouteParams,
    rejection::{ErrorKind, PathRejection, RawPathParamsRejection},
    routing::{any_service, get},
};

use crate::support::{Router, TestClient};

async fn pair(Path((a, b)): Path<(String, String)>) -> String {
    format!("{a} {b}")
}

/// Names and values, raw and decoded.
async fn all(params: RouteParams) -> String {
    let shown = params.iter().map(|(name, value)| {
        let raw = params.raw(name).unwrap_or("-");
        assert_eq!(params.get(name).as_deref(), Some(&*value));
        format!("{name}={raw}={value}")
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn parameters_inside_segments() {
    let app = Router::new().get("/img/{name}.{ext}", pair).get(
        "/v{major}.{minor}/x",
        |Path(v): Path<(u8, u8)>| async move { format!("{v:?}") },
    );
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /img/a%2Fb.png", "a/b png"),
            ("GET /v1.20/x", "(1, 20)"),
        ])
        .await;
    let too_much = "Invalid URL: Cannot parse value at index 1 with value `999` to a `u8`";
    client.answers("GET /v1.999/x", 400, too_much).await;
}

#[tokio::test]
async fn optional_parameters() {
    #[derive(Deserialize)]
    struct Search {
        term: String,
        page: Option<u32>,
    }
    let show = |term: &str, page: Option<u32>| format!("{term} {page:?}");
    let app = Router::new()
        .get(
            "/tuple/{term}/{page?}",
            move |Path((term, page)): Path<(String, Option<u32>)>| async move { show(&term, page) },
        )
        .get(
            "/struct/{term}/{page?}",
            move |Path(Search { term, page }): Path<Search>| async move { show(&term, page) },
        )
        .get(
            "/only/{page?}",
            |Path(page): Path<Option<u32>>| async move { format!("{page:?}") },
        )
        .get("/path/{page?}", |page: Option<Path<u32>>| async move {
            format!("{:?}", page.map(|page| page.0))
        });
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /tuple/x", "x None"),
            ("GET /tuple/x/2", "x Some(2)"),
            ("GET /struct/x", "x None"),
            ("GET /struct/x/2", "x Some(2)"),
            ("GET /only", "None"),
            ("GET /only/2", "Some(2)"),
            ("GET /path", "None"),
            ("GET /path/2", "Some(2)"),
        ])
        .await;
    client
        .statuses(&[("GET /tuple/x/y", 400), ("GET /only/y", 400)])
        .await;
}

#[tokio::test]
async fn a_path_without_parameters_is_none_not_a_fault() {
    let handler = |path: Option<Path<u32>>| async move { format!("{:?}", path.map(|p| p.0)) };
    let app = Router::new()
        .get("/static", handler)
        .get("/one/{id}", handler);
    let client = TestClient::new(app);
    client
        .texts(&[("GET /static", "None"), ("GET /one/7", "Some(7)")])
        .await;
    client.statuses(&[("GET /one/x", 400)]).await;
}

#[tokio::test]
async fn invalid_utf8_names_the_parameter() {
    let app = Router::new()
        .get("/path/{a}/{b}", pair)
        .get("/params/{a}/{b}", all);
    let client = TestClient::new(app);
    client
        .answers("GET /path/x/%FF", 400, "Invalid URL: Invalid UTF-8 in `b`")
        .await;
    client
        .answers("GET /params/%C3%28/x", 400, "Invalid UTF-8 in `a`")
        .await;
}

#[tokio::test]
async fn route_params_are_raw_and_decoded() {
    let app = Router::new()
        .get("/{a}/{*rest}", all)
        .get("/static", all)
        .nest("/in/{tenant}", Router::new().get("/x/{id}", all));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /one%20two/b/%2F", "a=one%20two=one two rest=b/%2F=b//"),
            ("GET /static", ""),
            ("GET /in/acme/x/9", "tenant=acme=acme id=9=9"),
        ])
        .await;
}

#[tokio::test]
async fn route_params_become_types_later() {
    let app = Router::new().get("/{kind}/{id}", |params: RouteParams| async move {
        match params.get("kind").as_deref() {
            Some("number") => {
                let (_, id): (String, u64) = params.deserialize().unwrap();
                format!("number {id}")
            }
            _ => {
                let error = params.deserialize::<(u64, u64)>().unwrap_err();
                assert!(matches!(
                    error.kind(),
                    ErrorKind::ParseErrorAtIndex { index: 0, .. }
                ));
                error.body_text()
            }
        }
    });
    let client = TestClient::new(app);
    let refused = "Invalid URL: Cannot parse value at index 0 with value `name` to a `u64`";
    client
        .texts(&[("GET /number/7", "number 7"), ("GET /name/7", refused)])
        .await;
}

#[tokio::test]
async fn more_parameters_than_are_kept_inline() {
    let pattern: String = (0..12).map(|n| format!("/{{p{n}}}")).collect();
    let path: String = (0..12).map(|n| format!("/{n}")).collect();
    let app = Router::new().get(&pattern, |Path(numbers): Path<Vec<u32>>| async move {
        format!("{numbers:?}")
    });
    let numbers = format!("{:?}", Vec::from_iter(0..12));
    let client = TestClient::new(app);
    client.answers(&format!("GET {path}"), 200, &numbers).await;
}

#[tokio::test]
async fn a_rewritten_uri_changes_nothing() {
    async fn rewrite(mut request: Request, next: Next) -> Response {
        *request.uri_mut() = Uri::from_static("/elsewhere/entirely?x=1");
        next.run(request).await
    }
    let app = Router::new()
        .get("/path/{a}/{b}", pair)
        .get("/params/{a}/{*b}", all)
        .get("/uri/{a}", |uri: Uri| async move { uri.to_string() })
        .layer(from_fn(rewrite));
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /path/x/y", "x y"),
            ("GET /params/x/y/z", "a=x=x b=y/z=y/z"),
            ("GET /uri/x", "/elsewhere/entirely?x=1"),
        ])
        .await;
}

#[tokio::test]
async fn matched_pattern_is_this_crates_own_text() {
    async fn show(pattern: MatchedPattern) -> String {
        pattern.to_string()
    }
    let files = Router::new().get("/{name}.json", show);
    let app = Router::new()
        .get("/users/{id:u64}", show)
        .nest("/files", files)
        .fallback(|pattern: Option<MatchedPattern>| async move {
            assert!(pattern.is_none());
            StatusCode::NOT_FOUND
        });
    let client = TestClient::new(app);
    client
        .texts(&[
            ("GET /users/7", "/users/{id:u64}"),
            ("GET /files/a.json", "/files/{name}.json"),
        ])
        .await;
    client.statuses(&[("GET /elsewhere", 404)]).await;
}

#[tokio::test]
async fn without_a_match_the_rejection_says_what_to_do() {
    async fn fallback(
        path: Result<Path<u32>, PathRejection>,
        params: Result<RouteParams, RawPathParamsRejection>,
        pattern: Result<MatchedPattern, tower_trie_router::MatchedPatternMissing>,
    ) -> String {
        let path = path.unwrap_err();
        assert_eq!(path.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(matches!(path, PathRejection::MissingPathParams(_)));
        assert!(
            path.body_text()
                .contains("Register the handler with a pattern")
        );
        assert_eq!(params.unwrap_err().body_text(), path.body_text());
        pattern.unwrap_err().to_string()
    }
    let client = TestClient::new(Router::new().fallback(fallback));
    let text = client.get("/x").await.text();
    assert!(text.contains("Option<MatchedPattern>"), "{text}");
}

/// Either router's handlers may take this crate's extractors, however the routers are mounted in
/// each other: outer parameters come first, and none comes twice.
#[tokio::test]
async fn parameters_of_mounted_routers() {
    let trie = || Router::new().get("/{b}", pair).get("/params/{b}", all);
    let axum = || {
        axum::Router::new()
            .route("/{b}", axum::routing::get(pair))
            .route("/params/{b}", axum::routing::get(all))
    };

    let trie_in_axum = axum::Router::new().nest_service("/{a}", trie().build());
    let axum_in_trie = Router::new().nest_service("/{a}", axum()).build();
    let trie_in_trie = Router::new().nest_service("/{a}", trie().build()).build();
    let nested_trie = Router::new().nest("/{a}", trie()).build();

    // The raw text of what only an axum router has matched is not to be had.
    for (client, shape, params) in [
        (
            TestClient::of(trie_in_axum),
            "trie in axum",
            "a=-=x y b=z=z",
        ),
        (
            TestClient::of(axum_in_trie),
            "axum in trie",
            "a=x%20y=x y b=-=z",
        ),
        (
            TestClient::of(trie_in_trie),
            "trie in trie",
            "a=x%20y=x y b=z=z",
        ),
        (
            TestClient::of(nested_trie),
            "nested trie",
            "a=x%20y=x y b=z=z",
        ),
    ] {
        assert_eq!(client.get("/x%20y/z").await.text(), "x y z", "{shape}");
        let text = client.get("/x%20y/params/z").await.text();
        assert_eq!(text, params, "{shape}");
    }
}

#[tokio::test]
async fn both_paths_in_one_compatibility_leaf() {
    async fn both(
        AxumPath(axums): AxumPath<(String, String)>,
        Path(ours): Path<(String, String)>,
        pattern: MatchedPattern,
    ) -> String {
        assert_eq!(axums, ours);
        format!("{} {} {pattern}", ours.0, ours.1)
    }
    let leaf = Router::new().compat("/{name}.{ext}", axum::routing::get(both));
    let client = TestClient::new(leaf);
    client
        .texts(&[("GET /a%2Fb.png", "a/b png /{name}.{ext}")])
        .await;
}

#[tokio::test]
async fn the_innermost_of_two_equal_names_wins_by_name() {
    let inner = Router::new().get("/{id}", |params: RouteParams| async move {
        let id = params.get("id").unwrap_or_default();
        format!("{id} of {}", params.iter().count())
    });
    let app = Router::new().route("/{id}/{*rest}", any_service(Rest(inner.build())));
    let client = TestClient::new(app);
    client.texts(&[("GET /outer/inner", "inner of 3")]).await;
}

/// Calls a router with the catch-all `rest` as its path.
#[derive(Clone)]
struct Rest<S>(S);

impl<S: tower::Service<Request>> tower::Service<Request> for Rest<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> S::Future {
        let matched = request.extensions().get::<RouteMatch>().unwrap();
        let rest = format!("/{}", matched.get("rest").unwrap());
        *request.uri_mut() = rest.parse().unwrap();
        self.0.call(request)
    }
}

/// An extractor of an application's own may look at the parameters too.
#[tokio::test]
async fn from_an_extractor_of_the_applications_own() {
    struct Tenant(String);

    impl<S: Send + Sync> FromRequestParts<S> for Tenant {
        type Rejection = RawPathParamsRejection;

        async fn from_request_parts(
            parts: &mut http::request::Parts,
            state: &S,
        ) -> Result<Self, Self::Rejection> {
            let params = RouteParams::from_request_parts(parts, state).await?;
            Ok(Self(params.get("tenant").unwrap_or_default().into_owned()))
        }
    }

    let show = |tenant: Tenant| async move { tenant.0 };
    let client = TestClient::new(Router::new().route("/{tenant}/x", get(show)));
    client.texts(&[("GET /acme/x", "acme")]).await;
}
