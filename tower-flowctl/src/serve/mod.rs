//! Serving HTTP/1 and HTTP/2 over any listener, as `axum::serve` does, with what that leaves out: the
//! [knobs](Http2Tuning) of HTTP/2, [connection-local execution](Exec), a deadline for request heads, closing single
//! connections, and a bounded drain.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use tower_flowctl::serve::{Exec, Http2Tuning};
//!
//! let app = axum::Router::new();
//! let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
//! let end = tower_flowctl::serve(listener, app)
//!     .tuning(Http2Tuning::default().max_concurrent_streams(100))
//!     .exec(Exec::Local)
//!     .run_until(tokio::signal::ctrl_c())
//!     .await;
//! println!("{end:?}");
//! # Ok(())
//! # }
//! ```

mod driver;
mod executor;
mod http1;
mod server;
mod service;
mod tuning;
mod woken;

pub use self::{
    executor::Exec,
    http1::{HalfClosed, Pipelined},
    server::{CloseWhen, End, NeverClose, Serve},
    tuning::Http2Tuning,
};

/// Serves every connection of a listener with clones of one service, such as an `axum::Router`.
pub fn serve<L, S>(listener: L, service: S) -> Serve<L, impl FnMut(&L::Io, &L::Addr) -> S>
where
    L: axum::serve::Listener,
    S: Clone,
{
    serve_with(listener, move |_: &L::Io, _: &L::Addr| service.clone())
}

/// Serves every connection with a service of its own, made from the stream and the address of the client.
///
/// With axum's [`ConnectInfo`](axum::extract::ConnectInfo):
///
/// ```no_run
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// use axum::{Extension, extract::ConnectInfo};
/// use std::net::SocketAddr;
/// use tokio::net::TcpStream;
///
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// tower_flowctl::serve_with(listener, move |_: &TcpStream, address: &SocketAddr| {
///     tower::ServiceBuilder::new()
///         .layer(Extension(ConnectInfo(*address)))
///         .service(app.clone())
/// })
/// .run()
/// .await;
/// # Ok(())
/// # }
/// ```
pub fn serve_with<L, M, S>(listener: L, make: M) -> Serve<L, M>
where
    L: axum::serve::Listener,
    M: FnMut(&L::Io, &L::Addr) -> S,
{
    Serve::new(listener, make)
}
