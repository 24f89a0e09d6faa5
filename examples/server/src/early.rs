//! Requests that came before their connection's TLS handshake had ended (0-RTT), which anybody who saw them may have sent
//! again: tower-hotswap's guard, inside of what counts and describes its 425.

use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use tower::{Layer, Service};
use tower_hotswap::tls::{EarlyDataFuture, EarlyDataLayer};
use tower_pool::context;

use crate::facts::Facts;

/// Has only safe requests come early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EarlyLayer;

impl<S> Layer<S> for EarlyLayer {
    type Service = Early<S>;

    fn layer(&self, inner: S) -> Early<S> {
        Early(inner)
    }
}

/// The service of [`EarlyLayer`]. It is the same for all connections; which one a request is of, its facts say.
#[derive(Debug, Clone)]
pub(crate) struct Early<S>(S);

impl<S: Service<Request, Response = Response>> Service<Request> for Early<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = EarlyDataFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // What does not come from a connection is as the headers say.
        let early = context::update(|facts: &mut Facts| facts.early.clone());
        let mut guarded = EarlyDataLayer::of_connection(early.ok().flatten()).layer(&mut self.0);
        guarded.call(request)
    }
}
