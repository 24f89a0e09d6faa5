//! One connection: hyper's, driven until it ends or is told to.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{sync::watch, time::Sleep};
use tower_service::Service;

use super::{
    HalfClosed, driver::Driver, executor::Executor, server::BoxError, service::Scheduled,
    settings::Settings, woken::WhenWoken,
};

/// What every connection is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serve,
    Drain,
    Stop,
}

pub(super) async fn connection<Io, S, B>(
    io: Io,
    service: Scheduled<S>,
    settings: Arc<Settings>,
    asked: Option<impl Future<Output = ()>>,
    phase: watch::Receiver<Phase>,
) where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let executor = Executor::new(settings.exec);
    let mut builder = Builder::new(executor.clone());
    let mut http1 = builder.http1();
    http1
        .half_close(settings.half_closed == HalfClosed::Answer)
        .header_read_timeout(settings.header_timeout);
    if settings.header_timeout.is_some() {
        http1.timer(TokioTimer::new());
    }
    settings.hyper().apply(&mut builder);
    let heard = service.heard.clone();
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(io), service)
        .into_owned();
    let mut driver = Driver::new(connection, executor);
    let mut orders = pin!(WhenWoken::new(orders(asked, phase)));
    // While a drain waits for the first request.
    let mut grace: Option<Pin<Box<Sleep>>> = None;
    loop {
        tokio::select! {
            biased;
            () = &mut driver => return,
            order = orders.next() => match order {
                Some(Order::Close) => driver.graceful_shutdown(),
                Some(Order::Drain) if heard.load(Relaxed) => driver.graceful_shutdown(),
                Some(Order::Drain) => {
                    grace = Some(Box::pin(tokio::time::sleep(settings.grace())));
                }
                Some(Order::Stop) => return,
                None => break,
            },
            // The driver was polled just now, so that a request that woke this task has been seen.
            () = poll_fn(|cx| match &mut grace {
                Some(grace) if !heard.load(Relaxed) => grace.as_mut().poll(cx),
                _ => Poll::Ready(()),
            }), if grace.is_some() => {
                grace = None;
                driver.graceful_shutdown();
            }
        }
    }
    if grace.is_some() {
        driver.graceful_shutdown();
    }
    driver.await;
}

/// What a connection is told.
enum Order {
    Close,
    /// To close once it has had a request, or will not have one soon.
    Drain,
    Stop,
}

/// What a connection will be told, by its own future and by the server; the end when nobody is left to tell it anything.
fn orders(
    asked: Option<impl Future<Output = ()>>,
    phase: watch::Receiver<Phase>,
) -> impl Stream<Item = Order> {
    let asked = stream::iter(asked).then(|asked| async {
        asked.await;
        Order::Close
    });
    let phases = stream::unfold((phase, Phase::Drain), |(mut phase, awaited)| async move {
        // An error is that the server's future was dropped.
        let phase_now = phase.wait_for(|&phase| phase >= awaited).await;
        let order = match *phase_now.ok()? {
            Phase::Stop => Order::Stop,
            _ => Order::Drain,
        };
        Some((order, (phase, Phase::Stop)))
    });
    stream::select(asked, phases)
}
