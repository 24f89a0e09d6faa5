//! An identity, and a client that trusts it.

use std::sync::Arc;

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower_hotswap::tls::Certificates;

/// A certificate and its key, as PEM.
pub(crate) type Pair = (String, String);

/// One for `localhost` that nobody else has signed.
pub(crate) fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

pub(crate) fn certificates((chain, key): &Pair) -> Certificates {
    Certificates::builder()
        .pem(chain.as_bytes(), key.as_bytes())
        .unwrap()
        .build()
        .unwrap()
}

/// A client that trusts these and speaks this protocol.
pub(crate) fn client(trusted: &[&Pair], protocol: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for (chain, _) in trusted {
        roots
            .add(CertificateDer::from_pem_slice(chain.as_bytes()).unwrap())
            .unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.into()];
    config
}
