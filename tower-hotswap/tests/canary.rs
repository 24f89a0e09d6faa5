//! Which generation answers while a canary runs, and what becomes of it.
#![cfg(not(hotswap_loom))]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, ServiceExt};
use tower_hotswap::{Automatic, Canary, Draft, Handle, HotSwap, Role, SwapError, Version};

fn version(number: &str) -> Version {
    Version::parse(number, number.as_bytes()).unwrap()
}

/// Answers with a status.
#[derive(Clone)]
struct Fixed(StatusCode);

impl Service<Request<()>> for Fixed {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let response = Response::builder().status(self.0).body(Full::default());
        ready(Ok(response.unwrap()))
    }
}

const USER: HeaderName = HeaderName::from_static("x-user");

async fn ask(app: &mut HotSwap<Fixed>, user: usize) -> StatusCode {
    let request = Request::builder().header(USER, user).body(()).unwrap();
    app.oneshot(request).await.unwrap().status()
}

async fn with_candidate(candidate: StatusCode) -> (HotSwap<Fixed>, Handle<Fixed>) {
    let (app, handle) = HotSwap::new(Fixed(StatusCode::OK), version("1.0.0"));
    let draft = Draft::new(version("1.1.0"), Fixed(candidate));
    handle.stage(draft).await.unwrap();
    (app, handle)
}

#[tokio::test]
async fn a_user_stays_on_one_side_until_promotion() {
    let (mut app, handle) = with_candidate(StatusCode::ACCEPTED).await;
    let rule = Canary::by_header(20.0, USER).unwrap();
    handle.canary(version("1.1.0"), rule).unwrap();
    assert_eq!(handle.running_canary().unwrap().1, "20 % of x-user");
    let mut first = Vec::new();
    for user in 0..500 {
        first.push(ask(&mut app, user).await);
    }
    for (user, side) in first.iter().enumerate() {
        assert_eq!(ask(&mut app.clone(), user).await, *side, "user {user}");
    }
    let taken = first
        .iter()
        .filter(|status| **status == StatusCode::ACCEPTED)
        .count();
    assert!((70..=130).contains(&taken), "{taken} of 500 at 20 %");
    let nobody = app.clone().oneshot(Request::new(())).await.unwrap();
    assert_eq!(nobody.status(), StatusCode::OK, "without the key");
    // A body that is kept keeps its generation in flight.
    drop(nobody);

    let roles: Vec<Role> = handle.generations().iter().map(|each| each.role).collect();
    assert_eq!(roles, [Role::Primary, Role::Canary]);
    handle.promote().unwrap();
    handle.drained(version("1.0.0")).await;
    for user in 0..100 {
        assert_eq!(ask(&mut app, user).await, StatusCode::ACCEPTED);
    }
    assert_eq!(handle.promote().unwrap_err(), SwapError::NoCanary);
}

#[tokio::test]
async fn testers_ask_for_the_canary_by_name() {
    let (app, handle) = with_candidate(StatusCode::ACCEPTED).await;
    let name = HeaderName::from_static("x-canary");
    let rule = Canary::when(name.clone(), HeaderValue::from_static("on"));
    handle.canary(version("1.1.0"), rule).unwrap();
    for (value, wanted) in [("on", StatusCode::ACCEPTED), ("off", StatusCode::OK)] {
        let request = Request::builder().header(&name, value).body(()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), wanted);
    }
    handle.abort().unwrap();
    let request = Request::builder().header(&name, "on").body(()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn publishing_waits_for_the_canary_and_rolling_back_does_not() {
    let (mut app, handle) = with_candidate(StatusCode::ACCEPTED).await;
    let half = || Canary::percent(50.0).unwrap();
    handle.canary(version("1.1.0"), half()).unwrap();
    let running = SwapError::CanaryRunning {
        version: version("1.1.0"),
    };
    let swap = handle.swap(Fixed(StatusCode::CREATED), version("1.2.0"));
    assert_eq!(swap.unwrap_err(), running);
    let third = Draft::new(version("1.2.0"), Fixed(StatusCode::CREATED));
    handle.stage(third).await.unwrap();
    assert_eq!(
        handle.canary(version("1.2.0"), half()).unwrap_err(),
        running
    );
    let itself = handle.canary(version("1.0.0"), half()).unwrap_err();
    assert_eq!(
        itself,
        SwapError::AlreadyCurrent {
            version: version("1.0.0")
        }
    );

    // Another share of the same.
    handle
        .canary(version("1.1.0"), Canary::percent(100.0).unwrap())
        .unwrap();
    assert_eq!(ask(&mut app, 1).await, StatusCode::ACCEPTED);
    handle.rollback(version("1.0.0")).unwrap();
    assert!(handle.running_canary().is_none());
    assert_eq!(ask(&mut app, 1).await, StatusCode::OK);
    handle.drained(version("1.1.0")).await;
}

#[tokio::test]
async fn an_automatic_canary_settles_itself() {
    let cases = [
        (StatusCode::ACCEPTED, "promoted", StatusCode::ACCEPTED),
        (StatusCode::INTERNAL_SERVER_ERROR, "aborted", StatusCode::OK),
    ];
    for (candidate, event, after) in cases {
        let (mut app, handle) = with_candidate(candidate).await;
        let mut events = handle.events();
        // Ready services take microseconds, and their quotient is chance.
        let automatic = Automatic::default().samples(200).slowdown(f64::INFINITY);
        let rule = Canary::percent(50.0).unwrap().automatic(automatic);
        handle.canary(version("1.1.0"), rule).unwrap();
        let mut requests = 0;
        while handle.running_canary().is_some() {
            ask(&mut app, requests).await;
            requests += 1;
            assert!(requests < 5000, "never settled");
        }
        assert_eq!(ask(&mut app, 0).await, after);
        events.recv().await.unwrap();
        assert_eq!(events.recv().await.unwrap().name(), event);
    }
}
