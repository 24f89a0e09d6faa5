//! Cases as data: a case is a list of steps on one builder, each with what
//! must come of it. One loop plays them all and names the step that fails.
// Each test binary compiles this file for itself and uses its part of it.
#![allow(dead_code)]

use tower_trie_router::{InsertErrorKind, Match, Trie, TrieBuilder};

/// A named list of steps, played from an empty builder.
pub(crate) struct Case {
    /// What the peer calls it.
    pub(crate) name: &'static str,
    /// What is done, in this order.
    pub(crate) steps: &'static [Step],
}

/// Something done to the builder or asked of the trie, and what must come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The pattern is taken.
    Insert(&'static str),
    /// The pattern is refused because of the second one.
    Conflict(&'static str, &'static str),
    /// The pattern is refused for itself.
    Refused(&'static str, InsertErrorKind),
    /// The pattern was there and is removed.
    Removed(&'static str),
    /// The pattern was not there to be removed.
    Absent(&'static str),
    /// The path is matched by the pattern, with these parameters.
    At(&'static str, &'static str, Params),
    /// The path is matched by nothing.
    None(&'static str),
    /// What the peer does differently, why, and what must come of it here.
    Differs {
        /// Why it is different here.
        reason: &'static str,
        /// What the peer does.
        peer: &'static str,
        /// What must come of it here.
        here: &'static Step,
    },
}

/// Names and values from left to right.
pub(crate) type Params = &'static [(&'static str, &'static str)];

/// Plays every case.
pub(crate) fn play(cases: &[Case]) {
    for case in cases {
        let mut builder = TrieBuilder::new();
        let mut trie = None;
        for step in case.steps {
            play_step(case.name, step, &mut builder, &mut trie);
        }
    }
}

fn play_step(
    case: &str,
    step: &Step,
    builder: &mut TrieBuilder<String>,
    built: &mut Option<Trie<String>>,
) {
    if !matches!(step, Step::At(..) | Step::None(_) | Step::Differs { .. }) {
        *built = None;
    }
    let mut insert = |pattern: &str| builder.insert(pattern, pattern.to_owned());
    match *step {
        Step::Insert(pattern) => {
            let inserted = insert(pattern);
            assert!(inserted.is_ok(), "{case}: {step:?}: {inserted:?}");
        }
        Step::Conflict(pattern, with) => {
            let error = insert(pattern).expect_err(&format!("{case}: {step:?}"));
            assert_eq!(error.conflict_with(), Some(with), "{case}: {step:?}");
        }
        Step::Refused(pattern, kind) => {
            let error = insert(pattern).expect_err(&format!("{case}: {step:?}"));
            assert_eq!(error.kind(), kind, "{case}: {step:?}");
        }
        Step::Removed(pattern) => {
            let removed = builder.remove(pattern);
            assert_eq!(removed.as_deref(), Some(pattern), "{case}: {step:?}");
        }
        Step::Absent(pattern) => {
            assert_eq!(builder.remove(pattern), None, "{case}: {step:?}");
        }
        Step::At(path, pattern, params) => {
            let trie = built.get_or_insert_with(|| builder.clone().build());
            let found = look_up(trie, path);
            let expected = Some((pattern.to_owned(), params.to_vec()));
            assert_eq!(found, expected, "{case}: {step:?}");
        }
        Step::None(path) => {
            let trie = built.get_or_insert_with(|| builder.clone().build());
            assert_eq!(look_up(trie, path), None, "{case}: {step:?}");
        }
        Step::Differs { reason, peer, here } => {
            assert!(!reason.is_empty() && !peer.is_empty(), "{case}: {step:?}");
            play_step(case, here, builder, built);
        }
    }
}

/// The value and the parameters of a path, by every way there is to look them
/// up; all have to agree.
pub(crate) fn look_up<'t, 'p>(
    trie: &'t Trie<String>,
    path: &'p str,
) -> Option<(String, Vec<(&'t str, &'p str)>)> {
    let read =
        |found: Match<'t, 'p, String>| (found.pattern(), found.id(), found.params.iter().collect());
    let found: Option<(&str, _, Vec<_>)> = trie.at(path).map(read);
    assert_eq!(
        trie.at_portable(path).map(read),
        found,
        "portable: {path:?}"
    );
    assert_eq!(
        trie.at_counted(path).0.map(read),
        found,
        "counted: {path:?}"
    );
    let (pattern, id, params) = found?;
    let again: Vec<_> = trie.params_of(id, path).iter().collect();
    assert_eq!(again, params, "{path:?}");
    assert_eq!(trie.pattern_of(id), pattern, "{path:?}");
    assert_eq!(trie.value_of(id), pattern, "{path:?}");
    let found = trie.at(path)?;
    assert_eq!(found.value, pattern, "{path:?}");
    assert_eq!(found.params.len(), params.len(), "{path:?}");
    for (name, value) in &params {
        assert_eq!(found.params.get(name), Some(*value), "{path:?}: {name}");
    }
    Some((pattern.to_owned(), params))
}
