//! Any patterns and any paths: the trie finds what the naive reference finds.
//! The input is a list of lines; those before the first empty one are
//! patterns, the others are paths.
//!
//! `cargo +nightly fuzz run lookup -- -dict=fuzz_targets/language.dict`
#![no_main]

#[path = "../../tests/reference/mod.rs"]
mod reference;

use libfuzzer_sys::fuzz_target;
use tower_trie_router::{InsertErrorKind, TrieBuilder};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let (lines, paths) = text.split_once("\n\n").unwrap_or((text, "/"));
    let mut builder = TrieBuilder::new();
    for name in reference::CUSTOM {
        let accepts = |text: &str| reference::accepts(name, text);
        builder
            .constraint(name, accepts)
            .expect("the names are free");
    }
    let mut patterns = Vec::new();
    // The reference tries every split: long input would only cost time.
    for line in lines.lines().filter(|line| line.len() <= 48) {
        let inserted = builder.insert(line, line.to_owned());
        let conflict = match inserted {
            Ok(()) => false,
            Err(error) if error.kind() == InsertErrorKind::Conflict => true,
            Err(_) => continue,
        };
        let pattern = reference::parse(line);
        let expected = patterns
            .iter()
            .any(|other| reference::conflict(&pattern, other));
        assert_eq!(conflict, expected, "{line}");
        if !conflict {
            patterns.push(pattern);
        }
    }
    let trie = builder.build();
    for path in paths.split('\n').filter(|path| path.len() <= 96) {
        let expected = reference::find(&patterns, path);
        let found = trie.at(path).map(|found| {
            let params = found.params.iter();
            let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
            (found.pattern(), params.collect())
        });
        assert_eq!(found, expected, "{path:?}");
        for (found, way) in [
            (trie.at_portable(path), "portable"),
            (trie.at_counted(path).0, "counted"),
        ] {
            let found = found.map(|found| found.pattern());
            let expected = expected.as_ref().map(|(pattern, _)| *pattern);
            assert_eq!(found, expected, "{way}: {path:?}");
        }
    }
});
