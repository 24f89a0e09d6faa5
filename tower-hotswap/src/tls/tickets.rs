//! The keys of session tickets (RFC 5077 §4, RFC 8446 §4.6.1).
//!
//! A ticket is `key name (8) | nonce (12) | sealed session | tag (16)`, by AES-256-GCM with a random nonce. The scope it was made
//! for, the ALPN protocol mostly, is associated data: under another scope it does not open, and the client makes
//! a full handshake. The list of keys is one for all scopes, so that rotation and sharing happen in one place.
//!
//! Time is cut into periods. The key of the present period seals; those of the periods before open until they are too
//! old, and so does that of the next one, for machines whose clocks differ. A key seals at most one period's
//! tickets: 2^32, the bound for random nonces, would be a million a second for an hour.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use tokio_rustls::rustls::server::ProducesTickets;

use super::TlsError;
use crate::{
    store::Cell,
    sync::{Mutex, lock},
};

const NAME_LENGTH: usize = 8;
const SECRET_LENGTH: usize = 32;
/// Periods after its own in which a key still opens tickets.
const KEPT: u64 = 12;

/// The keys of session tickets, rotated by time and shared by whoever has a clone.
#[derive(Clone)]
pub struct TicketKeys {
    shared: Arc<Shared>,
}

struct Shared {
    source: Source,
    period: Duration,
    list: Cell<List>,
    renewing: Mutex<()>,
}

/// Where keys come from.
enum Source {
    /// A random key each period.
    Random,
    /// Each period's key is derived from one secret, so that all machines that have it agree.
    Derived(hmac::Key),
    /// They are installed from outside.
    Installed,
}

/// The keys of one moment. The first seals.
struct List {
    period: u64,
    keys: Vec<Key>,
}

struct Key {
    name: [u8; NAME_LENGTH],
    /// The period it seals in.
    period: u64,
    key: LessSafeKey,
}

impl TicketKeys {
    /// Random keys, a new one each hour; a ticket opens for twelve hours after the hour it was made in.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`].
    pub fn random() -> Result<Self, TlsError> {
        let keys = Self::empty(Source::Random);
        keys.shared.renew(keys.shared.now())?;
        Ok(keys)
    }

    /// Keys derived from `secret` and the hour, the same on each machine that has the secret.
    ///
    /// Whoever learns the secret can open every ticket that was ever made with it, and the sessions of TLS 1.2 with them:
    /// change it from time to time.
    ///
    /// # Errors
    /// None at present.
    pub fn derived(secret: &[u8; SECRET_LENGTH]) -> Result<Self, TlsError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let keys = Self::empty(Source::Derived(key));
        keys.shared.renew(keys.shared.now())?;
        Ok(keys)
    }

    /// Keys from a text: one a line, 64 hexadecimal digits each. The first seals, all open. Empty lines and lines that begin
    /// with `#` are passed over. They rotate when the text is [installed](Self::install) anew.
    ///
    /// # Errors
    /// [`TlsError::BadTicketKeys`].
    pub fn from_text(text: &str) -> Result<Self, TlsError> {
        let keys = Self::empty(Source::Installed);
        keys.install(text)?;
        Ok(keys)
    }

    /// Replaces all keys by those of a text, as in [`from_text`](Self::from_text). Has no effect to last on keys that are
    /// random or derived: their next period replaces it.
    ///
    /// # Errors
    /// [`TlsError::BadTicketKeys`]; the keys stay as they were.
    pub fn install(&self, text: &str) -> Result<(), TlsError> {
        let lines = text.lines().map(str::trim).enumerate();
        let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let period = self.shared.now();
        let keys: Result<Vec<Key>, TlsError> = meant
            .map(|(index, line)| {
                let bad = TlsError::BadTicketKeys { line: index + 1 };
                let secret = read_secret(line).ok_or(bad)?;
                Key::new(&secret, period)
            })
            .collect();
        let keys = keys?;
        if keys.is_empty() {
            return Err(TlsError::BadTicketKeys { line: 0 });
        }
        let _one_at_a_time = lock(&self.shared.renewing);
        self.shared.list.store(Arc::new(List { period, keys }));
        Ok(())
    }

    /// Forgets every key and begins anew: no ticket that was made before opens. Installed keys stay until others are
    /// installed, and derived ones until another secret is used.
    ///
    /// # Errors
    /// [`TlsError::NoRandomness`].
    pub fn forget(&self) -> Result<(), TlsError> {
        if !matches!(self.shared.source, Source::Random) {
            return Ok(());
        }
        let _one_at_a_time = lock(&self.shared.renewing);
        let period = self.shared.now();
        let keys = vec![random_key(period)?];
        self.shared.list.store(Arc::new(List { period, keys }));
        Ok(())
    }

    fn empty(source: Source) -> Self {
        let list = List {
            period: 0,
            keys: Vec::new(),
        };
        Self {
            shared: Arc::new(Shared {
                source,
                period: Duration::from_secs(3600),
                list: Cell::new(Arc::new(list)),
                renewing: Mutex::new(()),
            }),
        }
    }

    /// Tickets of one scope.
    pub(super) fn scoped(&self, scope: Vec<u8>) -> Arc<dyn ProducesTickets> {
        let keys = self.clone();
        Arc::new(Tickets { keys, scope })
    }
}

impl Shared {
    /// The number of the present period.
    fn now(&self) -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        since.as_secs() / self.period.as_secs()
    }

    /// The keys of a period; they are renewed if it is another than the last one.
    fn at(&self, now: u64) -> Arc<List> {
        let list = Arc::clone(&self.list.load());
        if list.period == now || matches!(self.source, Source::Installed) {
            return list;
        }
        // Without randomness the old keys go on.
        let _ = self.renew(now);
        Arc::clone(&self.list.load())
    }

    fn renew(&self, now: u64) -> Result<(), TlsError> {
        let _one_at_a_time = lock(&self.renewing);
        let old = Arc::clone(&self.list.load());
        if old.period == now && !old.keys.is_empty() {
            return Ok(());
        }
        let keys = match &self.source {
            Source::Installed => return Ok(()),
            Source::Random => {
                let mut keys = vec![random_key(now)?];
                let young = |key: &&Key| key.period < now && now - key.period <= KEPT;
                keys.extend(old.keys.iter().filter(young).map(Key::clone));
                keys
            }
            Source::Derived(secret) => {
                let derive = |period: u64| Key::new(&derived_secret(secret, period), period);
                let before = (1..=KEPT).map(|age| now.saturating_sub(age));
                let periods = std::iter::once(now).chain(before).chain([now + 1]);
                periods.map(derive).collect::<Result<_, _>>()?
            }
        };
        self.list.store(Arc::new(List { period: now, keys }));
        Ok(())
    }

    fn seal(&self, now: u64, scope: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let list = self.at(now);
        let key = list.keys.first()?;
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = plain.to_vec();
        let (aad, once) = (Aad::from(scope), Nonce::assume_unique_for_key(nonce));
        key.key
            .seal_in_place_append_tag(once, aad, &mut sealed)
            .ok()?;
        Some([&key.name[..], &nonce, &sealed].concat())
    }

    fn open(&self, now: u64, scope: &[u8], ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_LENGTH>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let list = self.at(now);
        // Names are no secret.
        let key = list.keys.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let (aad, once) = (Aad::from(scope), Nonce::assume_unique_for_key(*nonce));
        let length = key.key.open_in_place(once, aad, &mut sealed).ok()?.len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl Key {
    fn new(secret: &[u8; SECRET_LENGTH], period: u64) -> Result<Self, TlsError> {
        let tag = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            b"ticket key name",
        );
        let mut name = [0; NAME_LENGTH];
        name.copy_from_slice(&tag.as_ref()[..NAME_LENGTH]);
        // Fails only for another length than 32.
        let key = UnboundKey::new(&AES_256_GCM, secret).map_err(|_| TlsError::NoRandomness)?;
        Ok(Self {
            name,
            period,
            key: LessSafeKey::new(key),
        })
    }

    fn clone(&self) -> Self {
        Self {
            name: self.name,
            period: self.period,
            key: self.key.clone(),
        }
    }
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

fn random_key(period: u64) -> Result<Key, TlsError> {
    Key::new(&random().ok_or(TlsError::NoRandomness)?, period)
}

fn derived_secret(secret: &hmac::Key, period: u64) -> [u8; SECRET_LENGTH] {
    let mut context = hmac::Context::with_key(secret);
    context.update(b"ticket key of period ");
    context.update(&period.to_be_bytes());
    let mut derived = [0; SECRET_LENGTH];
    derived.copy_from_slice(context.sign().as_ref());
    derived
}

fn read_secret(line: &str) -> Option<[u8; SECRET_LENGTH]> {
    if line.len() != 2 * SECRET_LENGTH || !line.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut secret = [0; SECRET_LENGTH];
    for (index, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&line[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(secret)
}

/// Seals and opens for one scope.
struct Tickets {
    keys: TicketKeys,
    scope: Vec<u8>,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        let lifetime = self.keys.shared.period.as_secs() * KEPT;
        u32::try_from(lifetime).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let shared = &self.keys.shared;
        shared.seal(shared.now(), &self.scope, plain)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let shared = &self.keys.shared;
        shared.open(shared.now(), &self.scope, ticket)
    }
}

/// Shows no key.
impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.shared.source {
            Source::Random => "random",
            Source::Derived(_) => "derived",
            Source::Installed => "installed",
        };
        f.debug_struct("TicketKeys")
            .field("source", &source)
            .field("keys", &self.shared.list.load().keys.len())
            .finish()
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tickets({})", self.scope.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_in_its_scope_until_it_is_too_old() {
        for keys in [
            TicketKeys::random().unwrap(),
            TicketKeys::derived(&[7; 32]).unwrap(),
        ] {
            let shared = &keys.shared;
            let now = shared.now();
            let ticket = shared.seal(now, b"h2", b"session").unwrap();
            assert_eq!(shared.open(now, b"h2", &ticket).unwrap(), b"session");
            assert_eq!(shared.open(now, b"http/1.1", &ticket), None);
            for period in now..=now + KEPT {
                assert_eq!(
                    shared.open(period, b"h2", &ticket).unwrap(),
                    b"session",
                    "{keys:?}"
                );
            }
            assert_eq!(
                shared.open(now + KEPT + 1, b"h2", &ticket),
                None,
                "{keys:?}"
            );
        }
    }

    #[test]
    fn keys_of_a_server_that_slept_are_not_used_again() {
        let keys = TicketKeys::random().unwrap();
        let now = keys.shared.now();
        let ticket = keys.shared.seal(now, b"", b"session").unwrap();
        assert_eq!(keys.shared.open(now + 1000, b"", &ticket), None);
        assert_eq!(keys.shared.list.load().keys.len(), 1);
    }

    #[test]
    fn machines_with_one_secret_agree_though_their_clocks_differ() {
        let [one, other] = [(); 2].map(|()| TicketKeys::derived(&[1; 32]).unwrap().shared);
        let now = one.now();
        let ahead = one.seal(now + 1, b"h2", b"session").unwrap();
        assert_eq!(other.open(now, b"h2", &ahead).unwrap(), b"session");
        let stranger = TicketKeys::derived(&[2; 32]).unwrap().shared;
        assert_eq!(stranger.open(now, b"h2", &ahead), None);
    }

    #[test]
    fn installed_keys_rotate_by_installation() {
        let (first, second) = ("0".repeat(64), "f".repeat(64));
        let keys = TicketKeys::from_text(&first).unwrap();
        let now = keys.shared.now();
        let ticket = keys.shared.seal(now, b"", b"session").unwrap();
        keys.install(&format!("# new\n{second}\n\n{first}\n"))
            .unwrap();
        assert!(keys.shared.open(now + 999, b"", &ticket).is_some());
        for (text, line) in [
            ("", 0),
            ("# none\n", 0),
            ("12", 1),
            (&format!("{first}\nx{}", &first[1..]), 2),
        ] {
            let error = keys.install(text).unwrap_err();
            assert!(
                matches!(error, TlsError::BadTicketKeys { line: at } if at == line),
                "{text}"
            );
        }
        assert!(
            keys.shared.open(now, b"", &ticket).is_some(),
            "bad lists change nothing"
        );
        keys.install(&second).unwrap();
        assert!(keys.shared.open(now, b"", &ticket).is_none());
    }

    #[test]
    fn broken_tickets_do_not_open() {
        let keys = TicketKeys::random().unwrap();
        let now = keys.shared.now();
        let ticket = keys.shared.seal(now, b"h2", b"session").unwrap();
        for length in 0..ticket.len() {
            assert_eq!(keys.shared.open(now, b"h2", &ticket[..length]), None);
        }
        for index in 0..ticket.len() {
            let mut bent = ticket.clone();
            bent[index] ^= 1;
            assert_eq!(keys.shared.open(now, b"h2", &bent), None, "byte {index}");
        }
        keys.forget().unwrap();
        assert_eq!(keys.shared.open(now, b"h2", &ticket), None);
    }
}
