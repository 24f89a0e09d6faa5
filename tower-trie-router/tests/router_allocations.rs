//! How many allocations a request costs in process, its building included.
//!
//! A file of its own with one test, so that nothing else allocates meanwhile.
#![cfg(feature = "axum")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    convert::Infallible,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::Uri,
    response::Response,
};
use tower::Service;
use tower_trie_router::{Path, PercentPolicy, RouteMatch, TrailingSlash, TrieRouter};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The allocations of building a request, calling a service once and dropping the response.
fn allocations<S>(service: &S, path: &str) -> u64
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    let once = || {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let mut service = service.clone();
        let future = pin!(service.call(request));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => assert_eq!(response.status(), 200, "{path}"),
            Poll::Ready(Err(never)) => match never {},
            Poll::Pending => panic!("{path}: a handler that waits for nothing was pending"),
        }
    };
    once();
    let before = COUNT.with(Cell::get);
    once();
    COUNT.with(Cell::get) - before
}

async fn plain() -> Response {
    Response::new(Body::empty())
}

async fn state(State(_): State<u64>) -> Response {
    Response::new(Body::empty())
}

async fn matched(_: MatchedPath) -> Response {
    Response::new(Body::empty())
}

async fn whole(request: Request) -> Response {
    assert!(request.extensions().get::<RouteMatch>().is_some());
    Response::new(Body::empty())
}

async fn path(Path((a, b)): Path<(u64, u64)>) -> Response {
    assert_eq!((a, b), (7, 8));
    Response::new(Body::empty())
}

async fn uri(_: Uri) -> Response {
    Response::new(Body::empty())
}

#[test]
fn a_request_costs_few_allocations() {
    let noop = tower::service_fn(|_: Request| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
    });
    let nested = TrieRouter::new()
        .get("/plain/{id}", plain)
        .get("/uri/{id}", uri);
    let app = TrieRouter::new()
        .get("/static", plain)
        .get("/users/{id}/posts/{post}", plain)
        .get("/state/{id}", state)
        .get("/matched/{id}", matched)
        .get("/path/{a}/{b}", path)
        .get("/whole", whole)
        .get("/whole/{a}/{b}/{c}/{d}/{e}", whole)
        .nest("/nested/{tenant}", nested)
        .trailing_slash(TrailingSlash::Lenient)
        .percent_policy(PercentPolicy::Normalize)
        .with_state(1_u64)
        .build();
    let base = allocations(&noop, "/static");
    // What stands beside each bound is where the allocations go, those of `noop` apart.
    for (path, more) in [
        // The handler's future.
        ("/static", 1),
        ("/users/7/posts/9", 1),
        ("/state/7", 1),
        ("/nested/acme/plain/7", 1),
        // The future, the extensions' map (2) and `MatchedPath`.
        ("/matched/7", 4),
        // The future, the map (2), `RouteMatch` and `MatchedPath`.
        ("/whole", 5),
        // As before: none for each parameter.
        ("/whole/1/2/3/4/5", 5),
        // The future, the map (2) and `RouteMatch`.
        ("/path/7/8", 4),
        // The future, the map (2), `OriginalUri` and its shared text, `NestedPath`, the stripped
        // path, and its text shared with the extracted `Uri`.
        ("/nested/acme/uri/7", 8),
    ] {
        let found = allocations(&app, path);
        assert!(
            found <= base + more,
            "{path}: {found} allocations, at most {base} and {more} were expected"
        );
    }
    let axum = axum::Router::new().route("/static", axum::routing::get(plain));
    let (ours, theirs) = (allocations(&app, "/static"), allocations(&axum, "/static"));
    assert!(
        ours <= 8 && 2 * ours <= theirs,
        "{ours} against axum's {theirs}"
    );
}
