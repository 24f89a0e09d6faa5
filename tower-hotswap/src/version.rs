//! What names a content: a semantic version and a SHA-256.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};

use crate::SwapError;

/// The SHA-256 of a content, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn first(&self) -> [u8; 8] {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        first
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn read_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

/// A semantic version and the SHA-256 of the content that bears it: `v1.2.0+sha256.ab3f…`, all 64 digits.
///
/// Two contents under one number are two versions, so that a version names exactly one content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    number: semver::Version,
    hash: ContentHash,
}

impl Version {
    /// The version `number` of `content`. Build metadata of `number` gives way to the hash.
    #[must_use]
    pub fn new(mut number: semver::Version, content: &[u8]) -> Self {
        number.build = semver::BuildMetadata::EMPTY;
        Self {
            number,
            hash: ContentHash::of(content),
        }
    }

    /// The version `number`, written as in `1.2.0` or `v1.2.0`, of `content`.
    ///
    /// # Errors
    /// [`SwapError::BadVersion`] when `number` is not a semantic version.
    pub fn parse(number: &str, content: &[u8]) -> Result<Self, SwapError> {
        let bad = || SwapError::BadVersion(number.to_owned());
        let bare = number.strip_prefix('v').unwrap_or(number);
        let parsed = semver::Version::parse(bare).map_err(|_| bad())?;
        Ok(Self::new(parsed, content))
    }

    /// The semantic version.
    #[must_use]
    pub fn number(&self) -> &semver::Version {
        &self.number
    }

    /// The SHA-256 of the content.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.hash
    }

    /// The version with the first twelve digits of its hash, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let hash = self.hash.to_string();
        format!("v{}+sha256.{}", self.number, &hash[..12])
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}+sha256.{}", self.number, self.hash)
    }
}

impl FromStr for Version {
    type Err = SwapError;

    fn from_str(text: &str) -> Result<Self, SwapError> {
        let bad = || SwapError::BadVersion(text.to_owned());
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (number, hash) = bare.split_once("+sha256.").ok_or_else(bad)?;
        Ok(Self {
            number: semver::Version::parse(number).map_err(|_| bad())?,
            hash: ContentHash(read_hex(hash).ok_or_else(bad)?),
        })
    }
}

/// Names one publication: the time it was made, and the beginning of its content's hash.
///
/// Times within one handle are distinct and rise, so that an id is never given twice. Shown as
/// `019a3c6d2f10-ab3f9c0011223344`: milliseconds since 1970 and eight bytes of the hash, hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapshotId {
    millis: u64,
    hash: [u8; 8],
}

impl SnapshotId {
    /// An id for now, later than `last`.
    pub(crate) fn after(last: u64, hash: ContentHash) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self {
            millis: now.max(last + 1),
            hash: hash.first(),
        }
    }

    pub(crate) fn millis(self) -> u64 {
        self.millis
    }

    /// When the publication was made.
    #[must_use]
    pub fn created(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.millis)
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}-", self.millis)?;
        write_hex(f, &self.hash)
    }
}

impl FromStr for SnapshotId {
    type Err = SwapError;

    fn from_str(text: &str) -> Result<Self, SwapError> {
        let parse = || {
            let (millis, hash) = text.split_once('-')?;
            let millis = u64::from_str_radix(millis, 16).ok()?;
            let hash = read_hex(hash)?;
            Some(Self { millis, hash })
        };
        parse().ok_or_else(|| SwapError::BadSelector(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_back_as_they_are_shown() {
        let version = Version::parse("v1.2.0-rc.1", b"content").unwrap();
        assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
        assert_eq!(version.short().len(), "v1.2.0-rc.1+sha256.".len() + 12);
        let same_number = Version::parse("1.2.0-rc.1", b"other").unwrap();
        assert_ne!(version, same_number);
        let id = SnapshotId::after(0, version.hash());
        assert_eq!(id.to_string().parse::<SnapshotId>().unwrap(), id);
        assert!(SnapshotId::after(id.millis() + 5, version.hash()).millis() == id.millis() + 6);
    }

    #[test]
    fn bad_texts_are_refused() {
        for text in [
            "",
            "1",
            "v1.2",
            "1.2.0",
            "v1.2.0+sha256.12",
            "v1.2.0+sha1.00",
            "v1.0.0+sha256.é",
        ] {
            assert!(text.parse::<Version>().is_err(), "`{text}` was read");
        }
        for text in [
            "",
            "-",
            "12-",
            "12-0011",
            "x-0011223344556677",
            "1-+1+1+1+1+1+1+1+1",
        ] {
            assert!(text.parse::<SnapshotId>().is_err(), "`{text}` was read");
        }
    }
}
