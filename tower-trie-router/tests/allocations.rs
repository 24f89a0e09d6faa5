//! How often a request through the router asks for memory, beside `axum::Router`.
//!
//! Counted in process, from the built request to the response; a client's and a server's own
//! allocations are not in it, and neither is the request's.
#![cfg(feature = "axum")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use axum::{
    body::Body,
    extract::{Path as AxumPath, Request},
    response::Response,
    routing,
};
use tower::Service;
use tower_trie_router::{MatchedPattern, Path, RouteParams, TrieRouter};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting what the current thread asks for.
struct Counting;

// SAFETY: every call goes to `System` with what came in; the counter is no part of it, and a
// `const` thread-local of a type without destructor neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise for `alloc` is the one `System.alloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, by `alloc` or `realloc`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as for `dealloc`; the caller promises that `size` is not zero.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of the second request to `path`; the first fills what is filled once.
fn of<S>(mut service: S, path: &str) -> usize
where
    S: Service<Request, Response = Response> + Clone,
    S::Error: std::fmt::Debug,
{
    let mut once = || {
        // A server's requests come with a shared buffer behind their path; a clone of the path
        // makes one of it here.
        let uri: http::Uri = path.parse().unwrap();
        black_box(uri.clone());
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        let before = COUNT.get();
        let mut future = pin!(service.call(request));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(response) = future.as_mut().poll(&mut context) else {
            panic!("{path}: a handler that waits for nothing is ready at once");
        };
        let count = COUNT.get() - before;
        assert_eq!(response.unwrap().status(), 200, "{path}");
        count
    };
    once();
    once()
}

async fn plain() -> &'static str {
    "ok"
}

async fn numbers(Path((a, b)): Path<(u64, u64)>) -> &'static str {
    assert_eq!((a, b), (12, 34));
    "ok"
}

async fn strings(Path((a, b)): Path<(String, String)>) -> &'static str {
    assert_eq!((&*a, &*b), ("12", "34"));
    "ok"
}

async fn axum_strings(AxumPath((a, b)): AxumPath<(String, String)>) -> &'static str {
    assert_eq!((&*a, &*b), ("12", "34"));
    "ok"
}

async fn by_name(params: RouteParams) -> &'static str {
    assert_eq!(params.get("a").as_deref(), Some("12"));
    assert_eq!(params.iter().count(), 2);
    "ok"
}

async fn by_pattern(pattern: MatchedPattern) -> &'static str {
    assert_eq!(pattern.as_str(), "/pattern/{a}/{b}");
    "ok"
}

#[test]
fn extractors_allocate_for_what_they_give_only() {
    let app = TrieRouter::new()
        .get("/plain/{a}/{b}", plain)
        .get("/numbers/{a}/{b}", numbers)
        .get("/strings/{a}/{b}", strings)
        .get("/params/{a}/{b}", by_name)
        .get("/pattern/{a}/{b}", by_pattern)
        .build();
    let axum = axum::Router::new()
        .route("/plain/{a}/{b}", routing::get(plain))
        .route("/strings/{a}/{b}", routing::get(axum_strings));

    let ours = |path| of(app.clone(), path);
    let [plain, numbers, strings, params, pattern] = [
        ours("/plain/12/34"),
        ours("/numbers/12/34"),
        ours("/strings/12/34"),
        ours("/params/12/34"),
        ours("/pattern/12/34"),
    ];
    let axum_plain = of(axum.clone(), "/plain/12/34");
    let axum_strings = of(axum, "/strings/12/34");
    println!(
        "plain {plain} (axum {axum_plain}), Path of numbers {numbers}, \
         of strings {strings} (axum {axum_strings}), RouteParams {params}, MatchedPattern {pattern}"
    );

    assert!(plain <= 8, "a plain handler: {plain}");
    assert!(strings <= 11, "`Path` of two strings: {strings}");
    assert_eq!(strings, numbers + 2, "the two strings themselves");
    assert_eq!(params, numbers, "no allocation for a parameter");
    assert_eq!(pattern, numbers, "no allocation for a pattern");
    assert!(plain < axum_plain && strings < axum_strings);
}

#[test]
fn an_escape_costs_the_decoded_text_only() {
    let app = TrieRouter::new()
        .get("/p/{a}", |Path(a): Path<char>| async move {
            assert_eq!(a, 'é');
            "ok"
        })
        .build();
    let plain = of(app.clone(), "/p/é");
    assert_eq!(of(app, "/p/%C3%A9"), plain + 1);
}
