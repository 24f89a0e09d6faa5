//! What a TLS handshake costs the server: full and resumed, by ring and by aws-lc-rs.

mod aws_lc;
mod measure;

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio_rustls::rustls::crypto::ring;

use self::measure::{Identity, Measured, Timing};
use crate::{
    report::{Better, Report, Table, number},
    rounds::Series,
    suite::Options,
    timing, tools,
};

pub(super) fn run(options: &Options, report: &mut Report) -> Result<(), String> {
    let identities = identities();
    let timing = Timing {
        rounds: options.pick(3, 20),
        now: timing::now,
    };
    let provider = Arc::new(ring::default_provider());
    let mut all = vec![("ring", measure::measure(&provider, &identities, timing)?)];
    match aws_lc::measure(&identities, timing.rounds, options) {
        Ok(measured) => all.push(("aws-lc-rs", measured)),
        Err(why) => tools::missing("aws-lc-rs", &why),
    }
    let mut table = Table::new(
        "TLS handshakes, microseconds of the server's CPU time, and so many a second and core",
        &["library", "version and key", FULL, TICKET, CACHE],
    );
    for (library, measured) in all {
        for Measured { name, samples } in measured {
            let series = Series {
                name: format!("{library}, {name}"),
                metrics: METRICS
                    .map(str::to_owned)
                    .into_iter()
                    .zip(samples)
                    .collect(),
            };
            let mut row = vec![library.to_owned(), name];
            row.extend(METRICS.map(|metric| {
                let micros = series.median(metric);
                format!("{} ({:.0}/s)", number(micros), 1e6 / micros)
            }));
            table.row(row);
            for metric in [TICKET, CACHE] {
                report.figure(
                    format!("{}: {metric}, of a full handshake's time", series.name),
                    series.ratio_within(metric, FULL),
                    "x",
                    Better::Lower,
                );
            }
            report.series("handshakes", &[series])?;
        }
    }
    report.table(table);
    Ok(())
}

const FULL: &str = "full";
const TICKET: &str = "resumed by ticket";
const CACHE: &str = "resumed from the cache";
const METRICS: [&str; 3] = [FULL, TICKET, CACHE];

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
