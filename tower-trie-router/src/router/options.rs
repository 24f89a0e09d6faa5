//! The router-wide policies.

/// Whether the router answers a method nobody registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Automatic {
    /// The router answers by itself. The default: RFC 9110 expects HEAD wherever GET is, and an
    /// `OPTIONS` that lists the methods costs nothing.
    #[default]
    On,
    /// The method is treated as any other: without a route it is refused with 405.
    Off,
}

/// What a path that differs from a route only by a slash at its end gets.
///
/// Whatever the policy, a path that matches a route as it stands goes to that route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TrailingSlash {
    /// `/users` and `/users/` are different paths. The default: it is what axum does, and a
    /// resource then has one address.
    #[default]
    Strict,
    /// A path that would match with its last `/` taken away, or with one added, is answered by
    /// `308 Permanent Redirect` to that path; method, body and query are kept.
    ///
    /// The `Location` is an absolute path on the same host. A path whose second byte is `/` or
    /// `\` is never redirected, because a browser would read it as the name of another host.
    Redirect,
    /// As [`Redirect`](Self::Redirect), but the route is called at once. The request's URI stays
    /// as the client sent it; parameters never hold the slash that was ignored.
    Lenient,
}

/// How percent-encoded bytes of a path take part in matching.
///
/// In neither case does `%2F` separate segments: parameters are decoded after the match, when they
/// are extracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PercentPolicy {
    /// Static text matches the bytes of the path as they came: `/caf%C3%A9` matches a pattern
    /// written `/caf%C3%A9`. The default, and free.
    #[default]
    Raw,
    /// A path that holds a `%` is normalised before the match: escapes of unreserved characters
    /// (RFC 3986 §2.3) and of well-formed non-ASCII UTF-8 are decoded, each segment on its own,
    /// and every other escape stays as it came. So `/caf%C3%A9` and `/%63afé` match a pattern
    /// written `/café`, while `%2F`, `%25` and control characters can neither split a segment nor
    /// be decoded twice. Costs an allocation for such a path, nothing for others.
    Normalize,
}

/// The policies of a router; a router that is nested, merged or mounted by host takes those of
/// the router it is put into.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) head: Automatic,
    pub(crate) options: Automatic,
    pub(crate) trailing_slash: TrailingSlash,
    pub(crate) percent: PercentPolicy,
}
