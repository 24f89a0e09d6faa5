//! The trie against a naive matcher and against matchit, on patterns and paths
//! at random. A failure names its seed: `SEED=<seed> cargo test` replays it
//! alone.

mod random;
mod reference;
mod support;

use random::{Language, Random, Vocabulary};
use reference::Pattern;
use support::look_up;
use tower_trie_router::{InsertErrorKind, TrieBuilder};

/// Sets of patterns for the look-ups, each with its own seed.
const SETS: u64 = 2_000;
/// Paths that are looked up in each set.
const PATHS: usize = 60;

/// Runs `test` for so many seeds, or for the one in the environment.
fn for_each_seed(sets: u64, test: impl Fn(u64, &mut Random)) {
    let seed = std::env::var("SEED").ok().map(|seed| {
        seed.parse()
            .unwrap_or_else(|_| panic!("SEED is no number: `{seed}`"))
    });
    for seed in seed.map_or(0..sets, |seed: u64| seed..seed + 1) {
        test(seed, &mut Random::new(seed));
    }
}

/// An empty builder that knows the constraints of the reference.
fn builder() -> TrieBuilder<String> {
    let mut builder = TrieBuilder::new();
    for name in reference::CUSTOM {
        builder
            .constraint(name, |text| reference::accepts(name, text))
            .unwrap();
    }
    builder
}

/// Many small sets, where a fault is easy to read, and some large ones.
fn set_size(random: &mut Random) -> usize {
    match random.below(20) {
        0 => 60,
        1..4 => 25,
        _ => 1 + random.below(10),
    }
}

/// A set of patterns that do not conflict.
fn patterns(random: &mut Random, vocabulary: &Vocabulary) -> Vec<Pattern> {
    let mut patterns: Vec<Pattern> = Vec::new();
    for _ in 0..set_size(random) {
        let pattern = reference::parse(&vocabulary.pattern(random));
        if !patterns
            .iter()
            .any(|other| reference::conflict(&pattern, other))
        {
            patterns.push(pattern);
        }
    }
    patterns
}

fn insert_all(builder: &mut TrieBuilder<String>, patterns: &[Pattern], seed: u64) {
    for Pattern { source, .. } in patterns {
        if let Err(error) = builder.insert(source, source.clone()) {
            panic!("seed {seed}: {error}");
        }
    }
}

/// Looks up paths near the patterns and compares with the reference.
fn compare(
    builder: TrieBuilder<String>,
    patterns: &[Pattern],
    vocabulary: &Vocabulary,
    random: &mut Random,
    seed: u64,
    paths: usize,
) {
    let trie = builder.build();
    for _ in 0..paths {
        let path = vocabulary.path(random, patterns);
        let expected = reference::find(patterns, &path);
        let found = look_up(&trie, &path);
        let found = found.as_ref().map(|(pattern, params)| {
            let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
            (&**pattern, params.iter().map(own).collect::<Vec<_>>())
        });
        if found != expected {
            let patterns: Vec<_> = patterns.iter().map(|pattern| &pattern.source).collect();
            panic!("seed {seed}: {path:?} found {found:?}, not {expected:?}, in {patterns:#?}");
        }
    }
}

#[test]
fn look_ups_agree_with_the_reference() {
    for_each_seed(SETS, |seed, random| {
        let vocabulary = Vocabulary::new(random, Language::Full);
        let patterns = patterns(random, &vocabulary);
        let mut builder = builder();
        insert_all(&mut builder, &patterns, seed);
        compare(builder, &patterns, &vocabulary, random, seed, PATHS);
    });
}

#[test]
fn conflicts_agree_with_the_reference() {
    for_each_seed(SETS / 4, |seed, random| {
        let vocabulary = Vocabulary::new(random, Language::Full);
        let mut builder = builder();
        let mut patterns: Vec<Pattern> = Vec::new();
        for _ in 0..set_size(random) {
            let pattern = reference::parse(&vocabulary.pattern(random));
            let source = &pattern.source;
            let conflicts = patterns.iter();
            let conflicts = conflicts.filter(|other| reference::conflict(&pattern, other));
            let conflicts: Vec<&str> = conflicts.map(|other| &*other.source).collect();
            match builder.insert(source, source.clone()) {
                Ok(()) => {
                    assert_eq!(conflicts, [""; 0], "seed {seed}: {source}");
                    patterns.push(pattern);
                }
                Err(error) => {
                    assert_eq!(
                        error.kind(),
                        InsertErrorKind::Conflict,
                        "seed {seed}: {error}"
                    );
                    let with = error.conflict_with().unwrap();
                    assert!(conflicts.contains(&with), "seed {seed}: {error}");
                }
            }
        }
        // What was refused has left no trace.
        compare(builder, &patterns, &vocabulary, random, seed, PATHS / 2);
    });
}

#[test]
fn insertion_order_does_not_matter() {
    for_each_seed(SETS / 4, |seed, random| {
        let vocabulary = Vocabulary::new(random, Language::Full);
        let mut patterns = patterns(random, &vocabulary);
        let mut one = builder();
        insert_all(&mut one, &patterns, seed);
        random.shuffle(&mut patterns);
        let mut other = builder();
        insert_all(&mut other, &patterns, seed);
        let (one, other) = (one.build(), other.build());
        for _ in 0..PATHS / 2 {
            let path = vocabulary.path(random, &patterns);
            let found = (look_up(&one, &path), look_up(&other, &path));
            assert_eq!(found.0, found.1, "seed {seed}: {path:?}");
        }
        let listed = |trie: &tower_trie_router::Trie<String>| -> Vec<String> {
            trie.iter().map(|(pattern, _)| pattern.to_owned()).collect()
        };
        assert_eq!(listed(&one), listed(&other), "seed {seed}");
    });
}

#[test]
fn removal_leaves_the_rest() {
    for_each_seed(SETS / 4, |seed, random| {
        let vocabulary = Vocabulary::new(random, Language::Full);
        let mut patterns = patterns(random, &vocabulary);
        let mut builder = builder();
        insert_all(&mut builder, &patterns, seed);
        let mut removed = Vec::new();
        random.shuffle(&mut patterns);
        for _ in 0..=random.below(patterns.len()) {
            removed.extend(patterns.pop());
        }
        for Pattern { source, .. } in &removed {
            assert_eq!(builder.remove(source).as_ref(), Some(source), "seed {seed}");
            assert_eq!(builder.remove(source), None, "seed {seed}: {source}");
            assert_eq!(builder.get(source), None, "seed {seed}: {source}");
        }
        let rest = builder.clone();
        compare(rest, &patterns, &vocabulary, random, seed, PATHS / 2);

        // There is room again for what was removed.
        insert_all(&mut builder, &removed, seed);
        patterns.append(&mut removed);
        compare(builder, &patterns, &vocabulary, random, seed, PATHS / 2);
    });
}

#[test]
fn look_ups_agree_with_matchit() {
    for_each_seed(SETS, |seed, random| {
        let vocabulary = Vocabulary::new(random, Language::Shared);
        let mut builder = builder();
        let mut matchit = matchit_09::Router::new();
        let mut patterns = Vec::new();
        for pattern in self::patterns(random, &vocabulary) {
            // matchit refuses patterns that the order of precedence separates.
            if matchit
                .insert(&pattern.source, pattern.source.clone())
                .is_ok()
            {
                patterns.push(pattern);
            }
        }
        insert_all(&mut builder, &patterns, seed);
        let trie = builder.build();
        for _ in 0..PATHS {
            let path = vocabulary.path(random, &patterns);
            let expected = matchit.at(&path).ok();
            let expected = expected
                .map(|found| (found.value.clone(), found.params.iter().collect::<Vec<_>>()));
            let found = look_up(&trie, &path);
            if found != expected {
                let patterns: Vec<_> = patterns.iter().map(|pattern| &pattern.source).collect();
                panic!("seed {seed}: {path:?} found {found:?}, not {expected:?}, in {patterns:#?}");
            }
        }
    });
}
