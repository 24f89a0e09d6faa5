/// Why a connection was refused, or had to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Refusal {
    /// [`Limits::total`](super::Limits::total).
    Total,
    /// [`Class::limit`](super::Class::limit).
    Class,
    /// No descriptor is left for this class.
    Descriptors,
    /// [`Limits::per_address`](super::Limits::per_address).
    Address,
    /// [`Limits::per_prefix`](super::Limits::per_prefix).
    Prefix,
    /// A trusted proxy's header was missing, wrong, or late.
    Proxy,
}

impl Refusal {
    /// All of them, in the order of [`Snapshot::refused`](super::Snapshot::refused).
    pub const ALL: [Self; 6] = [
        Self::Total,
        Self::Class,
        Self::Descriptors,
        Self::Address,
        Self::Prefix,
        Self::Proxy,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Class => "class",
            Self::Descriptors => "descriptors",
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Proxy => "proxy",
        }
    }
}
