use alloc::{format, string::String, vec::Vec};

use super::{Trie, TrieBuilder, tables::Tables};
use crate::pattern::{ConstraintSet, Pattern};

fn trie(patterns: &[&'static str]) -> Trie<&'static str> {
    let mut builder = TrieBuilder::new();
    for pattern in patterns {
        builder.insert(pattern, *pattern).unwrap();
    }
    builder.build()
}

fn at<'p>(
    trie: &Trie<&'static str>,
    path: &'p str,
) -> Option<(&'static str, Vec<(String, &'p str)>)> {
    let found = trie.at(path)?;
    assert_eq!(*found.value, found.pattern());
    let params = found
        .params
        .iter()
        .map(|(name, value)| (name.into(), value));
    Some((found.value, params.collect()))
}

#[track_caller]
fn check(trie: &Trie<&'static str>, path: &str, pattern: &str, params: &[(&str, &str)]) {
    let (found, values) = at(trie, path).unwrap_or_else(|| panic!("{path} matches nothing"));
    assert_eq!(found, pattern, "{path}");
    let values: Vec<_> = values
        .iter()
        .map(|(name, value)| (&**name, *value))
        .collect();
    assert_eq!(values, params, "{path}");
}

#[test]
fn static_goes_before_parameter_goes_before_rest() {
    let trie = trie(&[
        "/",
        "/a",
        "/a/{x}",
        "/a/b",
        "/a/{x}/c",
        "/a/b/d",
        "/{*rest}",
        "/a/",
        "/a/{x}/{*all}",
    ]);
    check(&trie, "/", "/", &[]);
    check(&trie, "/a", "/a", &[]);
    check(&trie, "/a/", "/a/", &[]);
    check(&trie, "/a/b", "/a/b", &[]);
    check(&trie, "/a/q", "/a/{x}", &[("x", "q")]);
    check(&trie, "/a/b/c", "/a/{x}/c", &[("x", "b")]);
    check(&trie, "/a/b/d", "/a/b/d", &[]);
    check(
        &trie,
        "/a/b/e",
        "/a/{x}/{*all}",
        &[("x", "b"), ("all", "e")],
    );
    check(&trie, "/a/b/", "/{*rest}", &[("rest", "a/b/")]);
    check(&trie, "//", "/{*rest}", &[("rest", "/")]);
    assert!(trie.at("").is_none());
    assert!(trie.at("a").is_none());
}

#[test]
fn labels_of_every_length_are_told_apart() {
    let mut labels: Vec<String> = Vec::new();
    for len in 0..70 {
        let text: String = ('a'..='z').cycle().take(len).collect();
        for (at, _) in text.char_indices() {
            let mut other: Vec<char> = text.chars().collect();
            other[at] = '0';
            labels.push(other.iter().collect());
        }
        labels.push(text);
    }
    for nested in ["", "/p", "/parent-longer/q"] {
        let mut builder = TrieBuilder::new();
        for label in &labels {
            builder
                .insert(&format!("{nested}/{label}"), label.clone())
                .unwrap();
        }
        let trie = builder.build();
        for label in &labels {
            let path = format!("{nested}/{label}");
            assert_eq!(
                trie.at(&path).map(|found| found.value),
                Some(label),
                "{path}"
            );
            assert_eq!(
                trie.at_portable(&path).map(|found| found.value),
                Some(label),
                "{path}"
            );
            for other in [
                format!("{path}\0"),
                format!("{path}x"),
                format!("{path}/"),
                path.replace('c', "C"),
            ] {
                let text = &other[nested.len() + 1..];
                let expected = labels.iter().find(|label| **label == text);
                assert_eq!(
                    trie.at(&other).map(|found| found.value),
                    expected,
                    "{other:?}"
                );
            }
        }
    }
}

#[test]
fn wide_places_and_long_paths() {
    let mut builder = TrieBuilder::new();
    for n in 0..3_000 {
        builder
            .insert(&format!("/wide/{n}/{{id}}/x{n}"), n)
            .unwrap();
        builder.insert(&format!("/{n}"), n).unwrap();
    }
    let trie = builder.build();
    for n in 0..3_000 {
        let long = "v".repeat(n % 200 + 1);
        let path = format!("/wide/{n}/{long}/x{n}");
        let found = trie.at(&path).unwrap();
        assert_eq!((*found.value, found.params.get("id")), (n, Some(&*long)));
        assert_eq!(trie.at(&format!("/{n}")).map(|found| *found.value), Some(n));
        assert!(trie.at(&format!("/wide/{n}/{long}/x{}", n + 1)).is_none());
    }
    assert!(trie.at("/3000").is_none());
}

#[test]
fn segments_with_literals_constraints_and_options() {
    let trie = trie(&[
        "/f/{name}.json",
        "/f/{name}",
        "/v{major:u32}.{minor:u32}/x",
        "/v{rest}/x",
        "/n/{id:u64}",
        "/n/{id:alpha}",
        "/u/{id?}",
        "/d/{*path?}",
        "/s{*tail}",
        "/{{x}}",
    ]);
    check(&trie, "/f/a.json", "/f/{name}.json", &[("name", "a")]);
    check(&trie, "/f/.json", "/f/{name}", &[("name", ".json")]);
    check(
        &trie,
        "/v1.22/x",
        "/v{major:u32}.{minor:u32}/x",
        &[("major", "1"), ("minor", "22")],
    );
    check(&trie, "/v1.b/x", "/v{rest}/x", &[("rest", "1.b")]);
    check(&trie, "/n/12", "/n/{id:u64}", &[("id", "12")]);
    check(&trie, "/n/ab", "/n/{id:alpha}", &[("id", "ab")]);
    assert!(trie.at("/n/a-b").is_none());
    check(&trie, "/u", "/u/{id?}", &[]);
    check(&trie, "/u/7", "/u/{id?}", &[("id", "7")]);
    check(&trie, "/d", "/d/{*path?}", &[]);
    check(&trie, "/d/", "/d/{*path?}", &[]);
    check(&trie, "/d/a/b", "/d/{*path?}", &[("path", "a/b")]);
    check(&trie, "/shop/a", "/s{*tail}", &[("tail", "hop/a")]);
    check(&trie, "/{x}", "/{{x}}", &[]);
    assert!(trie.at("/s").is_none());
}

#[test]
fn more_parameters_than_any_array_holds() {
    let pattern: String = (0..300).map(|n| format!("/{{p{n}}}")).collect();
    let path: String = (0..300).map(|n| format!("/v{n}")).collect();
    let mut builder = TrieBuilder::new();
    builder.insert(&pattern, ()).unwrap();
    let trie = builder.build();
    let params: Vec<_> = trie.at(&path).unwrap().params.iter().collect();
    assert_eq!(params.len(), 300);
    for (n, (name, value)) in params.into_iter().enumerate() {
        assert_eq!((name, value), (&*format!("p{n}"), &*format!("v{n}")));
    }
}

#[test]
fn parameters_of_a_foreign_path_are_harmless() {
    let trie = trie(&["/a{x}é/{y}-{z}/{*rest}"]);
    let id = trie.at("/aé1é/p-q/r").unwrap().id();
    for path in ["", "/", "x", "/é", "/aé", "/ab/é-é", "//", "é/é/é/é/é"] {
        assert_eq!(trie.params_of(id, path).iter().count(), 4, "{path}");
    }
}

#[test]
fn the_picture() {
    let trie = trie(&[
        "/users/{id}/posts",
        "/users/me",
        "/users/{id}",
        "/health",
        "/users",
        "/",
    ]);
    let expected = "/\n├── \"\" *\n├── health *\n└── users *\n    ├── me *\n    └── {id} *\n        └── posts *";
    assert_eq!(format!("{trie}"), expected);
}

/// The arena once had 270,000 lines for these: the multiplier of the hash was
/// too narrow to bring the low bits of a label to the top.
#[test]
fn labels_that_differ_at_their_end_need_no_wide_windows() {
    for template in ["/product-details-{}", "/{}-details", "/item-{}", "/a{}"] {
        let patterns: Vec<Pattern> = (0..1_000)
            .map(|i| template.replace("{}", &format!("{i:06}")))
            .map(|pattern| Pattern::parse(&pattern, &ConstraintSet::default()).unwrap())
            .collect();
        let tables = Tables::new(&patterns.iter().collect::<Vec<_>>());
        assert!(
            tables.nodes.len() < 2_000,
            "{template}: {}",
            tables.nodes.len()
        );
    }
}

/// Labels whose first and last words are equal are searched by their text.
#[test]
fn labels_that_share_both_ends() {
    let label = |i: usize| format!("/product-{i:06}-details");
    let mut builder = TrieBuilder::new();
    for i in 0..1_000 {
        builder.insert(&(label(i) + "/x"), i).unwrap();
    }
    builder.insert("/product-{id}-details/y", 1_000).unwrap();
    builder.insert("/{name}/z", 1_001).unwrap();
    let trie = builder.build();
    let find = |path: String| trie.at(&path).map(|found| *found.value);
    for i in 0..1_000 {
        assert_eq!(find(label(i) + "/x"), Some(i));
        assert_eq!(find(label(i) + "/y"), Some(1_000), "{i}");
        assert_eq!(find(label(i) + "/z"), Some(1_001), "{i}");
        assert_eq!(find(label(i)), None, "{i}");
    }
    assert_eq!(find(label(1_000) + "/x"), None);
    assert_eq!(find(label(1_000) + "/y"), Some(1_000));
}
