//! The configuration of each protocol, over certificates that change.

use std::{fmt, sync::Arc};

use tokio_rustls::rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version,
};

use super::{Certificates, TicketKeys, TlsError, sessions::Sessions};
use crate::{Handle, Version, store::Store};

/// Whether a session may be resumed under another ALPN protocol than it was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AlpnResumption {
    /// No: only under the same server name and protocol.
    #[default]
    Scoped,
    /// Yes, as RFC 7301 permits: under the same server name.
    Rfc,
}

/// How sessions are remembered.
#[derive(Debug, Clone)]
enum Memory {
    /// By the client, in tickets.
    Tickets(TicketKeys),
    /// By the server, in a cache for each protocol of so many sessions.
    Cache(usize),
    /// Not at all.
    None,
}

/// TLS whose certificates are snapshots, replaced while it serves. A clone is the same.
#[derive(Debug, Clone)]
pub struct HotTls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    certificates: Handle<Certificates>,
    /// A configuration for each protocol, in the order of preference.
    protocols: Vec<(Vec<u8>, Arc<ServerConfig>)>,
    /// For clients that offer no protocol, and for those that offer none of ours, whom it refuses.
    others: [Arc<ServerConfig>; 2],
    memory: Memory,
    caches: Vec<Arc<Sessions>>,
}

impl HotTls {
    /// TLS 1.2 and 1.3 for `h2` and `http/1.1`, with stateless tickets under random keys.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`], [`TlsError::Config`].
    pub fn new(certificates: Certificates, version: Version) -> Result<Self, TlsError> {
        Self::builder().build(certificates, version)
    }

    /// Other settings than those of [`new`](Self::new).
    pub fn builder() -> HotTlsBuilder {
        HotTlsBuilder {
            provider: None,
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            memory: None,
            resumption: AlpnResumption::default(),
            scope: String::new(),
            tls12: true,
            early_data: 0,
        }
    }

    /// What replaces the certificates, and rolls them back.
    ///
    /// ```
    /// use tower_hotswap::{Draft, SwapError, Version, tls::{Certificates, HotTls}};
    ///
    /// # async fn renew(tls: HotTls, number: &str) -> Result<(), SwapError> {
    /// // Names the content by the certificate, which is no secret.
    /// let chain = std::fs::read("chain.pem").unwrap_or_default();
    /// let draft = Draft::build(Version::parse(number, &chain)?, || {
    ///     Ok(Certificates::from_files("chain.pem", "key.pem")?)
    /// });
    /// tls.certificates().publish(draft).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn certificates(&self) -> &Handle<Certificates> {
        &self.shared.certificates
    }

    /// The keys of tickets, where sessions are remembered by them.
    #[must_use]
    pub fn ticket_keys(&self) -> Option<&TicketKeys> {
        match &self.shared.memory {
            Memory::Tickets(keys) => Some(keys),
            _ => None,
        }
    }

    /// Forgets all sessions, so that every client makes a full handshake and sees the certificate: after a key was
    /// compromised. Open connections stay.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`].
    pub fn forget_sessions(&self) -> Result<(), TlsError> {
        self.shared.caches.iter().for_each(|cache| cache.forget());
        match &self.shared.memory {
            Memory::Tickets(keys) => keys.forget(),
            _ => Ok(()),
        }
    }

    /// The configuration for a client: that of the first of our protocols that it offers.
    ///
    /// With [`early_data`](HotTlsBuilder::early_data) it is for [`accept`](Self::accept) alone: tokio-rustls's acceptors would
    /// lose what came early.
    #[must_use]
    pub fn config(&self, client: &ClientHello<'_>) -> Arc<ServerConfig> {
        let [without, refusing] = &self.shared.others;
        let Some(offered) = client.alpn() else {
            return without.clone();
        };
        let offered: Vec<&[u8]> = offered.collect();
        let chosen = self
            .shared
            .protocols
            .iter()
            .find(|(protocol, _)| offered.contains(&protocol.as_slice()));
        chosen.map_or(refusing, |(_, config)| config).clone()
    }
}

/// The settings of a [`HotTls`].
#[derive(Debug, Clone)]
#[must_use = "nothing is made before `build`"]
pub struct HotTlsBuilder {
    provider: Option<Arc<CryptoProvider>>,
    protocols: Vec<Vec<u8>>,
    memory: Option<Memory>,
    resumption: AlpnResumption,
    scope: String,
    tls12: bool,
    /// How many bytes of early data a connection may begin with.
    early_data: u32,
}

impl HotTlsBuilder {
    /// The cryptography. Default: the process's, or ring if none was installed.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The ALPN protocols, the preferred one first. Default: `h2`, `http/1.1`.
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Remembers sessions in tickets under these keys. Default, with random ones, unless early data is asked for.
    pub fn tickets(mut self, keys: TicketKeys) -> Self {
        self.memory = Some(Memory::Tickets(keys));
        self
    }

    /// Remembers sessions here, `sessions` for each protocol at most, the oldest going first, instead of in tickets.
    pub fn session_cache(mut self, sessions: usize) -> Self {
        self.memory = Some(Memory::Cache(sessions));
        self
    }

    /// Remembers no sessions.
    pub fn no_resumption(mut self) -> Self {
        self.memory = Some(Memory::None);
        self
    }

    /// Whether a session may be resumed under another protocol. Default: [`AlpnResumption::Scoped`].
    pub fn resumption(mut self, resumption: AlpnResumption) -> Self {
        self.resumption = resumption;
        self
    }

    /// Tells this server's tickets from those of others with the same keys. Change it when what a session may do
    /// changes: tickets made before do not open. Default: empty.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Leaves out TLS 1.2.
    pub fn tls13_only(mut self) -> Self {
        self.tls12 = false;
        self
    }

    /// Accepts so many bytes of early data (0-RTT, RFC 8446 §2.3) on each connection; they are kept in memory until they are
    /// read. Default: 0, none. 16 KiB hold the headers of any usual request.
    ///
    /// A returning client's first request is then answered one round trip earlier. Since it could be a replay, it needs
    /// `EarlyDataMakeService` (with feature `axum`) or an [`EarlyDataLayer`](super::EarlyDataLayer), which let only
    /// safe methods pass; without, early data waits for the handshake's end.
    ///
    /// Sessions are remembered in a cache, of 8,192 for each protocol unless [`session_cache`](Self::session_cache) says
    /// otherwise: a ticket could be sent twice, a cached session is taken out. So early data is accepted by the process that
    /// made the session, and refused by the other machines of a fleet, which make a full handshake.
    pub fn early_data(mut self, bytes: u32) -> Self {
        self.early_data = bytes;
        self
    }

    /// The TLS, with `certificates` as its first snapshot.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`], [`TlsError::Config`], [`TlsError::EarlyDataWithoutCache`].
    pub fn build(self, certificates: Certificates, version: Version) -> Result<HotTls, TlsError> {
        self.build_from(Handle::builder(certificates, version).build())
    }

    /// The TLS over the certificates of a handle, which may have checks.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`], [`TlsError::Config`], [`TlsError::EarlyDataWithoutCache`].
    pub fn build_from(self, certificates: Handle<Certificates>) -> Result<HotTls, TlsError> {
        let memory = match (self.memory.clone(), self.early_data) {
            (Some(memory @ Memory::Cache(_)), _) | (Some(memory), 0) => memory,
            (Some(_), _) => return Err(TlsError::EarlyDataWithoutCache),
            (None, 0) => Memory::Tickets(TicketKeys::random()?),
            (None, _) => Memory::Cache(SESSIONS),
        };
        let mut maker = Maker {
            provider: self.provider.clone().unwrap_or_else(default_provider),
            resolver: Arc::new(Resolver(certificates.store().clone())),
            builder: &self,
            memory: &memory,
            caches: Vec::new(),
        };
        let protocols = self
            .protocols
            .iter()
            .map(|protocol| {
                let config = maker.make(protocol, vec![protocol.clone()])?;
                Ok((protocol.clone(), config))
            })
            .collect::<Result<_, TlsError>>()?;
        let others = [
            maker.make(b"", Vec::new())?,
            maker.make(b"", self.protocols.clone())?,
        ];
        let caches = maker.caches;
        Ok(HotTls {
            shared: Arc::new(Shared {
                certificates,
                protocols,
                others,
                memory,
                caches,
            }),
        })
    }
}

/// How many sessions a protocol's cache has if early data was asked for and no cache.
const SESSIONS: usize = 8192;

/// Makes configurations that differ in their protocol.
struct Maker<'a> {
    provider: Arc<CryptoProvider>,
    resolver: Arc<Resolver>,
    builder: &'a HotTlsBuilder,
    memory: &'a Memory,
    caches: Vec<Arc<Sessions>>,
}

impl Maker<'_> {
    fn make(
        &mut self,
        protocol: &[u8],
        offered: Vec<Vec<u8>>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let versions = if self.builder.tls12 {
            vec![&version::TLS13, &version::TLS12]
        } else {
            vec![&version::TLS13]
        };
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&versions)
            .map_err(TlsError::Config)?
            .with_no_client_auth()
            .with_cert_resolver(self.resolver.clone());
        config.alpn_protocols = offered;
        // Each costs as much as sealing a session, and clients rarely open several connections at once.
        config.send_tls13_tickets = 1;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = self.builder.early_data;
        // So that what came early is answered early.
        config.send_half_rtt_data = self.builder.early_data > 0;
        match self.memory {
            Memory::Tickets(keys) => config.ticketer = keys.scoped(self.scope(protocol)),
            Memory::Cache(sessions) => config.session_storage = self.cache(*sessions),
            Memory::None => config.send_tls13_tickets = 0,
        }
        Ok(Arc::new(config))
    }

    /// A cache for each configuration, or one for all.
    fn cache(&mut self, sessions: usize) -> Arc<Sessions> {
        match (self.builder.resumption, self.caches.first()) {
            (AlpnResumption::Rfc, Some(shared)) => shared.clone(),
            _ => {
                let cache = Sessions::new(sessions);
                self.caches.push(cache.clone());
                cache
            }
        }
    }

    fn scope(&self, protocol: &[u8]) -> Vec<u8> {
        let scope = self.builder.scope.as_bytes();
        match self.builder.resumption {
            AlpnResumption::Scoped => [scope, b"\0", protocol].concat(),
            AlpnResumption::Rfc => scope.to_vec(),
        }
    }
}

/// Finds certificates in the snapshot of the moment.
struct Resolver(Arc<Store<Certificates>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.table().primary.value().choose(&client)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = self.0.table();
        let version = &table.primary.snapshot().version;
        f.debug_tuple("Resolver").field(version).finish()
    }
}

pub(super) fn default_provider() -> Arc<CryptoProvider> {
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(ring::default_provider()))
}
