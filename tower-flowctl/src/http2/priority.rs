//! Priorities by RFC 9218: what they are, and how the field that carries them is read.

use std::fmt;

use super::fields;

/// How urgent a response is, and whether pieces of it are of use (RFC 9218 §4).
///
/// ```
/// use tower_flowctl::http2::Priority;
///
/// assert_eq!(Priority::default().to_string(), "u=3");
/// assert!(Priority::new(0, false).is_before(Priority::default()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Priority {
    urgency: u8,
    incremental: bool,
}

/// The urgency of what says nothing (RFC 9218 §4.1).
pub(crate) const DEFAULT_URGENCY: u8 = 3;

impl Priority {
    /// A priority of an urgency from 0, the most urgent, to 7, the background.
    ///
    /// # Panics
    /// If the urgency is above 7.
    #[must_use]
    pub const fn new(urgency: u8, incremental: bool) -> Self {
        assert!(urgency <= 7, "the urgency must be from 0 to 7");
        Self {
            urgency,
            incremental,
        }
    }

    /// From 0, the most urgent, to 7, the background.
    #[must_use]
    pub const fn urgency(self) -> u8 {
        self.urgency
    }

    /// Whether the response may share bandwidth with others of its urgency, since its pieces are of use.
    #[must_use]
    pub const fn is_incremental(self) -> bool {
        self.incremental
    }

    /// Whether this one goes first whatever the streams' numbers are.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.urgency < other.urgency
    }
}

impl Default for Priority {
    /// Urgency 3, not incremental.
    fn default() -> Self {
        Self::new(DEFAULT_URGENCY, false)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let incremental = if self.incremental { ", i" } else { "" };
        write!(f, "u={}{incremental}", self.urgency)
    }
}

/// What one party says about a priority; what it leaves out others decide.
///
/// In a request's or a response's extensions it is the application's word, which stands over those of the client and of
/// `priority` headers.
///
/// ```
/// use tower_flowctl::http2::PriorityOverride;
///
/// let first = PriorityOverride::new().urgency(0);
/// let response = http::Response::builder().extension(first).body(()).unwrap();
/// # drop(response);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriorityOverride {
    urgency: Option<u8>,
    incremental: Option<bool>,
}

impl PriorityOverride {
    /// Nothing said.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            urgency: None,
            incremental: None,
        }
    }

    /// Sets the urgency, from 0, the most urgent, to 7, the background.
    ///
    /// # Panics
    /// If the urgency is above 7.
    #[must_use]
    pub const fn urgency(mut self, urgency: u8) -> Self {
        assert!(urgency <= 7, "the urgency must be from 0 to 7");
        self.urgency = Some(urgency);
        self
    }

    /// Sets whether the response shares bandwidth with others of its urgency.
    #[must_use]
    pub const fn incremental(mut self, incremental: bool) -> Self {
        self.incremental = Some(incremental);
        self
    }

    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.urgency.is_none() && self.incremental.is_none()
    }

    /// Reads the value of a `priority` header or a PRIORITY_UPDATE frame, a dictionary of structured fields
    /// (RFC 8941 §3.2). `None` if it is malformed, which makes the whole field void; members that are unknown, out of
    /// range or of the wrong type are passed over (RFC 9218 §4).
    #[must_use]
    pub fn parse(field: &[u8]) -> Option<Self> {
        let mut read = Self::new();
        fields::dictionary(field, |key, value| match (key, value) {
            // The last of equal keys counts.
            (b"u", fields::Bare::Integer(urgency @ 0..=7)) => read.urgency = Some(urgency as u8),
            (b"u", _) => read.urgency = None,
            (b"i", fields::Bare::Boolean(incremental)) => read.incremental = Some(incremental),
            (b"i", _) => read.incremental = None,
            _ => {}
        })?;
        Some(read)
    }

    /// What this one says, and what it leaves out as the other says.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            urgency: self.urgency.or(other.urgency),
            incremental: self.incremental.or(other.incremental),
        }
    }

    pub(crate) fn or_priority(self, other: Priority) -> Priority {
        Priority {
            urgency: self.urgency.unwrap_or(other.urgency),
            incremental: self.incremental.unwrap_or(other.incremental),
        }
    }

    pub(crate) fn says_urgency(self) -> bool {
        self.urgency.is_some()
    }
}

impl From<Priority> for PriorityOverride {
    fn from(priority: Priority) -> Self {
        Self {
            urgency: Some(priority.urgency),
            incremental: Some(priority.incremental),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_rfc_9218_says() {
        let say = PriorityOverride::new();
        let cases: &[(&str, Option<PriorityOverride>)] = &[
            ("", Some(say)),
            ("u=0", Some(say.urgency(0))),
            ("u=7", Some(say.urgency(7))),
            ("i", Some(say.incremental(true))),
            ("u=5, i", Some(say.urgency(5).incremental(true))),
            ("  u=5 ,\ti=?0 ", Some(say.urgency(5).incremental(false))),
            ("i=?1;a=b;c, u=1;x", Some(say.urgency(1).incremental(true))),
            // Out of range or of another type: passed over.
            ("u=8, i", Some(say.incremental(true))),
            ("u=-1", Some(say)),
            ("u=1.0", Some(say)),
            ("u=\"1\"", Some(say)),
            ("u, i", Some(say.incremental(true))),
            ("i=1, u=2", Some(say.urgency(2))),
            ("u=(1 2), i", Some(say.incremental(true))),
            // The last of equal keys counts.
            ("u=1, u=6", Some(say.urgency(6))),
            ("u=1, u=9", Some(say)),
            // Others' members, of every type there is.
            (
                "a=*b/c:d, b=:AQID:, c=\"x\\\"y\", d=-12.125, *e=?0, u=2",
                Some(say.urgency(2)),
            ),
            ("a=(\"x\" y;z=1 :aa==:);q, u=2", Some(say.urgency(2))),
            ("a=@1659578233, b=%\"f%c3%bc\", u=2", Some(say.urgency(2))),
            // Malformed: void.
            ("u=", None),
            ("u=1,", None),
            (",u=1", None),
            ("u=1 i", None),
            ("u=1;", None),
            ("U=1", None),
            ("u =1", None),
            ("u= 1", None),
            ("u=1, 5", None),
            ("i=?2", None),
            ("a=\"x", None),
            ("a=\"\u{1}\"", None),
            ("a=(1 2", None),
            ("a=(1,2)", None),
            ("a=:a*:", None),
            ("a=1.", None),
            ("a=1.2345", None),
            ("a=1234567890123456", None),
            ("a=-", None),
            ("u=1\u{0}", None),
            ("a=%\"%C3\"", None),
        ];
        for (field, expected) in cases {
            assert_eq!(
                PriorityOverride::parse(field.as_bytes()),
                *expected,
                "{field}"
            );
        }
    }

    #[test]
    fn what_is_said_first_stands() {
        let client = PriorityOverride::parse(b"u=5, i").unwrap();
        let server = PriorityOverride::parse(b"u=1").unwrap();
        let both = server.or(client).or_priority(Priority::default());
        assert_eq!(both, Priority::new(1, true));
    }
}
