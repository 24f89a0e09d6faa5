//! The typed request context: through tower and axum, its errors, and that it allocates nothing.
#![cfg(all(feature = "axum", not(pool_loom)))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    convert::Infallible,
};

use axum::{Router, body::Body, middleware, routing::get};
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_pool::context::{self, Context, ContextError, ContextLayer, Reset};

struct Counting;

thread_local! {
    /// Allocator calls of this thread.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Debug, Default)]
struct Facts {
    user: Option<u64>,
    seen: Vec<&'static str>,
}

impl Reset for Facts {
    fn reset(&mut self) {
        self.user = None;
        self.seen.clear();
    }
}

#[derive(Debug, Default)]
struct Other(u8);

impl Reset for Other {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

async fn get_text(app: &Router, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn middleware_sets_handlers_read_and_the_next_request_finds_it_clean() {
    async fn handler(facts: Context<Facts>, other: Option<Context<Other>>) -> String {
        tokio::task::yield_now().await;
        assert_eq!(
            context::update(|_: &mut Facts| ()).unwrap_err(),
            ContextError::Shared("context::Facts")
        );
        format!(
            "{:?} {:?} {}",
            facts.user,
            facts.seen,
            other.map_or(0, |other| other.0)
        )
    }
    let auth = middleware::from_fn(
        |request: axum::extract::Request, next: middleware::Next| async move {
            let user = request.uri().query().map(|query| query.len() as u64);
            context::update(|facts: &mut Facts| {
                facts.user = user;
                facts.seen.push("auth");
            })
            .unwrap();
            context::update(|other: &mut Other| other.0 += 1).unwrap();
            let response = next.run(request).await;
            // The handler has let go: middleware may go on.
            context::update(|facts: &mut Facts| facts.seen.push("done")).unwrap();
            response
        },
    );
    let app = Router::new()
        .route("/", get(handler))
        .layer(auth)
        .layer(ContextLayer::<Other>::new())
        .layer(ContextLayer::<Facts>::new())
        .route("/outside", get(|_: Context<Facts>| async {}));
    assert_eq!(
        get_text(&app, "/?abc").await,
        (200, "Some(3) [\"auth\"] 1".to_owned())
    );
    assert_eq!(
        get_text(&app, "/").await,
        (200, "None [\"auth\"] 1".to_owned())
    );
    assert_eq!(get_text(&app, "/outside").await.0, 500);
    assert_eq!(
        Context::<Facts>::current().unwrap_err(),
        ContextError::Missing("context::Facts")
    );
}

#[tokio::test]
async fn a_context_that_is_kept_keeps_its_value_and_is_not_used_again() {
    let mut service = ContextLayer::<Facts>::new().layer(service_fn(async |user: u64| {
        context::update(|facts: &mut Facts| facts.user = Some(user)).unwrap();
        Ok::<_, Infallible>(Context::<Facts>::current().unwrap())
    }));
    let first = service.ready().await.unwrap().call(1).await.unwrap();
    let second = service.ready().await.unwrap().call(2).await.unwrap();
    let moved = tokio::spawn(async move { first.user }).await.unwrap();
    assert_eq!((moved, second.user), (Some(1), Some(2)));
}

#[tokio::test]
async fn a_panic_or_a_cancelled_request_leaves_nothing_on_the_stack() {
    let mut service = ContextLayer::<Facts>::new().layer(service_fn(async |fails: bool| {
        tokio::task::yield_now().await;
        assert!(!fails, "as asked");
        Ok::<_, Infallible>(())
    }));
    let failing = service.ready().await.unwrap().call(true);
    assert!(tokio::spawn(failing).await.unwrap_err().is_panic());
    let mut cancelled = Box::pin(service.ready().await.unwrap().call(false));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(cancelled.as_mut().poll(&mut cx).is_pending());
    drop(cancelled);
    assert!(Context::<Facts>::current().is_err());
    service.ready().await.unwrap().call(false).await.unwrap();
}

#[tokio::test]
async fn the_steady_state_allocates_nothing_where_extensions_do() {
    async fn work(_: Request<()>) -> Result<Response<()>, Infallible> {
        context::update(|facts: &mut Facts| {
            facts.user = Some(1);
            facts.seen.push("work");
        })
        .unwrap();
        let facts = Context::<Facts>::current().unwrap();
        assert_eq!(facts.user, Some(1));
        Ok(Response::new(()))
    }
    let mut service = ContextLayer::<Facts>::new().layer(service_fn(work));
    let mut count = 0;
    for round in 0..20 {
        let before = CALLS.get();
        service
            .ready()
            .await
            .unwrap()
            .call(Request::new(()))
            .await
            .unwrap();
        if round >= 10 {
            count += CALLS.get() - before;
        }
    }
    assert_eq!(count, 0, "allocations of ten requests with a context");

    let before = CALLS.get();
    let mut request = Request::new(());
    request.extensions_mut().insert(
        Facts {
            user: Some(1),
            seen: Vec::new(),
        }
        .user,
    );
    let extensions = CALLS.get() - before;
    println!("first extension: {extensions} allocations");
    assert!(
        extensions >= 3,
        "the documentation says three: {extensions}"
    );
}
