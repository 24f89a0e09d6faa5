//! How a request says which stream of which connection it is.
//!
//! The field that the tap appends carries a secret of this process, the connection's key and the stream's number. The
//! secret is drawn at random, and the service removes the field. So a client that sends a field of that name is not believed,
//! and its field stays where it is.
//!
//! Under `serve` nobody sees a request before that service. Under somebody else's server whatever is outside of `PriorityLayer`
//! does, which is why the layer has to be the outermost: who logged the field or sent it on would give the secret away, and
//! who knows the secret can name a stream that is not its own, and so have its response take the other's turn.
//!
//! Each half byte stands in a byte of its own, as a letter from `` ` `` to `o`, which turns eight of them at a time.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, LazyLock, PoisonError, RwLock, Weak},
};

use http::{HeaderMap, HeaderValue, header::Entry};

use super::{connection::Connection, hpack::NAME, scheduler::MAX_STREAMS};

/// Bytes of the value: the secret, the connection's key (its lower 48 bits), the stream's number, and its slot in the
/// scheduler, so that it need not be looked for.
pub(crate) const FIELD_VALUE: usize = CONNECTION + STREAM + SLOT;
const SECRET: usize = 16;
const CONNECTION: usize = SECRET + 12;
const STREAM: usize = 8;
const SLOT: usize = 4;

/// In place of a slot: the stream is not scheduled.
const NO_SLOT: u32 = 0xffff;
const _: () = assert!(MAX_STREAMS < NO_SLOT as usize);

static OURS: LazyLock<[u8; SECRET]> = LazyLock::new(|| {
    let secret = RandomState::new().build_hasher().finish();
    let mut letters = [0; SECRET];
    letters[..8].copy_from_slice(&write((secret >> 32) as u32));
    letters[8..].copy_from_slice(&write(secret as u32));
    letters
});

/// What the fields of a connection begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix([u8; CONNECTION]);

impl Prefix {
    pub(crate) fn new(key: u64) -> Self {
        let mut prefix = [0; CONNECTION];
        prefix[..SECRET].copy_from_slice(&*OURS);
        prefix[SECRET..SECRET + 4].copy_from_slice(&write((key >> 32) as u32)[4..]);
        prefix[SECRET + 4..].copy_from_slice(&write(key as u32));
        Self(prefix)
    }

    /// The field's value for a stream, and the slot that it has.
    #[inline]
    pub(crate) fn value(&self, stream: u32, slot: Option<u32>) -> [u8; FIELD_VALUE] {
        let mut value = [0; FIELD_VALUE];
        value[..CONNECTION].copy_from_slice(&self.0);
        value[CONNECTION..CONNECTION + STREAM].copy_from_slice(&write(stream));
        let slot = write(slot.unwrap_or(NO_SLOT));
        value[CONNECTION + STREAM..].copy_from_slice(&slot[STREAM - SLOT..]);
        value
    }
}

/// A field of ours, as it was taken off a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    prefix: Prefix,
    stream: [u8; STREAM],
    slot: [u8; SLOT],
}

impl Taken {
    pub(crate) fn is_of(&self, connection: &Prefix) -> bool {
        self.prefix == *connection
    }

    pub(crate) fn key(&self) -> Option<u64> {
        let [a, b, c, d, low @ ..] = self.prefix.0.last_chunk::<{ CONNECTION - SECRET }>()?;
        let high = read_half([*a, *b, *c, *d])?;
        Some(u64::from(high) << 32 | u64::from(read(*low)?))
    }

    pub(crate) fn stream(&self) -> Option<u32> {
        read(self.stream)
    }

    /// Its slot, unless it is not scheduled.
    pub(crate) fn slot(&self) -> Option<u32> {
        read_half(self.slot).filter(|&slot| slot != NO_SLOT)
    }
}

/// Removes the field from a request's headers.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<Taken> {
    let Entry::Occupied(entry) = headers.entry(NAME) else {
        return None;
    };
    // Ours is the last one; if it is the first, too, there is no other.
    if let Some(taken) = parse(entry.get()) {
        entry.remove();
        return Some(taken);
    }
    let taken = parse(entry.iter().next_back()?)?;
    let kept: Vec<_> = entry.iter().cloned().collect();
    headers.remove(NAME);
    for value in &kept[..kept.len() - 1] {
        headers.append(NAME, value.clone());
    }
    Some(taken)
}

/// Reads the field, and leaves it where it is.
#[cfg(all(feature = "admission", feature = "axum"))]
pub(crate) fn peek(headers: &HeaderMap) -> Option<Taken> {
    parse(headers.get_all(NAME).iter().next_back()?)
}

fn parse(value: &HeaderValue) -> Option<Taken> {
    let value: &[u8; FIELD_VALUE] = value.as_bytes().try_into().ok()?;
    let prefix = *value.first_chunk::<CONNECTION>()?;
    let numbers = value.last_chunk::<{ STREAM + SLOT }>()?;
    if prefix[..SECRET] != *OURS {
        return None;
    }
    Some(Taken {
        prefix: Prefix(prefix),
        stream: *numbers.first_chunk()?,
        slot: *numbers.last_chunk()?,
    })
}

/// The letter of 0.
const ZERO: u8 = b'`';
const ZEROS: u64 = u64::from_ne_bytes([ZERO; 8]);
const HALVES: u64 = 0x0f0f_0f0f_0f0f_0f0f;

/// Eight half bytes, the upper ones first.
fn write(number: u32) -> [u8; 8] {
    let mut halves = u64::from(number);
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & HALVES;
    (halves | ZEROS).to_be_bytes()
}

fn read(letters: [u8; 8]) -> Option<u32> {
    let mut halves = u64::from_be_bytes(letters);
    if halves & !HALVES != ZEROS {
        return None;
    }
    halves &= HALVES;
    halves = (halves | halves >> 4) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves >> 8) & 0x0000_ffff_0000_ffff;
    Some((halves | halves >> 16) as u32)
}

fn read_half([a, b, c, d]: [u8; 4]) -> Option<u32> {
    read([ZERO, ZERO, ZERO, ZERO, a, b, c, d])
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
        for (key, stream, slot) in [
            (0xabcd_ef01_2345, 0x7fff_ffff, None),
            (0, 1, Some(0)),
            (0x0001_0000_0000, 0x12, Some(MAX_STREAMS as u32)),
        ] {
            let mut only = headers(&[&Prefix::new(key).value(stream, slot)]);
            let taken = take(&mut only).unwrap();
            assert_eq!((taken.key(), taken.stream()), (Some(key), Some(stream)));
            assert_eq!(taken.slot(), slot);
            assert!(taken.is_of(&Prefix::new(key)));
            assert!(!taken.is_of(&Prefix::new(key + 1)));
            assert!(only.is_empty());
        }
    }

    #[test]
    fn a_clients_own_field_is_kept_and_not_believed() {
        let ours = Prefix::new(7).value(9, Some(3));
        let mut guess = ours;
        guess[0] ^= 1;
        let mut both = headers(&[b"max-age=1", &guess, &ours]);
        let taken = take(&mut both).unwrap();
        assert_eq!((taken.key(), taken.stream()), (Some(7), Some(9)));
        assert_eq!(both.get_all(&NAME).iter().count(), 2);
        assert!(take(&mut both).is_none());
        assert_eq!(both.get_all(&NAME).iter().count(), 2);
    }
}
