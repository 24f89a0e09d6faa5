//! The loop that takes connections and the drain that ends it.
//!
//! As `axum::serve`, over any axum `Listener`, and with what that leaves out: a deadline for request heads,
//! limits for HTTP/2, and a bounded drain.

use std::sync::Arc;

use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;

use crate::assembly::RequestPlane;
use crate::config::Config;
use crate::shutdown::Shutdown;

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Every request in flight was answered.
    Drained,
    /// The drain timeout cut off this many connections.
    Cut(usize),
}

/// Serves every connection of the listener until shutdown is asked for, then drains.
pub(crate) async fn serve<L, S>(
    mut listener: L,
    service: S,
    config: &Config,
    mut shutdown: Shutdown,
) -> End
where
    L: Listener,
    S: RequestPlane,
{
    let protocol = protocol(config);
    let connections = GracefulShutdown::new();
    // Each connection holds a clone, so that those left over can be counted.
    let alive = Arc::new(());
    loop {
        let (io, _peer) = tokio::select! {
            connection = listener.accept() => connection,
            () = shutdown.asked() => break,
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = protocol
            .serve_connection_with_upgrades(TokioIo::new(io), service)
            .into_owned();
        let connection = connections.watch(connection);
        let alive = alive.clone();
        tokio::spawn(async move {
            let _alive = alive;
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    let finished = tokio::time::timeout(config.drain_timeout, connections.shutdown());
    match finished.await {
        Ok(()) => End::Drained,
        Err(_) => End::Cut(Arc::strong_count(&alive) - 1),
    }
}

/// HTTP/1.1, or HTTP/2 where the client starts with its preface (prior knowledge, RFC 9113 §3.3).
fn protocol(config: &Config) -> Builder<TokioExecutor> {
    let mut protocol = Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        // A silent peer is asked whether it is there, and dropped when it does not say so.
        .keep_alive_interval(config.header_timeout)
        .keep_alive_timeout(config.header_timeout);
    protocol
}
