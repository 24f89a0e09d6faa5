//! `axum/src/routing/tests/get_to_head.rs`

use std::convert::Infallible;

use axum::{extract::Request, response::IntoResponse};
use http::{Method, StatusCode};
use tower::service_fn;

use crate::methods::{MethodRouter, get, get_service};
use crate::support::{Router, call};

/// A `HEAD` gets the headers of the `GET`, and no body.
async fn check(route: MethodRouter) {
    let app = Router::new().route("/", route).build();
    let (status, headers, body) = call(Method::HEAD, &app).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["x-some-header"], "foobar");
    assert_eq!(body, "");
}

async fn answer() -> impl IntoResponse {
    ([("x-some-header", "foobar")], "you shouldn't see this")
}

mod for_handlers {
    use super::*;

    #[tokio::test]
    async fn get_handles_head() {
        check(get(answer)).await;

        // The router's own method table, which axum's test has no counterpart of.
        let app = Router::new().get("/", answer).build();
        let (status, headers, body) = call(Method::HEAD, &app).await;
        assert_eq!((status, &*body), (StatusCode::OK, ""));
        assert_eq!(headers["x-some-header"], "foobar");
    }
}

mod for_services {
    use super::*;

    #[tokio::test]
    async fn get_handles_head() {
        let service =
            service_fn(|_: Request| async { Ok::<_, Infallible>(answer().await.into_response()) });
        check(get_service(service)).await;
    }
}
