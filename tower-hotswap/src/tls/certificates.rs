//! Certificates with their keys, chosen by server name.

use std::{collections::HashMap, fmt, fs, path::Path, sync::Arc, time::SystemTime};

use tokio_rustls::rustls::{
    Error, InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ClientHello,
    sign::CertifiedKey,
};

use super::{TlsError, der};

/// Certificates with their keys. A client gets the one for the name it asks for.
///
/// A name takes the certificate that has it, or one with a wildcard for its last labels; of several (ECDSA and RSA, say),
/// the first whose key the client can verify. A client that gives no name, or one that no certificate
/// has, gets the first of all.
#[derive(Debug)]
pub struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    by_name: HashMap<String, Vec<Arc<CertifiedKey>>>,
    warnings: Vec<String>,
}

impl Certificates {
    /// Begins with none.
    pub fn builder() -> CertificatesBuilder {
        CertificatesBuilder { pairs: Vec::new() }
    }

    /// One certificate chain and its key from two files in PEM.
    ///
    /// # Errors
    /// As [`CertificatesBuilder::files`] and [`CertificatesBuilder::build`].
    pub fn from_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::builder().files(chain, key)?.build()
    }

    /// What is odd and was accepted: certificates that expired or are not valid yet.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The names that certificates have, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn choose(&self, client: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = client.server_name().and_then(|name| self.of_name(name));
        let candidates = named.unwrap_or(&self.all);
        let usable = |certificate: &&Arc<CertifiedKey>| {
            let schemes = client.signature_schemes();
            certificate.key.choose_scheme(schemes).is_some()
        };
        // If none is usable, rustls says so to the client.
        candidates
            .iter()
            .find(usable)
            .or(candidates.first())
            .cloned()
    }

    /// The certificates of a name, which rustls gives in lower case or not.
    fn of_name(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        let name = name.to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

/// Makes [`Certificates`].
#[must_use = "nothing is made before `build`"]
pub struct CertificatesBuilder {
    pairs: Vec<Pair>,
}

struct Pair {
    origin: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl CertificatesBuilder {
    /// Adds a chain, the server's certificate first, and its key, both in PEM.
    ///
    /// # Errors
    /// [`TlsError::NoCertificate`], [`TlsError::NoKey`].
    pub fn pem(self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        self.add(
            "the certificate".to_owned(),
            chain,
            "the key".to_owned(),
            key,
        )
    }

    /// Adds a chain and its key from files in PEM, which may be one and the same.
    ///
    /// # Errors
    /// [`TlsError::Unreadable`] besides those of [`pem`](Self::pem).
    pub fn files(self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (chain, key) = (chain.as_ref(), key.as_ref());
        let read = |path: &Path| {
            fs::read(path).map_err(|source| TlsError::Unreadable {
                path: path.to_owned(),
                source: Arc::new(source),
            })
        };
        let name = |path: &Path| path.display().to_string();
        self.add(name(chain), &read(chain)?, name(key), &read(key)?)
    }

    fn add(
        mut self,
        origin: String,
        chain: &[u8],
        key_origin: String,
        key: &[u8],
    ) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.unwrap_or_default();
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { origin });
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| TlsError::NoKey { origin: key_origin })?;
        self.pairs.push(Pair { origin, chain, key });
        Ok(self)
    }

    /// The certificates, by the process's default cryptography, or ring if none was installed.
    ///
    /// # Errors
    /// [`TlsError::Empty`], [`TlsError::BadKey`], [`TlsError::BadCertificate`], [`TlsError::Mismatch`].
    pub fn build(self) -> Result<Certificates, TlsError> {
        self.build_with(&super::config::default_provider())
    }

    /// The certificates, by this cryptography.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with(self, provider: &CryptoProvider) -> Result<Certificates, TlsError> {
        let mut certificates = Certificates {
            all: Vec::new(),
            by_name: HashMap::new(),
            warnings: Vec::new(),
        };
        for pair in self.pairs {
            pair.put_into(&mut certificates, provider)?;
        }
        if certificates.all.is_empty() {
            return Err(TlsError::Empty);
        }
        Ok(certificates)
    }
}

impl Pair {
    fn put_into(
        self,
        certificates: &mut Certificates,
        provider: &CryptoProvider,
    ) -> Result<(), TlsError> {
        let Self { origin, chain, key } = self;
        let names = names(&chain[0]).ok_or_else(|| TlsError::BadCertificate {
            origin: origin.clone(),
        })?;
        certificates.warnings.extend(oddity(&origin, &chain[0]));
        let certified =
            CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch { origin }
                }
                source => TlsError::BadKey { origin, source },
            })?;
        let certified = Arc::new(certified);
        for name in names {
            let same_name = certificates.by_name.entry(name).or_default();
            same_name.push(certified.clone());
        }
        certificates.all.push(certified);
        Ok(())
    }
}

fn names(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    let names = parsed.valid_dns_names();
    Some(names.map(str::to_ascii_lowercase).collect())
}

/// What a certificate's dates say against it.
fn oddity(origin: &str, certificate: &CertificateDer<'_>) -> Option<String> {
    let (not_before, not_after) = der::validity(certificate)?;
    let now = SystemTime::now();
    if let Ok(ago) = now.duration_since(not_after) {
        let days = ago.as_secs() / 86_400;
        return Some(format!(
            "the first certificate of {origin} expired {days} days ago"
        ));
    }
    let ahead = not_before.duration_since(now).ok()?;
    let days = ahead.as_secs() / 86_400;
    Some(format!(
        "the first certificate of {origin} is not valid for another {days} days"
    ))
}

impl fmt::Debug for CertificatesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.pairs.iter().map(|pair| &pair.origin);
        f.debug_list().entries(origins).finish()
    }
}
