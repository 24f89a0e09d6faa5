//! What a TLS handshake costs the server: full and resumed.
//!
//! Client and server are in this process and exchange bytes in memory. Only the server's steps are timed, by the
//! thread's CPU time.

use std::{io::Cursor, sync::Arc, time::Duration};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion,
    client::{ClientSessionMemoryCache, Resumption},
    crypto::ring,
    pki_types::ServerName,
    server::Acceptor,
    version::{TLS12, TLS13},
};
use tower_hotswap::{
    Version,
    tls::{Certificates, HotTls, HotTlsBuilder},
};

use crate::{
    report::{Report, Table, number},
    stats::median,
    suite::Options,
    timing, tools,
};

type Build = fn() -> HotTlsBuilder;

const MEMORIES: [(&str, Build); 3] = [
    ("none: full", || HotTls::builder().no_resumption()),
    ("tickets", HotTls::builder),
    ("cache", || HotTls::builder().session_cache(1024)),
];

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    tools::missing(
        "aws-lc-rs",
        "its C code is long to compile, and is no dependency of this package; the figures are ring's",
    );
    let mut table = Table::new(
        "TLS handshakes by ring, microseconds of the server's CPU time, and so many a second and core",
        &[
            "version and key",
            "full",
            "resumed by ticket",
            "resumed from the cache",
        ],
    );
    for (key, algorithm) in [
        ("ECDSA P-256", &PKCS_ECDSA_P256_SHA256),
        ("RSA 2048", &PKCS_RSA_SHA256),
    ] {
        let key_pair = match key {
            "RSA 2048" => rsa_key(),
            _ => KeyPair::generate_for(algorithm).map_err(|e| e.to_string()),
        };
        let key_pair = match key_pair {
            Ok(key_pair) => key_pair,
            Err(why) => {
                tools::missing(key, &why);
                continue;
            }
        };
        for (number_of_version, tls_version) in [("1.2", &TLS12), ("1.3", &TLS13)] {
            let mut cells = vec![format!("TLS {number_of_version}, {key}")];
            for (memory, build) in MEMORIES {
                let micros = handshakes(&key_pair, tls_version, build, options.pick(50, 500));
                let micros = micros.map_err(|e| format!("{}, {memory}: {e}", cells[0]))?;
                cells.push(format!("{} ({:.0}/s)", number(micros), 1e6 / micros));
            }
            table.row(cells);
        }
    }
    report.table(table);
    Ok(())
}

/// ring cannot make RSA keys; openssl can.
fn rsa_key() -> Result<KeyPair, String> {
    let made = std::process::Command::new("openssl")
        .args([
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
        ])
        .output()
        .map_err(|e| format!("openssl makes the key and does not start: {e}"))?;
    let pem = String::from_utf8_lossy(&made.stdout);
    KeyPair::from_pem(&pem).map_err(|e| e.to_string())
}

/// The median of the server's time, in microseconds. Every handshake has to be of the kind that is measured.
fn handshakes(
    key: &KeyPair,
    tls_version: &'static SupportedProtocolVersion,
    build: Build,
    count: usize,
) -> Result<f64, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let params = CertificateParams::new(["localhost".to_owned()]).map_err(|e| text(&e))?;
    let certificate = params.self_signed(key).map_err(|e| text(&e))?;
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    let certificates = Certificates::builder().pem(chain.as_bytes(), key.as_bytes());
    let certificates = certificates.and_then(|builder| builder.build());
    let version = Version::new(semver::Version::new(1, 0, 0), chain.as_bytes());
    let tls = certificates.and_then(|certificates| build().build(certificates, version));
    let tls = tls.map_err(|e| text(&e))?;

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).map_err(|e| text(&e))?;
    let provider = Arc::new(ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[tls_version])
        .map_err(|e| text(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    client.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    let client = Arc::new(client);

    // The first is always a full one.
    let (_, resumes) = (handshake(&tls, &client)?, tls.ticket_keys().is_some());
    let mut times = Vec::with_capacity(count);
    let mut kinds = Vec::with_capacity(count);
    for _ in 0..count {
        let (time, kind) = handshake(&tls, &client)?;
        times.push(time.as_nanos() as f64 / 1_000.0);
        kinds.push(kind == HandshakeKind::Resumed);
    }
    let resumed = kinds.iter().filter(|resumed| **resumed).count();
    if resumed != 0 && resumed != count || resumes && resumed == 0 {
        return Err(format!("{resumed} of {count} handshakes were resumed"));
    }
    Ok(median(&times))
}

fn handshake(
    tls: &HotTls,
    client: &Arc<ClientConfig>,
) -> Result<(Duration, HandshakeKind), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let name = ServerName::try_from("localhost").map_err(|e| text(&e))?;
    let mut client = ClientConnection::new(client.clone(), name).map_err(|e| text(&e))?;
    let mut spent = Duration::ZERO;
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    client.write_tls(&mut to_server).map_err(|e| text(&e))?;

    let begin = timing::now();
    let mut acceptor = Acceptor::default();
    acceptor
        .read_tls(&mut Cursor::new(std::mem::take(&mut to_server)))
        .map_err(|e| text(&e))?;
    let accepted = acceptor.accept().map_err(|(e, _)| text(&e))?;
    let accepted = accepted.ok_or("the hello came in pieces")?;
    let config = tls.config(&accepted.client_hello());
    let server = accepted.into_connection(config);
    let mut server: ServerConnection = server.map_err(|(e, _)| text(&e))?;
    spent += timing::now() - begin;

    while server.is_handshaking() || client.is_handshaking() || server.wants_write() {
        let begin = timing::now();
        while server.wants_write() {
            server.write_tls(&mut to_client).map_err(|e| text(&e))?;
        }
        spent += timing::now() - begin;
        let mut input = Cursor::new(std::mem::take(&mut to_client));
        while (input.position() as usize) < input.get_ref().len() {
            client.read_tls(&mut input).map_err(|e| text(&e))?;
            client.process_new_packets().map_err(|e| text(&e))?;
        }
        while client.wants_write() {
            client.write_tls(&mut to_server).map_err(|e| text(&e))?;
        }
        let begin = timing::now();
        let mut input = Cursor::new(std::mem::take(&mut to_server));
        while (input.position() as usize) < input.get_ref().len() {
            server.read_tls(&mut input).map_err(|e| text(&e))?;
            server.process_new_packets().map_err(|e| text(&e))?;
        }
        spent += timing::now() - begin;
    }
    let kind = server
        .handshake_kind()
        .ok_or("the handshake has not ended")?;
    Ok((spent, kind))
}
