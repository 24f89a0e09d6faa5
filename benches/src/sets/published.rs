//! The sets that matchit and wayfind publish, in their own cyclic order.
//!
//! `matchit`: 130 routes of GitHub's API, each looked up once with the
//! parameters' names as their values, as matchit's benchmark does.
//! `github`: 315 routes of GitHub's API and 80 paths, first published by
//! path-tree and kept by wayfind.

use super::{Lookup, Set, reference};

const MATCHIT_ROUTES: &str = include_str!("../../data/matchit.routes");
const GITHUB_ROUTES: &str = include_str!("../../data/github.routes");
const GITHUB_PATHS: &str = include_str!("../../data/github.paths");

pub(super) fn matchit(name: &'static str) -> Set {
    let patterns = lines(MATCHIT_ROUTES);
    let paths = matchit_paths(&patterns);
    answered(name, patterns, paths)
}

pub(super) fn github(name: &'static str) -> Set {
    answered(name, lines(GITHUB_ROUTES), lines(GITHUB_PATHS))
}

/// A catch-all at the root, as every application with a fallback page has; the paths are the same.
pub(super) fn matchit_catchall(name: &'static str) -> Set {
    let mut patterns = lines(MATCHIT_ROUTES);
    let paths = matchit_paths(&patterns);
    patterns.push("/{*rest}".into());
    answered(name, patterns, paths)
}

/// The catch-all at the root again, with paths that only it takes.
pub(super) fn matchit_rest(name: &'static str) -> Set {
    let mut patterns = lines(MATCHIT_ROUTES);
    let paths = unknown_paths(&patterns);
    patterns.push("/{*rest}".into());
    answered(name, patterns, paths)
}

/// Paths that no route takes.
pub(super) fn matchit_404(name: &'static str) -> Set {
    let patterns = lines(MATCHIT_ROUTES);
    let paths = unknown_paths(&patterns);
    answered(name, patterns, paths)
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn answered(name: &'static str, patterns: Vec<String>, paths: Vec<String>) -> Set {
    let answer = |path: &String| -> Lookup { reference(&patterns, path) };
    let lookups = paths.iter().map(answer).collect();
    Set {
        name,
        patterns,
        lookups,
    }
}

fn matchit_paths(patterns: &[String]) -> Vec<String> {
    let fill = |pattern: &String| pattern.replace(['{', '}'], "");
    patterns.iter().map(fill).collect()
}

/// One unknown path a route, by turns: an unknown first segment, an unknown last one, a segment too many.
fn unknown_paths(patterns: &[String]) -> Vec<String> {
    let mut paths = Vec::new();
    for (turn, path) in matchit_paths(patterns).iter().enumerate() {
        let path = path.trim_end_matches('/');
        let candidates = [
            format!("/unknown{path}"),
            format!("{}/unknown", path.rsplit_once('/').map_or("", |p| p.0)),
            format!("{path}/unknown/segments"),
        ];
        let misses = |path: &&String| reference(patterns, path).route.is_none();
        let mut by_turn = candidates.iter().cycle().skip(turn % 3).take(3);
        paths.push(
            by_turn
                .find(misses)
                .expect("an unknown first segment misses")
                .clone(),
        );
    }
    paths
}
