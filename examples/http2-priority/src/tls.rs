//! A listener that encrypts, with a certificate of its own making.

use std::{error::Error, io, net::SocketAddr, sync::Arc};

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

use crate::link::{Link, Rate};

type Io = TlsStream<Link<TcpStream>>;

/// Connections whose handshake is done. Handshakes do not wait for each other.
pub(crate) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Io, SocketAddr)>,
}

impl TlsListener {
    pub(crate) async fn bind(address: SocketAddr, rate: Rate) -> Result<Self, Box<dyn Error>> {
        let mut listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let acceptor = acceptor()?;
        let (handshaken, ready) = mpsc::channel(64);
        tokio::spawn(async move {
            loop {
                let (socket, peer) = Listener::accept(&mut listener).await;
                let (acceptor, handshaken) = (acceptor.clone(), handshaken.clone());
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(Link::new(socket, rate)).await {
                        // What rustls holds goes out before anything more urgent.
                        stream.get_mut().1.set_buffer_limit(Some(16 << 10));
                        let _ = handshaken.send((stream, peer)).await;
                    }
                });
            }
        });
        Ok(Self { address, ready })
    }
}

fn acceptor() -> Result<TlsAcceptor, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Listener for TlsListener {
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
