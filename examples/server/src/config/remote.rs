//! Settings that are had from a URL.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use http::Uri;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::source::Origin;
use super::{ConfigError, parse};

/// Where settings are asked for, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) url: Uri,
    pub(crate) interval: Duration,
    /// Says who is believed; nobody, where the URL is one of plain HTTP.
    pub(crate) tls: ClientConfig,
}

impl Remote {
    /// What the flags or the environment say.
    ///
    /// # Errors
    /// When it cannot be asked, or there is a file as well.
    pub(super) fn find(
        flags: &ArgMatches,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some((text, origin)) = find("config-url", flags, variable)? else {
            for name in ["config-ca", "config-interval"] {
                if let Some((_, origin)) = find(name, flags, variable)? {
                    let message = "this is about the settings of config-url, which is not set";
                    return Err(ConfigError::new(origin, message));
                }
            }
            return Ok(None);
        };
        if flags.contains_id("config") || variable("SERVER_CONFIG").is_some() {
            let message =
                "settings come from a file or from a URL; set one of config and config-url";
            return Err(ConfigError::new(origin, message));
        }
        let url = text
            .parse()
            .ok()
            .filter(|url: &Uri| matches!(url.scheme_str(), Some("http" | "https")));
        let Some(url) = url.filter(|url| url.authority().is_some()) else {
            let message = format!("{text:?} cannot be asked; write https://host:port/path");
            return Err(ConfigError::new(origin, message));
        };
        let is_secure = url.scheme_str() == Some("https");
        let roots = match find("config-ca", flags, variable)? {
            Some((file, origin)) if is_secure => authorities(Path::new(&file))
                .map_err(|message| ConfigError::new(origin, message))?,
            Some((_, origin)) => {
                let message = "nobody shows a certificate over plain HTTP; let config-url begin with https, or leave this out";
                return Err(ConfigError::new(origin, message));
            }
            None if is_secure => {
                let message = "whom to believe is to be said: name a file of certificates by config-ca, such as /etc/ssl/certs/ca-certificates.crt";
                return Err(ConfigError::new(origin, message));
            }
            None => RootCertStore::empty(),
        };
        let interval = match find("config-interval", flags, variable)? {
            Some((text, origin)) => {
                parse::duration(&text).map_err(|message| ConfigError::new(origin, message))?
            }
            None => Duration::from_secs(10),
        };
        Ok(Some(Remote {
            url,
            interval,
            tls: client(roots),
        }))
    }
}

/// The certificates in a file of PEM.
fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let cannot = |why: String| format!("cannot use {}: {why}", file.display());
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| cannot(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    // The file of a system may have some that are not understood.
    let (added, _) = roots.add_parsable_certificates(certificates);
    match added {
        0 => Err(cannot("it has no certificate in PEM".to_owned())),
        _ => Ok(roots),
    }
}

fn client(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the versions of TLS that were compiled in")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn find(
    key: &str,
    flags: &ArgMatches,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<(String, Origin)>, ConfigError> {
    if let Some(text) = flags.get_one::<String>(key) {
        return Ok(Some((text.clone(), Origin::Flag(format!("--{key}")))));
    }
    let name = format!("SERVER_{}", key.replace('-', "_").to_uppercase());
    let Some(text) = variable(&name) else {
        return Ok(None);
    };
    match text.into_string() {
        Ok(text) => Ok(Some((text, Origin::Variable(name)))),
        Err(_) => Err(ConfigError::new(
            Origin::Variable(name),
            "the value is not UTF-8",
        )),
    }
}
