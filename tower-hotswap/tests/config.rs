//! Configuration that changes while requests read it.
#![cfg(all(feature = "axum", not(hotswap_loom)))]

use axum::{
    Router,
    body::Body,
    extract::{FromRef, State},
    http::{HeaderValue, Request},
    routing::get,
};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_hotswap::{Canary, Draft, Hot, HotConfig, Version};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

#[derive(Clone)]
struct App {
    limits: HotConfig<u64>,
}

impl FromRef<App> for HotConfig<u64> {
    fn from_ref(app: &App) -> Self {
        app.limits.clone()
    }
}

/// Looks, lets the configuration change, and looks again by the second extractor.
async fn twice(first: Hot<u64>, State(app): State<App>, request: axum::extract::Request) -> String {
    let newer = first.value() + 1;
    app.limits.handle().swap(newer, version(newer)).unwrap();
    let (mut parts, _) = request.into_parts();
    let second = app.limits.of(&mut parts);
    format!(
        "{} {} {}",
        first.value(),
        second.value(),
        app.limits.current().value()
    )
}

async fn ask(
    app: impl tower::Service<
        Request<Body>,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
    >,
) -> String {
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_sees_one_version_throughout() {
    let limits = HotConfig::new(1, version(1));
    let state = App {
        limits: limits.clone(),
    };
    let app: Router = Router::new().route("/", get(twice)).with_state(state);
    assert_eq!(ask(app.clone()).await, "1 1 2");
    assert_eq!(ask(app.clone()).await, "2 2 3");
    // Pinned as the request comes in, the version of a layer that runs before is the handler's, too.
    let config = limits.clone();
    let change = tower::util::MapRequestLayer::new(move |request: Request<Body>| {
        let pinned = HotConfig::<u64>::pinned(request.extensions()).unwrap();
        config.handle().swap(100, version(100)).unwrap();
        assert_eq!(*pinned.value(), 3);
        request
    });
    let app = limits.layer().layer(change.layer(app));
    assert_eq!(ask(app).await, "3 3 4");
}

#[tokio::test]
async fn readers_and_listeners_follow() {
    let limits = HotConfig::new(1, version(1));
    let (mut reader, mut changes) = (limits.reader(), limits.changes());
    assert_eq!(*reader.read().value(), 1);
    limits.handle().swap(2, version(2)).unwrap();
    assert_eq!(*reader.read().value(), 2);
    assert_eq!(*changes.next().await.unwrap().value(), 2);
    limits.handle().rollback(version(1)).unwrap();
    assert_eq!(*reader.read().value(), 1);
    assert_eq!(*changes.next().await.unwrap().value(), 1);
}

#[tokio::test]
async fn testers_see_the_canary_of_a_configuration() {
    let limits = HotConfig::new(1, version(1));
    let staged = limits
        .handle()
        .stage(Draft::new(version(2), 2))
        .await
        .unwrap();
    let name = http::HeaderName::from_static("x-canary");
    let rule = Canary::when(name.clone(), HeaderValue::from_static("on"));
    limits.handle().canary(staged.id, rule).unwrap();
    let see = |value: &str| {
        let request = Request::builder().header(&name, value).body(()).unwrap();
        *limits.of(&mut request.into_parts().0).value()
    };
    assert_eq!((see("on"), see("off")), (2, 1));
}
