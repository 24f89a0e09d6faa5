//! A listener for `axum::serve`.

use std::{collections::VecDeque, io, time::Duration};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use futures_util::{Stream, stream};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{HandshakeInfo, HotTls, HotTlsStream};

type Accepted<L> = (HotTlsStream<<L as Listener>::Io>, <L as Listener>::Addr);

/// A listener whose connections are TLS, over any other listener.
///
/// Handshakes run beside each other, so that a slow one delays nobody, in tasks of their own. Their number is
/// limited: at the limit, new connections wait in the listener below until a handshake ends, and a handshake that has
/// had a second gives way to them. A flood of clients that say nothing is so thrown out as fast as it comes, and others get their
/// turn. A failed handshake closes its connection and is not reported.
///
/// For `ConnectInfo`, extract [`TlsConnectInfo`], or wrap the listener by axum's `tap_io(|_| {})` for the address alone:
///
/// ```no_run
/// # async fn run(tls: tower_hotswap::tls::HotTls, app: axum::Router) -> std::io::Result<()> {
/// use tower_hotswap::tls::{HotTlsListener, TlsConnectInfo};
///
/// let listener = tokio::net::TcpListener::bind("[::]:443").await?;
/// let app = app.into_make_service_with_connect_info::<TlsConnectInfo<std::net::SocketAddr>>();
/// axum::serve(HotTlsListener::new(listener, tls), app).await
/// # }
/// ```
#[derive(Debug)]
pub struct HotTlsListener<L: Listener> {
    inner: L,
    tls: HotTls,
    time_limit: Duration,
    limit: usize,
    handshakes: JoinSet<Option<Accepted<L>>>,
    /// When each began, the oldest first; some have ended.
    began: VecDeque<(Instant, AbortHandle)>,
}

/// What a handshake has for itself before it has to give way.
const PATIENCE: Duration = Duration::from_secs(1);

impl<L: Listener> HotTlsListener<L> {
    /// TLS over `inner`: 256 handshakes at once, 10 seconds each.
    pub fn new(inner: L, tls: HotTls) -> Self {
        Self {
            inner,
            tls,
            time_limit: Duration::from_secs(10),
            limit: 256,
            handshakes: JoinSet::new(),
            began: VecDeque::new(),
        }
    }

    /// How long a handshake may take, also one that goes on while early data is served.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How many handshakes may be under way; at least 1. One that goes on while early data is served does not count.
    #[must_use]
    pub fn handshake_limit(mut self, handshakes: usize) -> Self {
        self.limit = handshakes.max(1);
        self
    }

    /// Closes the listener below, and hands out what the handshakes under way come to, so that a server that stops can serve
    /// the clients whom it has let in. The stream ends with the last of them; dropping it closes those that are left.
    pub fn into_handshakes(
        self,
    ) -> impl Stream<Item = (HotTlsStream<L::Io>, L::Addr)> + Send + use<L>
    where
        L::Addr: 'static,
    {
        stream::unfold(self.handshakes, |mut handshakes| async move {
            while let Some(ended) = handshakes.join_next().await {
                if let Ok(Some(accepted)) = ended {
                    return Some((accepted, handshakes));
                }
            }
            None
        })
    }

    /// The listener below.
    pub fn get_ref(&self) -> &L {
        &self.inner
    }

    fn begin(&mut self, stream: L::Io, address: L::Addr)
    where
        L::Addr: 'static,
    {
        let (tls, limit) = (self.tls.clone(), self.time_limit);
        let handle = self.handshakes.spawn(async move {
            let deadline = Instant::now().checked_add(limit);
            let handshake = timeout(limit, tls.accept_until(stream, deadline));
            let stream = handshake.await.ok()?.ok()?;
            Some((stream, address))
        });
        self.began.push_back((Instant::now(), handle));
    }

    /// Forgets those that ended, from the oldest on, and says since when the oldest is under way.
    fn oldest(&mut self) -> Option<Instant> {
        while let Some((began, handle)) = self.began.front() {
            if !handle.is_finished() {
                return Some(*began);
            }
            self.began.pop_front();
        }
        None
    }
}

impl<L: Listener> Listener for HotTlsListener<L>
where
    L::Addr: 'static,
{
    type Io = HotTlsStream<L::Io>;
    type Addr = L::Addr;

    /// # Cancellation
    /// Handshakes under way go on, if the inner listener loses nothing by cancellation.
    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let oldest = self.oldest();
            let full = self.handshakes.len() >= self.limit;
            let gives_way = oldest.map_or_else(Instant::now, |began| began + PATIENCE);
            tokio::select! {
                biased;
                Some(ended) = self.handshakes.join_next(), if !self.handshakes.is_empty() => {
                    if let Ok(Some(accepted)) = ended {
                        return accepted;
                    }
                }
                () = sleep_until(gives_way), if full => {
                    if let Some((_, handle)) = self.began.pop_front() {
                        handle.abort();
                    }
                }
                (stream, address) = self.inner.accept(), if !full => self.begin(stream, address),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.inner.local_addr()
    }
}

/// The peer's address and what the handshake came to, for axum's `ConnectInfo`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TlsConnectInfo<A> {
    /// The peer's address, as the listener below knows it.
    pub address: A,
    /// The handshake.
    pub handshake: HandshakeInfo,
}

impl<L> Connected<IncomingStream<'_, HotTlsListener<L>>> for TlsConnectInfo<L::Addr>
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    fn connect_info(stream: IncomingStream<'_, HotTlsListener<L>>) -> Self {
        Self {
            address: stream.remote_addr().clone(),
            handshake: HandshakeInfo::of(stream.io()),
        }
    }
}
