//! `x-request-id`: taken from the client where it is fit to be logged and sent back, otherwise ours.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: up to 64 letters, digits, `-`, `_` and `.` of the client's, or 32 hex digits.
pub(super) fn of(headers: &HeaderMap) -> HeaderValue {
    let is_fit = |id: &&HeaderValue| {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(fits)
    };
    match headers.get(REQUEST_ID).filter(is_fit) {
        Some(id) => id.clone(),
        None => fresh(),
    }
}

/// As [`fresh`], as text.
pub(super) fn fresh_text() -> String {
    fresh().to_str().unwrap_or_default().to_owned()
}

/// 16 hex digits that are unlike any other of this process, and of others unlike with all likelihood: several may have
/// spans in one trace.
pub(super) fn fresh_span() -> String {
    // An odd factor gives each number another one; zero would be no id.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let id = PROCESS.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    format!("{:016x}", id.max(1))
}

static PROCESS: LazyLock<u64> =
    LazyLock::new(|| RandomState::new().hash_one(std::process::id()) | 1);
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A random number of this process, then one that counts, both as 16 hex digits. Together they are also
/// a valid trace id (W3C Trace Context), since neither half is zero.
fn fresh() -> HeaderValue {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut digits = [0; 32];
    for (half, value) in digits.chunks_exact_mut(16).zip([*PROCESS, number]) {
        for (place, digit) in half.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(value >> (60 - 4 * place) & 15) as usize];
        }
    }
    HeaderValue::from_bytes(&digits).expect("hex digits make a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_trace_ids() {
        let (first, second) = (fresh(), fresh());
        assert_ne!(first, second);
        for id in [first, second] {
            assert_eq!(id.len(), 32);
            assert!(id.as_bytes().iter().all(u8::is_ascii_hexdigit), "{id:?}");
        }
    }
}
