//! What a TLS handshake costs the server: full and resumed, by ring and by aws-lc-rs.

mod aws_lc;
mod measure;

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio_rustls::rustls::crypto::ring;

use self::measure::{Identity, Measured, Timing};
use crate::{
    report::{Report, Table, number},
    suite::Options,
    timing, tools,
};

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let identities = identities();
    let timing = Timing {
        count: options.pick(50, 500),
        now: timing::now,
    };
    let mut table = Table::new(
        "TLS handshakes, microseconds of the server's CPU time, and so many a second and core",
        &[
            "library",
            "version and key",
            "full",
            "resumed by ticket",
            "resumed from the cache",
        ],
    );
    let mut rows = |library: &str, measured: Vec<Measured>| {
        for Measured { name, micros } in measured {
            let cells = micros.map(|micros| format!("{} ({:.0}/s)", number(micros), 1e6 / micros));
            let mut row = vec![library.to_owned(), name];
            row.extend(cells);
            table.row(row);
        }
    };
    let provider = Arc::new(ring::default_provider());
    rows("ring", measure::measure(&provider, &identities, timing)?);
    match aws_lc::measure(&identities, timing.count, options) {
        Ok(measured) => rows("aws-lc-rs", measured),
        Err(why) => tools::missing("aws-lc-rs", &why),
    }
    report.table(table);
    Ok(())
}

/// The keys that can be made here.
fn identities() -> Vec<Identity> {
    let ecdsa = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|e| e.to_string());
    let keys = [("ECDSA P-256", ecdsa), ("RSA 2048", rsa_key())];
    let made = keys.into_iter().map(|(kind, key)| {
        let identity = key.and_then(|key| identity(kind, &key));
        identity.map_err(|why| tools::missing(kind, &why)).ok()
    });
    made.flatten().collect()
}

fn identity(kind: &str, key: &KeyPair) -> Result<Identity, String> {
    let params = CertificateParams::new(["localhost".to_owned()]);
    let certificate = params.and_then(|params| params.self_signed(key));
    Ok(Identity {
        key_kind: kind.to_owned(),
        chain: certificate.map_err(|e| e.to_string())?.pem(),
        key: key.serialize_pem(),
    })
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
