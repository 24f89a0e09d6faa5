//! Handshakes between a client and a server in this process, which exchange bytes in memory. Only the server's steps are
//! timed.
//!
//! `benches/aws-lc` compiles this file, too: the same work for both libraries.

use std::{io::Cursor, sync::Arc, time::Duration};

use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
    client::{ClientSessionMemoryCache, Resumption},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    server::Acceptor,
    version::{TLS12, TLS13},
};
use tower_hotswap::{
    Version,
    tls::{Certificates, HotTls, HotTlsBuilder},
};

/// A key and its certificate for `localhost`, in PEM.
pub(crate) struct Identity {
    pub(crate) key_kind: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// The medians of the server's time in microseconds, by how sessions are remembered: not, in tickets, in a cache.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) micros: [f64; 3],
}

type Build = fn() -> HotTlsBuilder;

const MEMORIES: [(&str, Build); 3] = [
    ("none: full", || HotTls::builder().no_resumption()),
    ("tickets", HotTls::builder),
    ("cache", || HotTls::builder().session_cache(1024)),
];

/// How handshakes are timed.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) count: usize,
    /// This thread's time on the processor.
    pub(crate) now: fn() -> Duration,
}

/// Each identity under TLS 1.2 and 1.3, with each memory.
pub(crate) fn measure(
    provider: &Arc<CryptoProvider>,
    identities: &[Identity],
    timing: Timing,
) -> Result<Vec<Measured>, String> {
    let mut measured = Vec::new();
    for identity in identities {
        for (number, version) in [("1.2", &TLS12), ("1.3", &TLS13)] {
            let name = format!("TLS {number}, {}", identity.key_kind);
            let mut micros = [0.0; 3];
            for ((memory, build), micros) in MEMORIES.into_iter().zip(&mut micros) {
                let builder = build().provider(provider.clone());
                let median = handshakes(provider, identity, version, builder, timing);
                *micros = median.map_err(|e| format!("{name}, {memory}: {e}"))?;
            }
            measured.push(Measured { name, micros });
        }
    }
    Ok(measured)
}

/// The median of the server's time, in microseconds. Every handshake has to be of the kind that is measured.
fn handshakes(
    provider: &Arc<CryptoProvider>,
    identity: &Identity,
    tls_version: &'static SupportedProtocolVersion,
    builder: HotTlsBuilder,
    timing: Timing,
) -> Result<f64, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let chain = identity.chain.as_bytes();
    let certificates = Certificates::builder().pem(chain, identity.key.as_bytes());
    let certificates = certificates.and_then(|builder| builder.build_with(provider));
    let version = Version::new(semver::Version::new(1, 0, 0), chain);
    let tls = certificates.and_then(|certificates| builder.build(certificates, version));
    let tls = tls.map_err(|e| text(&e))?;

    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(chain).map_err(|e| text(&e))?;
    roots.add(root).map_err(|e| text(&e))?;
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[tls_version])
        .map_err(|e| text(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    client.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    let client = Arc::new(client);

    // The first is always a full one.
    let (_, resumes) = (
        handshake(&tls, &client, timing.now)?,
        tls.ticket_keys().is_some(),
    );
    let count = timing.count;
    let mut times = Vec::with_capacity(count);
    let mut kinds = Vec::with_capacity(count);
    for _ in 0..count {
        let (time, kind) = handshake(&tls, &client, timing.now)?;
        times.push(time.as_nanos() as f64 / 1_000.0);
        kinds.push(kind == HandshakeKind::Resumed);
    }
    let resumed = kinds.iter().filter(|resumed| **resumed).count();
    if resumed != 0 && resumed != count || resumes && resumed == 0 {
        return Err(format!("{resumed} of {count} handshakes were resumed"));
    }
    times.sort_by(f64::total_cmp);
    times
        .get(count / 2)
        .copied()
        .ok_or("no handshakes were asked for".into())
}

fn handshake(
    tls: &HotTls,
    client: &Arc<ClientConfig>,
    now: fn() -> Duration,
) -> Result<(Duration, HandshakeKind), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let name = ServerName::try_from("localhost").map_err(|e| text(&e))?;
    let mut client = ClientConnection::new(client.clone(), name).map_err(|e| text(&e))?;
    let mut spent = Duration::ZERO;
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    client.write_tls(&mut to_server).map_err(|e| text(&e))?;

    let begin = now();
    let mut acceptor = Acceptor::default();
    acceptor
        .read_tls(&mut Cursor::new(std::mem::take(&mut to_server)))
        .map_err(|e| text(&e))?;
    let accepted = acceptor.accept().map_err(|(e, _)| text(&e))?;
    let accepted = accepted.ok_or("the hello came in pieces")?;
    let config = tls.config(&accepted.client_hello());
    let server = accepted.into_connection(config);
    let mut server: ServerConnection = server.map_err(|(e, _)| text(&e))?;
    spent += now() - begin;

    while server.is_handshaking() || client.is_handshaking() || server.wants_write() {
        let begin = now();
        while server.wants_write() {
            server.write_tls(&mut to_client).map_err(|e| text(&e))?;
        }
        spent += now() - begin;
        let mut input = Cursor::new(std::mem::take(&mut to_client));
        while (input.position() as usize) < input.get_ref().len() {
            client.read_tls(&mut input).map_err(|e| text(&e))?;
            client.process_new_packets().map_err(|e| text(&e))?;
        }
        while client.wants_write() {
            client.write_tls(&mut to_server).map_err(|e| text(&e))?;
        }
        let begin = now();
        let mut input = Cursor::new(std::mem::take(&mut to_server));
        while (input.position() as usize) < input.get_ref().len() {
            server.read_tls(&mut input).map_err(|e| text(&e))?;
            server.process_new_packets().map_err(|e| text(&e))?;
        }
        spent += now() - begin;
    }
    let kind = server
        .handshake_kind()
        .ok_or("the handshake has not ended")?;
    Ok((spent, kind))
}
