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

mod close;
mod connection;
mod driver;
mod executor;
mod http1;
mod queue;
mod server;
mod service;
mod settings;
mod tuning;
mod woken;

use std::any::Any;

use axum::Router;

pub use self::{
    close::{CloseWhen, NeverClose},
    executor::Exec,
    http1::{HalfClosed, Pipelined},
    server::{End, Serve},
    tuning::Http2Tuning,
};

/// Serves every connection of a listener with clones of one service, such as an `axum::Router`.
///
/// A router is [given its state](Router::with_state), as `axum::serve` does it: until then it makes its handlers' routes anew for
/// each request.
pub fn serve<L, S>(listener: L, service: S) -> Serve<L, impl FnMut(&L::Io, &L::Addr) -> S>
where
    L: axum::serve::Listener,
    S: Clone + 'static,
{
    let service = with_routes_made(service);
    serve_with(listener, move |_: &L::Io, _: &L::Addr| service.clone())
}

/// The service; if it is a router, with its handlers' routes made.
fn with_routes_made<S: 'static>(mut service: S) -> S {
    if let Some(router) = (&mut service as &mut dyn Any).downcast_mut::<Router>() {
        *router = std::mem::take(router).with_state(());
    }
    service
}

/// Serves every connection with a service of its own, made from the stream and the address of the client.
///
/// Clones of a router cost less a request when it was [given its state](Router::with_state) before, be it `()`. With axum's
/// [`ConnectInfo`](axum::extract::ConnectInfo):
///
/// ```no_run
/// # async fn run(app: axum::Router) -> std::io::Result<()> {
/// use axum::{Extension, extract::ConnectInfo};
/// use std::net::SocketAddr;
/// use tokio::net::TcpStream;
///
/// let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
/// let app = app.with_state(());
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
