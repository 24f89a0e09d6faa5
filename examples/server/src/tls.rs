//! TLS around a listener's streams, with the operator's certificate or one made at the start.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::{error, fmt, io};

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream as Established;
use tokio_rustls::{Accept, TlsAcceptor, rustls};
use tower_flowctl::admission::{Admitted, Connection};

use crate::accept::OverSocket;
use crate::config::Config;

/// What the self-signed certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Reads the certificate and its key, or makes both.
///
/// # Errors
/// When a file cannot be read, holds something else, or the two do not belong together.
pub(crate) fn acceptor(config: &Config) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = match (&config.tls_certificate, &config.tls_key) {
        (Some(chain), Some(key)) => read(chain, key)?,
        _ => self_signed()?,
    };
    let mut server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(chain: &Path, key: &Path) -> Result<Identity, TlsError> {
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(in_file(chain))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(in_file(key))?;
    Ok((chain, key))
}

fn self_signed() -> Result<Identity, TlsError> {
    let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))
        .map_err(TlsError::SelfSigned)?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
        .expect("a key that was just made is a key");
    Ok((vec![made.cert.der().clone()], key))
}

/// Why there is no TLS.
#[derive(Debug)]
pub(crate) enum TlsError {
    File { path: PathBuf, source: pem::Error },
    Pair(rustls::Error),
    SelfSigned(rcgen::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { path, source } => {
                write!(f, "cannot take PEM from {}: {source}", path.display())
            }
            TlsError::Pair(source) => write!(
                f,
                "the certificate and the key cannot be used together: {source}"
            ),
            TlsError::SelfSigned(source) => write!(f, "cannot make a certificate: {source}"),
        }
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            TlsError::File { source, .. } => Some(source),
            TlsError::Pair(source) => Some(source),
            TlsError::SelfSigned(source) => Some(source),
        }
    }
}

/// A listener whose streams are encrypted.
pub(crate) struct TlsListener<L> {
    listener: L,
    acceptor: TlsAcceptor,
}

impl<L> TlsListener<L> {
    pub(crate) fn new(listener: L, acceptor: TlsAcceptor) -> Self {
        TlsListener { listener, acceptor }
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsStream<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = self.listener.accept().await;
        (
            TlsStream::Handshake(Box::new(self.acceptor.accept(stream))),
            peer,
        )
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A stream that shakes hands when it is first read, so that a slow client holds up nobody else.
pub(crate) enum TlsStream<S> {
    Handshake(Box<Accept<S>>),
    Established(Box<Established<S>>),
}

impl<S: Admitted + AsyncRead + AsyncWrite + Unpin> Admitted for TlsStream<S> {
    fn admitted(&self) -> Connection {
        match self {
            TlsStream::Handshake(accept) => accept.get_ref(),
            TlsStream::Established(stream) => Some(stream.get_ref().0),
        }
        .map(Admitted::admitted)
        .expect("a stream is there until the handshake has ended")
    }
}

impl<S: OverSocket + AsyncRead + AsyncWrite + Unpin> OverSocket for TlsStream<S> {
    #[cfg(unix)]
    fn socket(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        match self {
            TlsStream::Handshake(accept) => accept.get_ref()?.socket(),
            TlsStream::Established(stream) => stream.get_ref().0.socket(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    fn poll_established(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Pin<&mut Established<S>>>> {
        if let TlsStream::Handshake(accept) = self {
            let stream = ready!(Pin::new(accept).poll(context))?;
            *self = TlsStream::Established(Box::new(stream));
        }
        match self {
            TlsStream::Established(stream) => Poll::Ready(Ok(Pin::new(stream))),
            TlsStream::Handshake(_) => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_established(context))?.poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_established(context))?.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_established(context))?.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // Nothing was written yet.
            TlsStream::Handshake(_) => Poll::Ready(Ok(())),
            TlsStream::Established(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            TlsStream::Handshake(_) => Poll::Ready(Ok(())),
            TlsStream::Established(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
