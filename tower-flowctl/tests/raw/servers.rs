//! The servers under test.

use axum::{Router, serve::Listener};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tower_flowctl::{
    http2::{Http2Config, PriorityLayer, PriorityListener, ReceiveBudget},
    serve::Exec,
};

use super::{Dialer, Memory};

/// Who serves. All have hyper's defaults for HTTP/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// hyper-util's server for both protocols.
    Hyper,
    /// `axum::serve`.
    Axum,
    /// `axum::serve` over our listener, with our layer.
    Layered,
    /// `tower_flowctl::serve`.
    Flowctl(Exec),
    /// The same with windows that follow a budget.
    Budgeted,
}

impl Server {
    pub(crate) const ALL: [Self; 6] = [
        Self::Hyper,
        Self::Axum,
        Self::Layered,
        Self::Flowctl(Exec::Local),
        Self::Flowctl(Exec::Spawn),
        Self::Budgeted,
    ];

    /// Whether this crate is in it.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Layered | Self::Flowctl(_) | Self::Budgeted)
    }

    /// Serves the application in a task that ends with the runtime.
    pub(crate) fn start(self, app: Router) -> Dialer {
        self.start_with(app, Http2Config::default())
    }

    /// The same with settings for those that have them.
    pub(crate) fn start_with(self, app: Router, config: Http2Config) -> Dialer {
        let (mut listener, dialer) = Memory::bind();
        match self {
            Self::Hyper => drop(tokio::spawn(async move {
                loop {
                    let (stream, ()) = listener.accept().await;
                    let service = TowerToHyperService::new(app.clone());
                    tokio::spawn(async move {
                        // How a connection ends is seen by the client.
                        let _ = auto::Builder::new(TokioExecutor::new())
                            .serve_connection_with_upgrades(TokioIo::new(stream), service)
                            .await;
                    });
                }
            })),
            Self::Axum => drop(tokio::spawn(async move {
                axum::serve(listener, app).await.unwrap();
            })),
            Self::Layered => drop(tokio::spawn(async move {
                let app = app.layer(PriorityLayer::new());
                let listener = PriorityListener::new(listener).config(config);
                axum::serve(listener, app).await.unwrap();
            })),
            Self::Flowctl(exec) => drop(tokio::spawn(
                tower_flowctl::serve(listener, app)
                    .exec(exec)
                    .http2(config)
                    .run(),
            )),
            Self::Budgeted => drop(tokio::spawn(
                tower_flowctl::serve(listener, app)
                    .receive_budget(ReceiveBudget::new(16 << 20))
                    .http2(config)
                    .run(),
            )),
        }
        dialer
    }
}
