//! Settings from a URL, the same for a whole fleet: tower-hotswap's `HttpSource`, which asks with `If-None-Match`.
//!
//! The server starts without them and has them in force when they come, so that it also starts while nobody answers.

use std::sync::Arc;

use axum::body::Body;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower_hotswap::source::{HttpSource, Source, SourceError};

use crate::assembly::RequestPlane;
use crate::reload::{ReloadError, Reloader};

/// Bytes that settings may have.
const LIMIT: u64 = 1 << 20;

/// Puts into force whatever the URL has, for ever. What it has that is wrong changes nothing.
pub(crate) async fn follow<S: RequestPlane>(reloader: Arc<Reloader<S>>) {
    let Some(remote) = reloader.loader().remote().cloned() else {
        return;
    };
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(remote.tls.clone())
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(connector);
    let mut source = HttpSource::new(client, remote.url.clone(), remote.interval).limit(LIMIT);
    let origin = source.origin().to_string();
    loop {
        let taken = match source.next().await {
            Ok(content) => match String::from_utf8(content.bytes) {
                Ok(text) => reloader.take(text, &origin).await,
                Err(_) => Err(ReloadError::NotText),
            },
            Err(SourceError::Ended) => return,
            Err(error) => Err(ReloadError::Source(error)),
        };
        if let Err(error) = taken {
            tracing::error!(%error, origin, "settings refused; those in force stay");
        }
    }
}
