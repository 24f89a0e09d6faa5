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

/// The server's time in microseconds, by how sessions are remembered: not, in tickets, in a cache.
///
/// A sample is the median of the handshakes of one round; the memories take turns round by round.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) samples: [Vec<f64>; 3],
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
    pub(crate) rounds: usize,
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
            let mut pairs = Vec::new();
            for (memory, build) in MEMORIES {
                let builder = build().provider(provider.clone());
                let pair = Pair::new(provider, identity, version, builder, timing.now);
                pairs.push(pair.map_err(|e| format!("{name}, {memory}: {e}"))?);
            }
            let mut samples = [const { Vec::new() }; 3];
            for _ in 0..timing.rounds {
                for ((pair, of_it), (memory, _)) in pairs.iter().zip(&mut samples).zip(MEMORIES) {
                    let median = pair.round(timing.now);
                    of_it.push(median.map_err(|e| format!("{name}, {memory}: {e}"))?);
                }
            }
            measured.push(Measured { name, samples });
        }
    }
    Ok(measured)
}

/// Handshakes of a round.
const HANDSHAKES: usize = 25;

/// A server and a client that has been there before.
struct Pair {
    server: HotTls,
    client: Arc<ClientConfig>,
    /// What every handshake has to be.
    kind: HandshakeKind,
}

impl Pair {
    fn new(
        provider: &Arc<CryptoProvider>,
        identity: &Identity,
        tls_version: &'static SupportedProtocolVersion,
        builder: HotTlsBuilder,
        now: fn() -> Duration,
    ) -> Result<Self, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let chain = identity.chain.as_bytes();
        let certificates = Certificates::builder().pem(chain, identity.key.as_bytes());
        let certificates = certificates.and_then(|builder| builder.build_with(provider));
        let version = Version::new(semver::Version::new(1, 0, 0), chain);
        let server = certificates.and_then(|certificates| builder.build(certificates, version));
        let server = server.map_err(|e| text(&e))?;

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

        // The first is always a full one, and tells nothing of the kind of the next.
        handshake(&server, &client, now)?;
        let (_, kind) = handshake(&server, &client, now)?;
        if server.ticket_keys().is_some() && kind != HandshakeKind::Resumed {
            return Err(format!("a handshake by ticket was {kind:?}"));
        }
        Ok(Self {
            server,
            client,
            kind,
        })
    }

    /// The median of a round, in microseconds.
    fn round(&self, now: fn() -> Duration) -> Result<f64, String> {
        let mut times = Vec::with_capacity(HANDSHAKES);
        for _ in 0..HANDSHAKES {
            let (time, kind) = handshake(&self.server, &self.client, now)?;
            if kind != self.kind {
                return Err(format!("a handshake was {kind:?} and not {:?}", self.kind));
            }
            times.push(time.as_nanos() as f64 / 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[HANDSHAKES / 2])
    }
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
