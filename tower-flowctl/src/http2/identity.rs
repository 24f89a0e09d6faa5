//! How a request says which stream of which connection it is.
//!
//! The field that the tap appends carries a secret of this process, the connection's key and the stream's number. The
//! secret is drawn at random and never leaves the process: the service removes the field before anyone else sees the
//! request. So a client that sends a field of that name is not believed, and its field stays where it is.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, LazyLock, PoisonError, RwLock, Weak},
};

use http::{HeaderMap, HeaderValue};

use super::{connection::Connection, hpack::NAME};

/// Bytes of the value: hexadecimal digits of the secret, the connection's key (its lower 48 bits), and the stream's number.
pub(crate) const FIELD_VALUE: usize = SECRET + KEY + STREAM;
const SECRET: usize = 16;
const KEY: usize = 12;
const STREAM: usize = 8;

static OURS: LazyLock<[u8; SECRET]> = LazyLock::new(|| {
    let secret = RandomState::new().build_hasher().finish();
    let mut digits = [0; SECRET];
    write_hex(secret, &mut digits);
    digits
});

/// The value for a stream.
pub(crate) fn value(key: u64, stream: u32) -> [u8; FIELD_VALUE] {
    let mut value = [0; FIELD_VALUE];
    value[..SECRET].copy_from_slice(&*OURS);
    write_hex(key, &mut value[SECRET..SECRET + KEY]);
    write_hex(u64::from(stream), &mut value[SECRET + KEY..]);
    value
}

/// Removes the field from a request's headers and reads it: the connection's key and the stream's number.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<(u64, u32)> {
    // Ours is the last one; if it is the first, too, there is no other.
    if let Some(read) = parse(headers.get(NAME)?) {
        headers.remove(NAME);
        return Some(read);
    }
    let last = headers.get_all(NAME).iter().next_back()?;
    let read = parse(last)?;
    let others = headers.get_all(NAME).iter().count() - 1;
    let kept: Vec<_> = headers.get_all(NAME).iter().take(others).cloned().collect();
    headers.remove(NAME);
    for value in kept {
        headers.append(NAME, value);
    }
    Some(read)
}

fn parse(value: &HeaderValue) -> Option<(u64, u32)> {
    let value: &[u8; FIELD_VALUE] = value.as_bytes().try_into().ok()?;
    let (secret, rest) = value.split_at(SECRET);
    if *secret != *OURS {
        return None;
    }
    let (key, stream) = rest.split_at(KEY);
    Some((read_hex(key)?, u32::try_from(read_hex(stream)?).ok()?))
}

fn write_hex(number: u64, digits: &mut [u8]) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

/// The connections whose requests come through somebody else's server, which knows nothing of them.
static CONNECTIONS: LazyLock<[Shard; SHARDS]> = LazyLock::new(Default::default);
type Shard = RwLock<HashMap<u64, Weak<Connection>>>;
const SHARDS: usize = 16;

fn shard(key: u64) -> &'static Shard {
    &CONNECTIONS[key as usize % SHARDS]
}

/// Makes a connection known by its key.
pub(crate) fn register(connection: &Arc<Connection>) {
    let mut shard = shard(connection.key())
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    shard.insert(connection.key(), Arc::downgrade(connection));
}

/// Forgets a connection.
pub(crate) fn deregister(key: u64) {
    let mut shard = shard(key).write().unwrap_or_else(PoisonError::into_inner);
    shard.remove(&key);
}

/// The connection of that key, if it lives.
pub(crate) fn find(key: u64) -> Option<Arc<Connection>> {
    let shard = shard(key).read().unwrap_or_else(PoisonError::into_inner);
    shard.get(&key)?.upgrade()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&NAME, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_field_is_read_and_removed() {
        let ours = value(0xabcd_ef01_2345, 0x7fff_ffff);
        let mut only = headers(&[&ours]);
        assert_eq!(take(&mut only), Some((0xabcd_ef01_2345, 0x7fff_ffff)));
        assert!(only.is_empty());
    }

    #[test]
    fn a_clients_own_field_is_kept_and_not_believed() {
        let ours = value(7, 9);
        let mut guess = ours;
        guess[0] ^= 1;
        let mut both = headers(&[b"max-age=1", &guess, &ours]);
        assert_eq!(take(&mut both), Some((7, 9)));
        assert_eq!(both.get_all(&NAME).iter().count(), 2);
        assert_eq!(take(&mut both), None);
        assert_eq!(both.get_all(&NAME).iter().count(), 2);
    }
}
