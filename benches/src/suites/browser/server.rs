//! The servers: threads of this process, since nothing of theirs is at its limit at 20 Mbit/s.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivatePkcs8KeyDer},
    server::TlsStream,
};

use super::{
    chromium::Chromium,
    record::Record,
    site::{self, Log, Visit},
};

pub(super) const NAMES: [&str; 2] = ["axum", "flowctl"];

/// A server that runs until the process ends.
pub(super) struct Server {
    address: SocketAddr,
    log: Log,
}

impl Server {
    pub(super) fn start(name: &'static str) -> Result<Self, String> {
        let log = Log::new();
        let (address, addresses) = std::sync::mpsc::channel();
        let theirs = log.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let served = runtime
                .map_err(|e| e.to_string())
                .and_then(|runtime| runtime.block_on(serve(name, theirs, address)));
            if let Err(error) = served {
                eprintln!("{name}: {error}");
            }
        });
        let address = addresses
            .recv()
            .map_err(|_| format!("{name} does not start"))?;
        Ok(Self { address, log })
    }

    /// Opens a page of this server in a new browser, and waits for what it reports.
    pub(super) fn visit(
        &self,
        chromium: &Chromium,
        path: &str,
        patience: Duration,
    ) -> Result<Visit, String> {
        self.log.restart();
        let begun = Instant::now();
        let mut tab = chromium.open(&format!("https://{}{path}", self.address))?;
        loop {
            if let Some(visit) = self.log.finished() {
                return Ok(visit);
            }
            if tab.has_ended() {
                return Err("chromium ended before the page had reported".into());
            }
            if begun.elapsed() > patience {
                return Err(format!("the page did not report within {patience:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

async fn serve(
    name: &str,
    log: Log,
    address: std::sync::mpsc::Sender<SocketAddr>,
) -> Result<(), String> {
    let listener = Tls::bind(log.clone()).await?;
    let bound = listener.local_addr().map_err(|e| e.to_string())?;
    let _ = address.send(bound);
    let app = site::app(log);
    match name {
        "flowctl" => {
            tower_flowctl::serve(listener, app)
                .socket(|io| Some(io.get_ref().get_ref().0.as_fd()))
                .run()
                .await;
            Ok(())
        }
        _ => axum::serve(listener, app).await.map_err(|e| e.to_string()),
    }
}

type Io = Record<TlsStream<TcpStream>>;

/// A listener whose handshakes do not wait for each other.
struct Tls {
    address: SocketAddr,
    ready: mpsc::UnboundedReceiver<(Io, SocketAddr)>,
}

impl Tls {
    async fn bind(log: Log) -> Result<Self, String> {
        let acceptor = acceptor().map_err(|e| format!("the certificate: {e}"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let (handshaken, ready) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((socket, address)) = listener.accept().await {
                let (acceptor, log) = (acceptor.clone(), log.clone());
                let handshaken = handshaken.clone();
                tokio::spawn(async move {
                    let _ = socket.set_nodelay(true);
                    if let Ok(stream) = acceptor.accept(socket).await {
                        let _ = handshaken.send((Record::new(stream, log), address));
                    }
                });
            }
        });
        Ok(Self { address, ready })
    }
}

impl Listener for Tls {
    type Io = Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Io, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

fn acceptor() -> Result<TlsAcceptor, Box<dyn std::error::Error>> {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
