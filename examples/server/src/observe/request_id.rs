//! `x-request-id`: taken from the client where it is fit to be logged and sent back, otherwise ours.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: up to 64 letters, digits, `-`, `_` and `.` of the client's, or 32 hex digits, and the number that
/// they were made from (see [`value`]).
pub(super) fn of(headers: &HeaderMap) -> (HeaderValue, Option<u64>) {
    let is_fit = |id: &&HeaderValue| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(fits)
    };
    let (mut id, number) = match headers.get(REQUEST_ID).filter(is_fit) {
        Some(id) => (id.clone(), None),
        None => {
            let number = next();
            (value(number), Some(number))
        }
    };
    // It is no secret, but it does not come again: kept out of HPACK's table it pushes nothing out of there that does.
    id.set_sensitive(true);
    (id, number)
}

/// The id of a number that [`of`] gave a request: a random number of this process, then that one, both as 16 hex digits. In the
/// log they are in order; who has two of them knows how many requests began in between, which is no secret here.
pub(super) fn value(number: u64) -> HeaderValue {
    let mut digits = [0; 32];
    digits[..16].copy_from_slice(&*PROCESS_DIGITS);
    digits[16..].copy_from_slice(&hex(number));
    HeaderValue::from_bytes(&digits).expect("hex digits make a header value")
}

/// The id of a trace that begins here. Samplers look at its last 56 or 64 bits and take them for random ones (W3C Trace Context
/// level 2, "trace-id"), which numbers in a row are not; the first half is not zero.
pub(super) fn fresh_trace() -> u128 {
    u128::from(*PROCESS) << 64 | u128::from(mixed(next().wrapping_add(*PROCESS)))
}

/// Another number for each, whose every bit depends on all of that one's (the end of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

/// The id of a span that is unlike any other of this process, and of others unlike with all likelihood: several may have
/// spans in one trace.
pub(super) fn fresh_span() -> u64 {
    // An odd factor gives each number another one; zero would be no id.
    let id = PROCESS.wrapping_add(next().wrapping_mul(0x9E37_79B9_7F4A_7C15));
    id.max(1)
}

static PROCESS: LazyLock<u64> =
    LazyLock::new(|| RandomState::new().hash_one(std::process::id()) | 1);
/// As it begins every id.
static PROCESS_DIGITS: LazyLock<[u8; 16]> = LazyLock::new(|| hex(*PROCESS));
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The 16 digits of a number.
fn hex(number: u64) -> [u8; 16] {
    // All eight at once: each nibble gets a byte of its own.
    let spread = |half: u32| {
        let mut wide = u64::from(half);
        wide = (wide | wide << 16) & 0x0000_FFFF_0000_FFFF;
        wide = (wide | wide << 8) & 0x00FF_00FF_00FF_00FF;
        wide = (wide | wide << 4) & 0x0F0F_0F0F_0F0F_0F0F;
        // Those above nine are letters: 39 lie between '9' and 'a' in ASCII.
        let above = ((wide + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        (wide + 0x3030_3030_3030_3030 + above * 39).to_be_bytes()
    };
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&spread((number >> 32) as u32));
    digits[8..].copy_from_slice(&spread(number as u32));
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_number_in_hexadecimal() {
        for number in [
            0,
            1,
            9,
            10,
            0x0123_4567_89AB_CDEF,
            u64::MAX,
            0xF0A0_0000_0000_0B0C,
        ] {
            assert_eq!(hex(number), *format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn samplers_keep_their_part_of_traces() {
        // As OpenTelemetry's do: those whose last 56 bits are above a threshold.
        for part in [2, 10, 100] {
            let threshold = (1 << 56) - (1_u64 << 56) / part;
            // Wherever a process begins.
            for start in [0, 1 << 40, u64::MAX - 5_000] {
                let ids = (0..10_000).map(|number| mixed(start.wrapping_add(number)));
                let kept = ids.filter(|id| id << 8 >> 8 >= threshold).count() as u64;
                let expected = 10_000 / part;
                assert!(kept.abs_diff(expected) < expected / 4, "{kept} of 1/{part}");
            }
        }
        assert_ne!(fresh_trace(), fresh_trace());
        assert_ne!(fresh_trace() >> 64, 0);
    }

    #[test]
    fn ids_differ_and_can_be_made_again() {
        let headers = HeaderMap::new();
        let (first, second) = (of(&headers), of(&headers));
        assert_ne!(first, second);
        for (id, number) in [first, second] {
            assert_eq!(id.len(), 32);
            assert!(id.as_bytes().iter().all(u8::is_ascii_hexdigit), "{id:?}");
            assert_eq!(value(number.unwrap()), id);
        }
    }
}
