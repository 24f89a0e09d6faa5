//! Any text as a pattern: it is taken or refused, and a refusal points into it.
//!
//! `cargo +nightly fuzz run pattern -- -dict=fuzz_targets/language.dict`
#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_trie_router::TrieBuilder;

fuzz_target!(|data: &[u8]| {
    let Ok(pattern) = core::str::from_utf8(data) else {
        return;
    };
    let mut builder = TrieBuilder::new();
    match builder.insert(pattern, ()) {
        Ok(()) => {
            let again = builder
                .insert(pattern, ())
                .expect_err("it is there already");
            assert_eq!(again.conflict_with(), Some(pattern));
            let trie = builder.build();
            if let Some(found) = trie.at(pattern) {
                assert_eq!(found.pattern(), pattern);
                assert_eq!(found.params.iter().count(), found.params.len());
            }
        }
        Err(error) => {
            assert!(pattern.get(error.span()).is_some(), "{error:?}");
            assert_eq!(error.span().is_empty(), pattern.is_empty(), "{error:?}");
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }
});
