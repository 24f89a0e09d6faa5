//! Handshakes, resumption and certificates that change.
#![cfg(all(feature = "rustls", not(hotswap_loom)))]

use std::{sync::Arc, time::SystemTime};

use rcgen::{CertificateParams, KeyPair};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, HandshakeKind, SupportedProtocolVersion,
        client::{ClientSessionMemoryCache, Resumption, danger},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
        version::{TLS12, TLS13},
    },
};
use tower_hotswap::{
    Draft, Version,
    tls::{
        AlpnResumption, Certificates, HandshakeInfo, HotTls, HotTlsBuilder, TicketKeys, TlsError,
    },
};

fn version(number: u64) -> Version {
    Version::new(semver::Version::new(1, number, 0), &number.to_le_bytes())
}

struct Pair {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn pair_with(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Pair {
        chain: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().clone(),
    }
}

fn pair(names: &[&str]) -> Pair {
    pair_with(names, |_| {})
}

fn certificates(pairs: &[&Pair]) -> Certificates {
    let mut builder = Certificates::builder();
    for pair in pairs {
        builder = builder
            .pem(pair.chain.as_bytes(), pair.key.as_bytes())
            .unwrap();
    }
    builder.build().unwrap()
}

/// Accepts every certificate: these tests are about which one is shown.
#[derive(Debug)]
struct AcceptAll;

impl danger::ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<danger::ServerCertVerified, rustls::Error> {
        Ok(danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Ok(danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<danger::HandshakeSignatureValid, rustls::Error> {
        Ok(danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A client with a memory of sessions.
struct Client {
    config: ClientConfig,
}

struct Seen {
    resumed: bool,
    certificate: Option<CertificateDer<'static>>,
    server: HandshakeInfo,
}

impl Client {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAll))
            .with_no_client_auth();
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(64)));
        Self { config }
    }

    async fn try_connect(
        &self,
        tls: &HotTls,
        name: &str,
        protocols: &[&str],
    ) -> std::io::Result<Seen> {
        // A clone: rustls resumes only under the verifier that the session was made with.
        let mut config = self.config.clone();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config.enable_sni = !name.is_empty();
        let name = if name.is_empty() {
            "none.example"
        } else {
            name
        };
        let (near, far) = tokio::io::duplex(64 << 10);
        let tls = tls.clone();
        let server = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let mut stream = tls.accept(far).await?;
            let info = HandshakeInfo::of(&stream);
            stream.write_all(b"x").await?;
            stream.shutdown().await?;
            std::io::Result::Ok(info)
        });
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connected = TlsConnector::from(Arc::new(config))
            .connect(name, near)
            .await;
        let server = server.await.unwrap();
        let mut stream = connected?;
        // The tickets of TLS 1.3 come after the handshake.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await?;
        let (_, connection) = stream.get_ref();
        let certificate = connection
            .peer_certificates()
            .map(|chain| chain[0].clone().into_owned());
        Ok(Seen {
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            certificate,
            server: server?,
        })
    }

    async fn connect(&self, tls: &HotTls, name: &str, protocols: &[&str]) -> Seen {
        let seen = self.try_connect(tls, name, protocols).await.unwrap();
        assert_eq!(seen.server.is_resumed, seen.resumed, "both sides agree");
        seen
    }
}

type Build = fn() -> HotTlsBuilder;

const MEMORIES: [(&str, Build); 4] = [
    ("random tickets", HotTls::builder),
    ("derived tickets", || {
        HotTls::builder().tickets(TicketKeys::derived(&[7; 32]).unwrap())
    }),
    ("cache", || HotTls::builder().session_cache(64)),
    ("cache and early data", || {
        HotTls::builder().session_cache(64).early_data(1024)
    }),
];

const VERSIONS: [(&str, &SupportedProtocolVersion); 2] = [("1.2", &TLS12), ("1.3", &TLS13)];

#[tokio::test]
async fn a_session_is_resumed_under_its_name_and_protocol_only() {
    let site = pair(&["one.example", "two.example"]);
    for (memory, build) in MEMORIES {
        for (number, tls_version) in VERSIONS {
            for policy in [AlpnResumption::Scoped, AlpnResumption::Rfc] {
                let case = format!("{memory}, TLS {number}, {policy:?}");
                let tls = build()
                    .resumption(policy)
                    .build(certificates(&[&site]), version(0))
                    .unwrap();
                let again = |name: &'static str, protocols: &'static [&'static str]| {
                    let tls = tls.clone();
                    async move {
                        let client = Client::new(tls_version);
                        assert!(!client.connect(&tls, "one.example", &["h2"]).await.resumed);
                        client.connect(&tls, name, protocols).await
                    }
                };
                let same = again("one.example", &["h2"]).await;
                assert!(same.resumed, "{case}: the same");
                assert_eq!(same.server.protocol.as_deref(), Some(&b"h2"[..]), "{case}");
                assert_eq!(
                    same.server.server_name.as_deref(),
                    Some("one.example"),
                    "{case}"
                );
                let preferred = again("one.example", &["http/1.1", "h2"]).await;
                assert!(preferred.resumed, "{case}: h2 is chosen again");
                let crosses = policy == AlpnResumption::Rfc;
                let other = again("one.example", &["http/1.1"]).await;
                assert_eq!(other.resumed, crosses, "{case}: another protocol");
                assert_eq!(
                    other.server.protocol.as_deref(),
                    Some(&b"http/1.1"[..]),
                    "{case}"
                );
                let none = again("one.example", &[]).await;
                assert_eq!(none.resumed, crosses, "{case}: no protocol");
                assert!(
                    !again("two.example", &["h2"]).await.resumed,
                    "{case}: another name"
                );
            }
        }
    }
}

#[tokio::test]
async fn old_tickets_resume_after_a_reload_and_new_handshakes_see_the_new_certificate() {
    let (old, new) = (pair(&["one.example"]), pair(&["one.example"]));
    for (memory, build) in MEMORIES {
        for (number, tls_version) in VERSIONS {
            let case = format!("{memory}, TLS {number}");
            let tls = build().build(certificates(&[&old]), version(0)).unwrap();
            let client = Client::new(tls_version);
            let first = client.connect(&tls, "one.example", &["h2"]).await;
            assert_eq!(first.certificate.unwrap(), old.der, "{case}");
            let draft = Draft::new(version(1), certificates(&[&new]));
            tls.certificates().publish(draft).await.unwrap();
            assert!(
                client.connect(&tls, "one.example", &["h2"]).await.resumed,
                "{case}"
            );
            let stranger = Client::new(tls_version);
            let full = stranger.connect(&tls, "one.example", &["h2"]).await;
            assert_eq!(full.certificate.unwrap(), new.der, "{case}");
            tls.certificates().rollback(version(0)).unwrap();
            let full = Client::new(tls_version)
                .connect(&tls, "one.example", &["h2"])
                .await;
            assert_eq!(full.certificate.unwrap(), old.der, "{case}: rolled back");
        }
    }
}

#[tokio::test]
async fn sessions_permit_early_data_only_if_it_was_asked_for() {
    let site = pair(&["one.example"]);
    for (memory, build) in MEMORIES {
        let tls = build().build(certificates(&[&site]), version(0)).unwrap();
        let mut client = Client::new(&TLS13);
        client.config.enable_early_data = true;
        client.connect(&tls, "one.example", &["h2"]).await;
        let again = client.connect(&tls, "one.example", &["h2"]).await;
        assert!(again.resumed, "{memory}");
        // What a client may send early is part of the session that it would resume now.
        let name = ServerName::try_from("one.example").unwrap();
        let mut config = client.config.clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut next = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let asked_for = memory.contains("early data");
        assert_eq!(next.early_data().is_some(), asked_for, "{memory}");
    }
}

#[tokio::test]
async fn forgotten_sessions_are_not_resumed() {
    let site = pair(&["one.example"]);
    let builds: [Build; 4] = [
        HotTls::builder,
        || HotTls::builder().session_cache(64),
        || HotTls::builder().early_data(1024),
        || HotTls::builder().no_resumption(),
    ];
    for (index, build) in builds.into_iter().enumerate() {
        for (number, tls_version) in VERSIONS {
            let tls = build().build(certificates(&[&site]), version(0)).unwrap();
            let client = Client::new(tls_version);
            client.connect(&tls, "one.example", &["h2"]).await;
            tls.forget_sessions().unwrap();
            let after = client.connect(&tls, "one.example", &["h2"]).await;
            assert!(!after.resumed, "case {index}, TLS {number}");
        }
    }
}

#[tokio::test]
async fn machines_with_one_secret_resume_each_others_sessions() {
    let site = pair(&["one.example"]);
    let machine = |secret: u8, scope: &str| {
        let keys = TicketKeys::derived(&[secret; 32]).unwrap();
        HotTls::builder()
            .tickets(keys)
            .scope(scope)
            .build(certificates(&[&site]), version(0))
            .unwrap()
    };
    let client = Client::new(&TLS13);
    for (secret, scope, resumed) in [
        (1, "", false),
        (1, "", true),
        (2, "", false),
        (2, "strict", false),
    ] {
        let seen = client
            .connect(&machine(secret, scope), "one.example", &["h2"])
            .await;
        assert_eq!(seen.resumed, resumed, "secret {secret}, scope `{scope}`");
    }
}

#[tokio::test]
async fn the_certificate_is_chosen_by_name() {
    let (one, wild, rest) = (
        pair(&["one.example"]),
        pair(&["*.wild.example"]),
        pair(&["rest.example"]),
    );
    let tls = HotTls::new(certificates(&[&rest, &wild, &one]), version(0)).unwrap();
    let cases = [
        ("one.example", &one),
        ("ONE.example", &one),
        ("a.wild.example", &wild),
        ("a.b.wild.example", &rest),
        ("wild.example", &rest),
        ("unknown.example", &rest),
        ("", &rest),
    ];
    for (name, wanted) in cases {
        let seen = Client::new(&TLS13).connect(&tls, name, &["h2"]).await;
        assert_eq!(seen.certificate.unwrap(), wanted.der, "`{name}`");
    }
}

#[tokio::test]
async fn a_client_that_offers_none_of_our_protocols_is_refused() {
    let tls = HotTls::new(certificates(&[&pair(&["one.example"])]), version(0)).unwrap();
    let refused = Client::new(&TLS13)
        .try_connect(&tls, "one.example", &["spdy/1"])
        .await;
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test]
async fn bad_material_is_refused_with_a_reason_and_the_old_one_serves() {
    let (good, other) = (pair(&["one.example"]), pair(&["one.example"]));
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let chain = write("chain.pem", &good.chain);
    let key = write("key.pem", &good.key);
    let other_key = write("other.pem", &other.key);
    let garbled = write("garbled.pem", &good.chain.replacen('M', "!", 3));
    let empty = write("empty.pem", "");
    let missing = folder.path().join("missing.pem");
    let tls = HotTls::new(certificates(&[&good]), version(0)).unwrap();
    let cases = [
        (
            "certificate without key",
            &chain,
            &empty,
            "has no private key",
        ),
        ("key is a certificate", &chain, &chain, "has no private key"),
        (
            "key without certificate",
            &empty,
            &key,
            "has no certificate",
        ),
        (
            "mismatched pair",
            &chain,
            &other_key,
            "do not belong together",
        ),
        ("garbled certificate", &garbled, &key, "has no certificate"),
        ("missing file", &missing, &key, "cannot be read"),
    ];
    for (name, chain, key, reason) in cases {
        let (chain, key) = (chain.clone(), key.clone());
        let draft = Draft::build(version(1), move || {
            Ok(Certificates::from_files(chain, key)?)
        });
        let error = tls
            .certificates()
            .publish(draft)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{name}: {error}");
        assert!(error.contains(".pem"), "{name} names the file: {error}");
        let seen = Client::new(&TLS13)
            .connect(&tls, "one.example", &["h2"])
            .await;
        assert_eq!(seen.certificate.unwrap(), good.der, "{name}");
    }
    assert!(matches!(
        Certificates::builder().build(),
        Err(TlsError::Empty)
    ));
    let keys = tls.ticket_keys().unwrap();
    assert!(
        keys.install("not a key")
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}

#[tokio::test]
async fn an_expired_certificate_is_accepted_with_a_warning() {
    let now = SystemTime::now();
    let day = std::time::Duration::from_secs(86_400);
    let expired = pair_with(&["one.example"], |params| {
        params.not_before = (now - 40 * day).into();
        params.not_after = (now - 10 * day - day / 2).into();
    });
    let early = pair_with(&["one.example"], |params| {
        params.not_before = (now + 10 * day + day / 2).into()
    });
    let certificates = certificates(&[&expired, &early, &pair(&["one.example"])]);
    let [first, second] = certificates.warnings() else {
        panic!("{:?}", certificates.warnings());
    };
    assert!(first.ends_with("expired 10 days ago"), "{first}");
    assert!(
        second.ends_with("is not valid for another 10 days"),
        "{second}"
    );
    let tls = HotTls::new(certificates, version(0)).unwrap();
    let seen = Client::new(&TLS13)
        .connect(&tls, "one.example", &["h2"])
        .await;
    assert_eq!(seen.certificate.unwrap(), expired.der);
}
