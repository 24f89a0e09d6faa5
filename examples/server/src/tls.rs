//! Certificates and ticket keys (tower-hotswap): the operator's files, or made at the start; taken in again at each reload.

use std::error::Error;
use std::path::Path;
use std::sync::OnceLock;
use std::{fmt, fs, io};

use tower_hotswap::tls::{Certificates, HotTls, TicketKeys, TlsError as HotTlsError};
use tower_hotswap::{Draft, SwapError, Version};

use crate::config::Config;

/// What the self-signed certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Reads the certificate and its key, or makes both.
///
/// # Errors
/// When a file cannot be read, holds something else, or the two do not belong together.
pub(crate) fn open(config: &Config) -> Result<HotTls, TlsError> {
    let tls = HotTls::builder();
    let tls = match &config.tls_ticket_keys {
        Some(file) => tls.tickets(ticket_keys(file)?),
        None => tls,
    };
    let tls = tls.early_data(config.tls_early_data.unwrap_or(0));
    let (chain, key) = identity(config)?;
    let certificates = certificates(&chain, &key)?;
    Ok(tls.build(certificates, version(1, &chain))?)
}

/// Whether the files that the configuration names can be used.
///
/// # Errors
/// As [`open`].
pub(crate) fn check(config: &Config) -> Result<(), TlsError> {
    if config.tls_listen.is_some() {
        config
            .tls_ticket_keys
            .as_deref()
            .map(ticket_keys)
            .transpose()?;
        let (chain, key) = identity(config)?;
        certificates(&chain, &key)?;
    }
    Ok(())
}

/// Takes the files in again. Certificates that are as they were stay; connections and sessions stay anyway.
///
/// # Errors
/// As [`open`]; what was in use goes on.
pub(crate) async fn renew(tls: &HotTls, config: &Config) -> Result<(), TlsError> {
    if let (Some(file), Some(keys)) = (&config.tls_ticket_keys, tls.ticket_keys()) {
        keys.install(&text_of(file)?)?;
    }
    let (chain, key) = identity(config)?;
    let handle = tls.certificates();
    let current = handle.current();
    let renewed = version(current.version.number().patch + 1, &chain);
    if renewed.hash() == current.version.hash() {
        return Ok(());
    }
    let draft = Draft::build(renewed, move || Ok(certificates(&chain, &key)?));
    let published = handle.publish(draft.origin("settings")).await?;
    tracing::info!(
        version = published.snapshot().version.short(),
        "certificate in use"
    );
    Ok(())
}

/// A number, and the hash of the certificate, which is no secret.
fn version(patch: u64, chain: &str) -> Version {
    Version::parse(&format!("1.0.{patch}"), chain.as_bytes()).expect("it is a version")
}

fn certificates(chain: &str, key: &str) -> Result<Certificates, HotTlsError> {
    let certificates = Certificates::builder()
        .pem(chain.as_bytes(), key.as_bytes())?
        .build()?;
    for warning in certificates.warnings() {
        tracing::warn!(warning, "a certificate is not as it should be");
    }
    Ok(certificates)
}

/// The certificate chain and its key: the operator's, or those of this process.
fn identity(config: &Config) -> Result<(String, String), TlsError> {
    match (&config.tls_certificate, &config.tls_key) {
        (Some(chain), Some(key)) => Ok((text_of(chain)?, text_of(key)?)),
        _ => self_signed(),
    }
}

fn ticket_keys(file: &Path) -> Result<TicketKeys, TlsError> {
    TicketKeys::from_text(&text_of(file)?).map_err(|source| TlsError::TicketKeys {
        path: file.display().to_string(),
        source,
    })
}

/// Made once, so that settings which go back to it go back to the same.
fn self_signed() -> Result<(String, String), TlsError> {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))
        .map_err(|error| TlsError::SelfSigned(error.into()))?;
    let made = (made.cert.pem(), made.signing_key.serialize_pem());
    Ok(MADE.get_or_init(|| made).clone())
}

fn text_of(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| TlsError::File {
        path: path.display().to_string(),
        source,
    })
}

/// Why there is no TLS, or why it goes on with what it has.
#[derive(Debug)]
pub(crate) enum TlsError {
    File { path: String, source: io::Error },
    TicketKeys { path: String, source: HotTlsError },
    Unusable(HotTlsError),
    Refused(SwapError),
    SelfSigned(Box<dyn Error + Send + Sync>),
}

impl From<HotTlsError> for TlsError {
    fn from(error: HotTlsError) -> Self {
        TlsError::Unusable(error)
    }
}

impl From<SwapError> for TlsError {
    fn from(error: SwapError) -> Self {
        TlsError::Refused(error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::File { path, source } => write!(f, "cannot read {path}: {source}"),
            TlsError::TicketKeys { path, source } => {
                write!(f, "cannot use the ticket keys of {path}: {source}")
            }
            TlsError::Unusable(source) => write!(f, "cannot use the certificate: {source}"),
            TlsError::Refused(source) => write!(f, "the certificate is refused: {source}"),
            TlsError::SelfSigned(source) => write!(f, "cannot make a certificate: {source}"),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TlsError::File { source, .. } => Some(source),
            TlsError::TicketKeys { source, .. } | TlsError::Unusable(source) => Some(source),
            TlsError::Refused(source) => Some(source),
            TlsError::SelfSigned(source) => Some(&**source),
        }
    }
}
