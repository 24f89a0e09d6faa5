//! The routers that are compared: each an adapter of one small trait.
//!
//! The work is the same for all. Patterns are given in our syntax (`{name}`,
//! `{*name}`) and put into the peer's own; values are the patterns' numbers.
//! A look-up hands the peer's whole match to `black_box`, as the peers' own
//! benchmarks do, and reads the value. Reading parameters means seeing every
//! name and value as `&str`, by whatever way the peer offers for all of them.

mod actix;
mod matchit_08;
mod matchit_09;
mod ours;
mod path_tree;
mod pointer;
mod route_recognizer;
mod wayfind;
mod xitca;

use std::hint::black_box;

use crate::sets::{Lookup, Set};

/// One router, behind the interface all suites use.
trait Router: Sized {
    /// Builds from patterns in our syntax; the value of a pattern is its index.
    fn build(patterns: &[String]) -> Self;

    /// The value of the route that matches.
    fn find(&self, path: &str) -> Option<usize>;

    /// As [`find`](Self::find), and shows every parameter.
    fn read(&self, path: &str, see: impl FnMut(&str, &str)) -> Option<usize>;
}

/// What a pass does with each path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looks up and reads the value.
    Find,
    /// Looks up and reads the value and all parameters.
    Params,
}

impl Mode {
    pub(crate) const ALL: [Self; 2] = [Self::Find, Self::Params];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Params => "params",
        }
    }
}

/// A router that has been built, with its passes compiled for it.
pub(crate) trait Built {
    /// One pass over `paths`; the sum of what was read, so that nothing can be left out.
    fn pass(&self, mode: Mode, paths: &[&str]) -> usize;

    /// The answer for one path, to be checked.
    fn answer(&self, path: &str) -> Option<(usize, Vec<(String, String)>)>;
}

impl<R: Router> Built for R {
    fn pass(&self, mode: Mode, paths: &[&str]) -> usize {
        match mode {
            Mode::Find => find_pass(self, paths),
            Mode::Params => params_pass(self, paths),
        }
    }

    fn answer(&self, path: &str) -> Option<(usize, Vec<(String, String)>)> {
        let mut params = Vec::new();
        let value = self.read(path, |name, value| {
            params.push((name.to_owned(), value.to_owned()));
        })?;
        // A look-up that reads nothing must agree.
        (self.find(path) == Some(value)).then_some((value, params))
    }
}

// Never inlined: a profile shows each router's pass under its own name.
#[inline(never)]
fn find_pass<R: Router>(router: &R, paths: &[&str]) -> usize {
    let mut sum = 0_usize;
    for path in black_box(paths) {
        sum = sum.wrapping_add(router.find(path).unwrap_or(1));
    }
    sum
}

#[inline(never)]
fn params_pass<R: Router>(router: &R, paths: &[&str]) -> usize {
    let mut sum = 0_usize;
    for path in black_box(paths) {
        let value = router.read(path, |name, value| {
            let (name, value) = black_box((name, value));
            sum = sum.wrapping_add(name.len()).wrapping_add(value.len());
        });
        sum = sum.wrapping_add(value.unwrap_or(1));
    }
    sum
}

/// A router that can be measured.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// The crate's name and version, as the results show it.
    pub(crate) name: &'static str,
    /// The largest set it is run on: beyond it a run would take hours.
    pub(crate) max_routes: usize,
    build: fn(&[String]) -> Box<dyn Built>,
}

/// The name of our own router in all tables.
pub(crate) const OURS: &str = "tower-trie-router";
/// The peer that the ratios are against.
pub(crate) const REFERENCE: &str = "matchit-0.9.2";
/// The textbook's trie of the locality suite: a heap block a byte.
pub(crate) const POINTER_BYTES: &str = "pointer-trie-bytes";
/// The same with a heap block a segment.
pub(crate) const POINTER_SEGMENTS: &str = "pointer-trie-segments";

/// Every router, ours first.
pub(crate) const PEERS: &[Peer] = &[
    Peer::new::<ours::Ours>(OURS, usize::MAX),
    Peer::new::<matchit_09::Matchit09>(REFERENCE, usize::MAX),
    Peer::new::<matchit_08::Matchit08>("matchit-0.8.4", usize::MAX),
    Peer::new::<wayfind::Wayfind>("wayfind-1.1.2", usize::MAX),
    Peer::new::<path_tree::PathTree>("path-tree-0.8.3", usize::MAX),
    Peer::new::<xitca::Xitca>("xitca-router-0.4.1", usize::MAX),
    Peer::new::<route_recognizer::RouteRecognizer>("route-recognizer-0.3.1", 1_000),
    Peer::new::<actix::Actix>("actix-router-0.5.4", 400),
    Peer::new::<pointer::ByteTrie>(POINTER_BYTES, usize::MAX),
    Peer::new::<pointer::SegmentTrie>(POINTER_SEGMENTS, usize::MAX),
];

impl Peer {
    const fn new<R: Router + 'static>(name: &'static str, max_routes: usize) -> Self {
        Self {
            name,
            max_routes,
            build: |patterns| Box::new(R::build(patterns)),
        }
    }

    /// The peer of that name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        PEERS
            .iter()
            .find(|peer| peer.name == name)
            .copied()
            .ok_or_else(|| {
                let known: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
                format!("no peer is called `{name}`; there are {}", known.join(", "))
            })
    }

    pub(crate) fn build(&self, patterns: &[String]) -> Box<dyn Built> {
        (self.build)(patterns)
    }

    /// Whether `built`, which is this peer's, answers every look-up of `set` rightly.
    pub(crate) fn verify(&self, built: &dyn Built, set: &Set) -> Result<(), String> {
        for lookup in &set.lookups {
            let got = built.answer(&lookup.path);
            if !agrees(lookup, got.as_ref()) {
                return Err(format!(
                    "{} on {}: `{}` gave {got:?}, right is route {:?} with {:?}",
                    self.name, set.name, lookup.path, lookup.route, lookup.params
                ));
            }
        }
        Ok(())
    }
}

/// Parameters are compared without their order: a peer may keep them in a sorted map.
fn agrees(want: &Lookup, got: Option<&(usize, Vec<(String, String)>)>) -> bool {
    let Some((value, params)) = got else {
        return want.route.is_none();
    };
    let mut params: Vec<_> = params.iter().collect();
    let mut right: Vec<_> = want.params.iter().collect();
    params.sort();
    right.sort();
    want.route == Some(*value) && params == right
}

/// `pattern` with each `{name}` and `{*name}` written by the two functions.
fn rewrite(pattern: &str, param: impl Fn(&str) -> String, rest: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut tail = pattern;
    while let Some((text, after)) = tail.split_once('{') {
        let (name, more) = after.split_once('}').expect("the sets close their braces");
        out.push_str(text);
        out.push_str(&match name.strip_prefix('*') {
            Some(name) => rest(name),
            None => param(name),
        });
        tail = more;
    }
    out.push_str(tail);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets;

    #[test]
    fn every_peer_answers_every_small_set_rightly() {
        for name in sets::NAMES {
            let mut set = sets::make(name, sets::Size::Quick).unwrap();
            if set.patterns.len() > 1_000 {
                continue;
            }
            // Enough to tell a wrong adapter; a run checks them all.
            set.lookups.truncate(200);
            for peer in PEERS {
                if set.patterns.len() <= peer.max_routes {
                    let built = peer.build(&set.patterns);
                    assert_eq!(peer.verify(&*built, &set), Ok(()), "{} {name}", peer.name);
                }
            }
        }
    }

    #[test]
    fn rewrites_into_a_peers_syntax() {
        let colon = |p: &str| rewrite(p, |n| format!(":{n}"), |n| format!(":{n}+"));
        let cases = [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/{b}/c", "/a/:b/c"),
            ("/{a}/{*b}", "/:a/:b+"),
        ];
        for (pattern, want) in cases {
            assert_eq!(colon(pattern), want, "{pattern}");
        }
    }
}
