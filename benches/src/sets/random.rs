//! Random order with realistic values: what a server sees, and no branch predictor can learn by heart.

use super::{Lookup, Set, Size, rng};
use crate::rng::Rng;

/// Random picks among the patterns, every parameter filled with a value of the kind that stands there.
pub(super) fn shuffle(name: &'static str, patterns: Vec<String>, size: Size) -> Set {
    let mut rng = rng(name);
    let lookups = (0..size.picks())
        .map(|_| {
            let route = rng.below(patterns.len());
            fill(&patterns[route], route, &mut rng)
        })
        .collect();
    Set {
        name,
        patterns,
        lookups,
    }
}

fn fill(pattern: &str, route: usize, rng: &mut Rng) -> Lookup {
    let mut path = String::new();
    let mut params = Vec::new();
    let mut before = "";
    for segment in pattern.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{') {
            Some(name) => {
                let value = value(before, rng);
                path.push_str(&value);
                params.push((name.trim_end_matches('}').to_owned(), value));
            }
            None => path.push_str(segment),
        }
        before = segment;
    }
    Lookup {
        path,
        route: Some(route),
        params,
    }
}

/// A value by the segment before it: accounts and repositories have names, commits have hashes, the rest ids.
fn value(before: &str, rng: &mut Rng) -> String {
    match before {
        "repos" | "users" | "orgs" | "networks" | "following" | "members" | "starred"
        | "subscriptions" | "collaborators" => name(rng),
        _ if before.starts_with('{') => name(rng),
        "commits" | "blobs" | "trees" | "statuses" | "tags" | "tokens" | "grants" => {
            let bits = [rng.next(), rng.next(), rng.next()];
            let hex = format!("{:016x}{:016x}{:016x}", bits[0], bits[1], bits[2]);
            hex[..40].to_owned()
        }
        _ if rng.below(3) == 0 => {
            let (a, b) = (rng.next(), rng.next());
            format!(
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                a >> 32,
                (a >> 16) & 0xFFFF,
                a & 0xFFF,
                b >> 52,
                b & 0xFFFF_FFFF_FFFF
            )
        }
        _ => (1 + rng.below(9_999_999)).to_string(),
    }
}

/// No route has a static segment with a number at its end, so a name never meets one.
fn name(rng: &mut Rng) -> String {
    const WORDS: [&str; 12] = [
        "rust", "octo", "kernel", "blue", "quick", "north", "paper", "delta", "river", "acme",
        "stone", "lab",
    ];
    let (first, second) = (rng.pick(&WORDS), rng.pick(&WORDS));
    format!("{first}-{second}-{}", rng.below(1_000))
}
