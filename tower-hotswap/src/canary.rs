//! Which requests a canary takes.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue, request::Parts};

use crate::{Automatic, ContentHash, SwapError};

type KeyFunction = dyn Fn(&Parts) -> Option<u64> + Send + Sync;

/// The share of requests that a canary takes, and which ones.
///
/// With a key the choice is sticky: the same key always goes to the same side, on every machine that runs the same
/// canary, and raising the share only moves keys towards the canary.
#[derive(Clone)]
pub struct Canary {
    rule: Rule,
    pub(crate) automatic: Option<Automatic>,
}

#[derive(Clone)]
enum Rule {
    /// Any request, at random.
    Random { share: Share },
    /// The requests whose key falls into the share; those without a key are not taken.
    Keyed { share: Share, key: Key },
    /// The requests with this header field.
    Field(HeaderName, HeaderValue),
}

/// What a canary's choice depends on.
#[derive(Clone)]
enum Key {
    Header(HeaderName),
    Function(Arc<KeyFunction>),
}

/// The hashes below a bound; `None` takes all.
#[derive(Debug, Clone, Copy)]
struct Share {
    percent: f64,
    bound: Option<u64>,
}

impl Share {
    fn of(percent: f64) -> Result<Self, SwapError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(SwapError::BadWeight { percent });
        }
        let bound = (percent < 100.0).then(|| (percent / 100.0 * 2f64.powi(64)) as u64);
        Ok(Self { percent, bound })
    }

    fn takes(self, hash: u64) -> bool {
        self.bound.is_none_or(|bound| hash < bound)
    }
}

impl Canary {
    /// `percent` of all requests, at random: one client's requests go to both sides.
    ///
    /// # Errors
    /// [`SwapError::BadWeight`] unless `percent` is within 0 and 100.
    pub fn percent(percent: f64) -> Result<Self, SwapError> {
        let share = Share::of(percent)?;
        Ok(Self::with(Rule::Random { share }))
    }

    /// `percent` of the values of the header field `name`. Requests without it stay with the primary.
    ///
    /// # Errors
    /// [`SwapError::BadWeight`] unless `percent` is within 0 and 100.
    pub fn by_header(percent: f64, name: HeaderName) -> Result<Self, SwapError> {
        let share = Share::of(percent)?;
        let key = Key::Header(name);
        Ok(Self::with(Rule::Keyed { share, key }))
    }

    /// `percent` of the keys that `key` finds in requests: a user's number, the hash of a cookie. Keys need not be
    /// spread evenly. Requests for which it returns `None` stay with the primary.
    ///
    /// # Errors
    /// [`SwapError::BadWeight`] unless `percent` is within 0 and 100.
    pub fn by_key(
        percent: f64,
        key: impl Fn(&Parts) -> Option<u64> + Send + Sync + 'static,
    ) -> Result<Self, SwapError> {
        let share = Share::of(percent)?;
        let key = Key::Function(Arc::new(key));
        Ok(Self::with(Rule::Keyed { share, key }))
    }

    /// Exactly the requests whose header field `name` has this value: for testers who ask for the canary.
    #[must_use]
    pub fn when(name: HeaderName, value: HeaderValue) -> Self {
        Self::with(Rule::Field(name, value))
    }

    /// Promotes or aborts by itself, by what it saw of both sides.
    #[must_use]
    pub fn automatic(mut self, automatic: Automatic) -> Self {
        self.automatic = Some(automatic);
        self
    }

    /// Whether the canary of this content takes the request.
    pub(crate) fn takes(&self, request: &Parts, content: ContentHash) -> bool {
        match &self.rule {
            Rule::Random { share } => share.takes(random()),
            Rule::Keyed { share, key } => {
                let key = match key {
                    Key::Header(name) => request
                        .headers
                        .get(name)
                        .map(|value| fnv1a(value.as_bytes())),
                    Key::Function(function) => function(request),
                };
                // Mixed with the content, so that successive canaries do not meet the same users each time.
                let salt = u64::from_le_bytes(content.first());
                key.is_some_and(|key| share.takes(finalize(key ^ salt)))
            }
            Rule::Field(name, value) => request.headers.get(name) == Some(value),
        }
    }

    fn with(rule: Rule) -> Self {
        Self {
            rule,
            automatic: None,
        }
    }
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says it in words: `5 % of x-user`.
impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Random { share } => write!(f, "{} % of the requests", share.percent),
            Rule::Keyed { share, key } => match key {
                Key::Header(name) => write!(f, "{} % of {name}", share.percent),
                Key::Function(_) => write!(f, "{} % of the keys", share.percent),
            },
            // The value may be a secret between testers.
            Rule::Field(name, _) => write!(f, "the requests that ask for it by {name}"),
        }
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads a hash's differences over all bits: MurmurHash3's finalizer. FNV alone leaves the high bits of short, similar
/// keys alike, and a share of 5 % took 7.8 % of numbered users.
fn finalize(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Spread evenly, not secret: a counter in each thread, finalized. Each thread begins elsewhere, also one that comes after
/// another has ended, so that the first requests of many short threads are spread like those of one.
fn random() -> u64 {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicU64, Ordering},
    };
    static THREADS: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    STATE.with(|state| {
        let next = match state.get() {
            0 => finalize(THREADS.fetch_add(1, Ordering::Relaxed)),
            last => last.wrapping_add(0x9e37_79b9_7f4a_7c15),
        };
        state.set(next);
        finalize(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_come_and_go_are_spread_like_one_that_stays() {
        let below = |percent: u64| move |number: &u64| number % 100 < percent;
        let threads = (0..1000).map(|_| std::thread::spawn(random).join().unwrap());
        let taken = threads.filter(below(10)).count();
        assert!((60..150).contains(&taken), "{taken} of 1000 at 10 %");
    }

    fn taken(canary: &Canary, keys: impl Iterator<Item = String>) -> usize {
        let content = ContentHash::of(b"canary");
        keys.filter(|key| {
            let request = http::Request::builder().header("x-user", key.as_str());
            let (parts, ()) = request.body(()).unwrap().into_parts();
            canary.takes(&parts, content)
        })
        .count()
    }

    #[test]
    fn short_similar_keys_are_spread_evenly() {
        // 5 % of 4,000 is 200; three standard deviations are 41.
        let users = || (0..4000).map(|user| format!("user{user}"));
        let header = HeaderName::from_static("x-user");
        let sticky = Canary::by_header(5.0, header).unwrap();
        let count = taken(&sticky, users());
        assert!((159..=241).contains(&count), "{count} of 4000 at 5 %");
        assert_eq!(count, taken(&sticky, users()), "sticky");
        let numbers = Canary::by_key(5.0, |parts| {
            let text = parts.headers["x-user"].to_str().ok()?;
            text[4..].parse().ok()
        });
        let count = taken(&numbers.unwrap(), users());
        assert!((159..=241).contains(&count), "{count} of 4000 at 5 %");
        let count = taken(&Canary::percent(5.0).unwrap(), users());
        assert!((159..=241).contains(&count), "{count} of 4000 at 5 %");
    }

    #[test]
    fn the_ends_of_the_scale_are_exact() {
        let users = || (0..1000).map(|user| user.to_string());
        let all = Canary::percent(100.0).unwrap();
        assert_eq!(taken(&all, users()), 1000);
        let none = Canary::percent(0.0).unwrap();
        assert_eq!(taken(&none, users()), 0);
        for bad in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert!(Canary::percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_greater_share_takes_no_key_back() {
        let header = HeaderName::from_static("x-user");
        let few = Canary::by_header(5.0, header.clone()).unwrap();
        let many = Canary::by_header(20.0, header).unwrap();
        for user in (0..2000).map(|user| user.to_string()) {
            let one = || std::iter::once(user.clone());
            assert!(taken(&few, one()) <= taken(&many, one()), "{user}");
        }
    }
}
