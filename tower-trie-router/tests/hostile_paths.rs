//! Paths and patterns that were made to hurt: long ones, deep ones, odd bytes,
//! sets that force the search to turn back. Work is counted in steps, never
//! in seconds. A trie takes `&str`, so a path that is not UTF-8 cannot reach
//! it; `http::Uri` lets none through either.

mod reference;

use std::fmt::Write as _;

use tower_trie_router::{InsertErrorKind, Trie, TrieBuilder};

fn build<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Trie<String> {
    let mut builder = TrieBuilder::new();
    for pattern in patterns {
        let pattern = pattern.as_ref();
        if let Err(error) = builder.insert(pattern, pattern.to_owned()) {
            panic!("{error}");
        }
    }
    builder.build()
}

/// The pattern that matches and the values of its parameters. All ways to
/// look a path up have to agree.
fn find<'p>(trie: &Trie<String>, path: &'p str) -> Option<(String, Vec<&'p str>)> {
    let read = |found: tower_trie_router::Match<'_, 'p, String>| {
        let values = found.params.iter().map(|(_, value)| value).collect();
        (found.value.clone(), values)
    };
    let found = trie.at(path).map(read);
    assert_eq!(found, trie.at_portable(path).map(read), "{path:?}");
    assert_eq!(found, trie.at_counted(path).0.map(read), "{path:?}");
    found
}

fn steps(trie: &Trie<String>, path: &str) -> usize {
    trie.at_counted(path).1
}

/// Patterns, and a path for each size. The steps have to grow no faster than
/// the path.
struct Shape {
    name: &'static str,
    patterns: fn() -> Vec<String>,
    path: fn(usize) -> String,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "one long segment",
        patterns: || owned(&["/{a}", "/{a}/{b}", "/{a}.x"]),
        path: |size| format!("/{}", "a".repeat(size)),
    },
    Shape {
        name: "nothing but slashes",
        patterns: || owned(&["/{a}", "//{a}", "/{a}/{b}", "///x"]),
        path: |size| "/".repeat(size),
    },
    Shape {
        name: "a root catch-all behind everything",
        patterns: || owned(&["/{*rest}", "/{a}/x", "/a/{b}/y", "/{a}/{b}/{c}/z"]),
        path: |size| "/a".repeat(size / 2),
    },
    Shape {
        name: "deeper than any pattern",
        patterns: || owned(&["/{a}/z", "/a/{b}/z", "/a/a/{c}/z"]),
        path: |size| "/a".repeat(size / 2),
    },
    Shape {
        name: "a catch-all at every depth",
        patterns: || deep_catch_alls().collect(),
        path: |size| format!("{}/y", "/a".repeat(size / 2)),
    },
    Shape {
        name: "every separator is a candidate",
        patterns: || owned(&["/{a}.{b}.z", "/{a}.{b}.y.{c}", "/{a}-{b}", "/{a}..{b}.q"]),
        path: |size| format!("/{}MISS", "z.".repeat(size / 2)),
    },
    Shape {
        name: "a literal that almost matches everywhere",
        patterns: || owned(&["/{x}aab{y}", "/{x}aab{y}aac{z}/-/{s}"]),
        path: |size| format!("/{}", "a".repeat(size)),
    },
    Shape {
        name: "separators on both sides of a miss",
        patterns: || owned(&["/{x}a{y}a{z}/-/{s}/end/{t}"]),
        path: |size| format!("/{}/-/{}/end/", "a".repeat(size / 2), "b".repeat(size / 2)),
    },
    Shape {
        name: "suffixes that compete",
        patterns: || (0..200).map(|i| format!("/{{a}}.z{i}")).collect(),
        path: |size| format!("/{}.zz", "x".repeat(size)),
    },
    Shape {
        name: "constraints that look at all of it",
        patterns: || owned(&["/{a:digit}", "/{a:hex}", "/{a:alnum}", "/{*a:alpha}"]),
        path: |size| format!("/{}-", "1".repeat(size)),
    },
    Shape {
        name: "three bytes a character",
        patterns: || owned(&["/{a}本{b}", "/日{a}", "/{a}/日本"]),
        path: |size| format!("/{}", "日".repeat(size / 3)),
    },
];

fn owned(patterns: &[&str]) -> Vec<String> {
    patterns
        .iter()
        .map(|pattern| (*pattern).to_owned())
        .collect()
}

/// `/z{*rest}`, `/{p0}/z{*rest}`, `/{p0}/{p1}/z{*rest}` and so on.
fn deep_catch_alls() -> impl Iterator<Item = String> {
    (0..100).map(|depth| {
        let params: String = (0..depth).map(|i| format!("/{{p{i}}}")).collect();
        format!("{params}/z{{*rest}}")
    })
}

#[test]
fn steps_grow_no_faster_than_the_path() {
    for shape in SHAPES {
        let trie = build((shape.patterns)());
        // What a look-up costs however short the path, and the rounding.
        let fixed = steps(&trie, "/") + 8 * trie.len();
        for size in [64, 256, 1024, 4096, 16_384, 32_768, 65_536] {
            let (one, two) = ((shape.path)(size), (shape.path)(2 * size));
            let (short, long) = (steps(&trie, &one), steps(&trie, &two));
            assert!(
                long <= 2 * short + fixed,
                "{}: {short} steps for {size} bytes, {long} for twice as many",
                shape.name
            );
            assert_eq!(find(&trie, &two).is_some(), find(&trie, &one).is_some());
        }
    }
}

/// All sequences of `a` and `{p}`: a search that turns back has to look into
/// every one of them.
#[test]
fn turning_back_visits_each_pattern_once() {
    let mut previous = None;
    for depth in 2..=10 {
        let patterns = (0..1_usize << depth).map(|bits| {
            let mut pattern = String::new();
            for at in 0..depth {
                match bits >> at & 1 {
                    0 => pattern.push_str("/a"),
                    _ => write!(pattern, "/{{p{at}}}").unwrap(),
                }
            }
            pattern + "/end"
        });
        let trie = build(patterns);
        let miss = "/a".repeat(depth) + "/miss";
        assert_eq!(find(&trie, &miss), None);
        let steps = steps(&trie, &miss);
        // Twice as many patterns: at most about twice as many steps, although
        // there are twice as many ways at each depth.
        if let Some(previous) = previous {
            assert!(
                steps <= 2 * previous + 16,
                "{depth}: {previous}, then {steps}"
            );
        }
        previous = Some(steps);
        let hit = "/a".repeat(depth) + "/end";
        assert_eq!(find(&trie, &hit), Some((hit.clone(), vec![])));
    }
}

#[test]
fn long_paths_are_read_right() {
    let trie = build(["/{a}", "/{a}/{b}/{c}", "/f/{*rest}", "/{a}.{b}/x/y/z"]);
    // Around where sixteen bits end, and the longest that `http::Uri` takes.
    for length in [
        1, 63, 64, 65, 65_533, 65_534, 65_535, 65_536, 65_537, 131_071, 131_072, 200_000,
    ] {
        let text = "x".repeat(length);
        let path = format!("/{text}");
        let expected = Some(("/{a}".to_owned(), vec![&*text]));
        assert_eq!(find(&trie, &path), expected, "{length}");

        let path = format!("/{text}/b{text}/c{text}");
        let values = vec![
            &path[1..=length],
            &path[length + 2..2 * length + 3],
            &path[2 * length + 4..],
        ];
        let expected = Some(("/{a}/{b}/{c}".to_owned(), values));
        assert_eq!(find(&trie, &path), expected, "{length}");

        let path = format!("/f/{text}/{text}/");
        let expected = Some(("/f/{*rest}".to_owned(), vec![&path[3..]]));
        assert_eq!(find(&trie, &path), expected, "{length}");

        let path = format!("/{text}.{text}/x/y/z");
        let expected = Some(("/{a}.{b}/x/y/z".to_owned(), vec![&*text, &*text]));
        assert_eq!(find(&trie, &path), expected, "{length}");

        assert_eq!(find(&trie, &format!("/{text}/{text}")), None, "{length}");
    }
}

#[test]
fn ten_thousand_segments() {
    let trie = build(["/a/{*rest}", "/{a}/{b}", "/a/a/a"]);
    let path = "/a".repeat(10_000);
    let expected = Some(("/a/{*rest}".to_owned(), vec![&path[3..]]));
    assert_eq!(find(&trie, &path), expected);
    assert_eq!(find(&build(["/a/a/a", "/{a}/{b}"]), &path), None);
}

/// On a small stack: recursion along the path or the pattern would overflow it.
#[test]
fn patterns_of_ten_thousand_segments() {
    let test = || {
        let fixed = "/a".repeat(10_000);
        let other = "/a".repeat(9_999) + "/b";
        let params: String = (0..10_000).map(|i| format!("/{{{}}}", name(i))).collect();
        let trie = build([&fixed, &other, &params]);

        assert_eq!(find(&trie, &fixed), Some((fixed.clone(), vec![])));
        assert_eq!(find(&trie, &other), Some((other.clone(), vec![])));
        let miss = "/a".repeat(9_999) + "/c";
        assert_eq!(
            find(&trie, &miss),
            Some((params.clone(), {
                let mut values = vec!["a"; 9_999];
                values.push("c");
                values
            }))
        );
        assert_eq!(find(&trie, &"/a".repeat(9_999)), None);
        assert_eq!(find(&trie, &"/a".repeat(10_001)), None);
        assert!(steps(&trie, &miss) <= 10 * miss.len());

        // A picture is as wide as the pattern is deep.
        let deep = "/a".repeat(2_000);
        assert_eq!(build([&deep]).to_string().lines().count(), 2_001);
    };
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

/// A short name for each number.
fn name(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}

/// Whatever is too large is an error that says so, not a panic.
#[test]
fn patterns_that_are_too_long() {
    for length in [1_000, 65_534, 65_535, 65_536, 70_000, 1 << 20] {
        for pattern in [
            format!("/{}", "x".repeat(length)),
            "/x".repeat(length / 2),
            format!("/{{{}}}", "x".repeat(length)),
            format!("/{{a}}{}", "x".repeat(length)),
            "/{".repeat(length / 2),
        ] {
            let mut builder = TrieBuilder::new();
            match builder.insert(&pattern, pattern.clone()) {
                Ok(()) => {
                    let trie = builder.build();
                    let path = pattern.replace(['{', '}'], "");
                    assert_eq!(find(&trie, &path).map(|(value, _)| value), Some(pattern));
                }
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        InsertErrorKind::TooLarge
                            | InsertErrorKind::UnclosedBrace
                            | InsertErrorKind::InvalidName
                    ),
                    "{length}: {}",
                    error.message()
                ),
            }
        }
    }
}

#[test]
fn odd_bytes_stand_for_themselves() {
    let trie = build([
        "/",
        "//",
        "/a",
        "/a/",
        "/a//b",
        "/a/./b",
        "/a/../b",
        "/\0",
        "/\0/{a}",
        "/%00",
        "/a%2Fb",
        "/é",
        "/x/{a}",
        "/x/{a}/y",
        "/z/{*rest}",
    ]);
    // The path, then the pattern and the values.
    type Found = Option<(&'static str, &'static [&'static str])>;
    let cases: &[(&str, Found)] = &[
        ("", None),
        ("a", None),
        ("*", None),
        ("\0", None),
        ("/", Some(("/", &[]))),
        ("//", Some(("//", &[]))),
        ("///", None),
        ("/a", Some(("/a", &[]))),
        ("/a/", Some(("/a/", &[]))),
        ("/a//", None),
        ("/a/b", None),
        ("/a//b", Some(("/a//b", &[]))),
        ("/a///b", None),
        ("/a/./b", Some(("/a/./b", &[]))),
        ("/a/../b", Some(("/a/../b", &[]))),
        ("/.", None),
        ("/./a", None),
        ("/x/../a", None),
        ("/\0", Some(("/\0", &[]))),
        ("/\0\0", None),
        ("/a\0", None),
        ("/a\0\0\0\0\0\0", None),
        ("/\0/\0", Some(("/\0/{a}", &["\0"]))),
        ("/%00", Some(("/%00", &[]))),
        ("/a%2Fb", Some(("/a%2Fb", &[]))),
        ("/a%2fb", None),
        ("/é", Some(("/é", &[]))),
        ("/e\u{301}", None),
        ("/%C3%A9", None),
        ("/x/", None),
        ("/x//", None),
        ("/x//y", None),
        ("/x/.", Some(("/x/{a}", &["."]))),
        ("/x/..", Some(("/x/{a}", &[".."]))),
        ("/x/../y", Some(("/x/{a}/y", &[".."]))),
        ("/x/a%2Fb", Some(("/x/{a}", &["a%2Fb"]))),
        ("/x/\0", Some(("/x/{a}", &["\0"]))),
        ("/x/日本/y", Some(("/x/{a}/y", &["日本"]))),
        ("/z", None),
        ("/z/", None),
        ("/z//", Some(("/z/{*rest}", &["/"]))),
        ("/z/../../etc", Some(("/z/{*rest}", &["../../etc"]))),
        ("/z/\0/\0", Some(("/z/{*rest}", &["\0/\0"]))),
    ];
    for (path, expected) in cases {
        let expected = expected.map(|(pattern, values)| (pattern.to_owned(), values.to_vec()));
        assert_eq!(find(&trie, path), expected, "{path:?}");
    }
}

/// Every place of two slashes in paths up to three vectors long, with text of
/// one and of several bytes a character.
#[test]
fn slashes_at_every_place() {
    let patterns = [
        "/{a}",
        "/{a}/{b}",
        "/{a}/{b}/{c}",
        "/x{a}/{b}",
        "/{a}/x/{*c}",
        "/é/{b}",
    ];
    let trie = build(patterns);
    let patterns: Vec<_> = patterns
        .iter()
        .map(|pattern| reference::parse(pattern))
        .collect();
    for character in ["x", "é", "日"] {
        for length in 0..100 / character.len() {
            for first in 0..=length {
                for second in [first, length / 2, length] {
                    let mut path = String::from("/");
                    for at in 0..length {
                        path.push_str(if at == first || at == second {
                            "/"
                        } else {
                            character
                        });
                    }
                    let expected = reference::find(&patterns, &path);
                    let expected = expected.map(|(pattern, params)| {
                        let values = params.into_iter().map(|(_, value)| value).collect();
                        (pattern.to_owned(), values)
                    });
                    let found = find(&trie, &path);
                    let found = found.map(|(pattern, values)| {
                        (
                            pattern,
                            values.into_iter().map(str::to_owned).collect::<Vec<_>>(),
                        )
                    });
                    assert_eq!(found, expected, "{path:?}");
                }
            }
        }
    }
}

/// Labels that differ in one byte only, at every place around the ends of
/// words and vectors.
#[test]
fn labels_that_differ_in_one_byte() {
    for length in (1..=18).chain([24, 25, 32, 33]) {
        let label = |at: usize| -> String {
            let byte = |i| if i == at { 'y' } else { 'x' };
            (0..length).map(byte).collect()
        };
        let patterns: Vec<String> = (0..length).map(|at| format!("/{}/e", label(at))).collect();
        let trie = build(&patterns);
        for (at, pattern) in patterns.iter().enumerate() {
            assert_eq!(find(&trie, pattern), Some((pattern.clone(), vec![])));
            for miss in [
                format!("/{}/e", label(length)),
                format!("/{}x/e", label(at)),
                format!("/{}/e", &label(at)[1..]),
                format!("/{}\0/e", label(at)),
                format!("/{}/", label(at)),
                format!("/{}", label(at)),
            ] {
                let expected = patterns.contains(&miss).then(|| (miss.clone(), vec![]));
                assert_eq!(find(&trie, &miss), expected, "{miss:?}");
            }
        }
    }
}
