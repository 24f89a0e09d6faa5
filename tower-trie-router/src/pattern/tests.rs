use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    ConstraintError, ConstraintSet, InsertError, InsertErrorKind as Kind, Pattern, Segment,
    SegmentPattern,
};

fn constraints() -> ConstraintSet {
    let mut set = ConstraintSet::default();
    set.register("even", |text| text.len().is_multiple_of(2))
        .unwrap();
    set.register("odd", |text| !text.len().is_multiple_of(2))
        .unwrap();
    set
}

fn parse(pattern: &str) -> Pattern {
    Pattern::parse(pattern, &constraints())
        .unwrap_or_else(|error| panic!("`{pattern}` was refused: {error}"))
}

fn refuse(pattern: &str) -> InsertError {
    match Pattern::parse(pattern, &constraints()) {
        Ok(parsed) => panic!("`{pattern}` was taken for {parsed:?}"),
        Err(error) => error,
    }
}

/// The dynamic segment of `/{segment}`.
fn dynamic(segment: &str) -> alloc::sync::Arc<SegmentPattern> {
    match &parse(&format!("/{segment}")).expansions()[0].segments[..] {
        [Segment::Dynamic(pattern)] => pattern.clone(),
        other => panic!("`{segment}` was taken for {other:?}"),
    }
}

#[test]
fn expansions() {
    let cases: &[(&str, &[&str])] = &[
        ("/", &["/"]),
        ("//", &["//"]),
        ("/a", &["/a"]),
        ("/a/", &["/a/"]),
        ("/{{a}}/{{{b}}}", &["/{{a}}/{{{b}}}"]),
        ("/x{a}-{b:u8}.z/{*r}", &["/x{a}-{b:u8}.z/{*r}"]),
        ("/{a?}", &["/", "/{a}"]),
        ("/u/{a?}", &["/u", "/u/{a}"]),
        ("/u/{a?:u64}", &["/u", "/u/{a:u64}"]),
        ("/u//{a?}", &["/u/", "/u//{a}"]),
        ("/u/{a?}/{b?}", &["/u", "/u/{a}", "/u/{a}/{b}"]),
        ("/f/{*p?}", &["/f", "/f/", "/f/{*p}"]),
        ("/{*p?}", &["/", "/{*p}"]),
        ("/u/{a?}/{*p?}", &["/u", "/u/{a}", "/u/{a}/", "/u/{a}/{*p}"]),
    ];
    for (pattern, expected) in cases {
        let pattern = parse(pattern);
        let found: Vec<String> = pattern
            .expansions()
            .iter()
            .map(|expansion| {
                let segments = expansion.segments.iter();
                segments.map(|segment| format!("/{segment}")).collect()
            })
            .collect();
        assert_eq!(found, *expected, "{}", pattern.source());
        let longest = pattern.expansions().last().unwrap();
        assert_eq!(
            longest.param_count(),
            pattern.names().len(),
            "{}",
            pattern.source()
        );
    }
}

#[test]
fn static_text_is_unescaped() {
    let pattern = parse("/a{{b}}c/{{{{");
    let segments = &pattern.expansions()[0].segments;
    let text: Vec<_> = segments
        .iter()
        .map(|segment| match segment {
            Segment::Static(text) => &**text,
            Segment::Dynamic(pattern) => panic!("{pattern} is dynamic"),
        })
        .collect();
    assert_eq!(text, ["a{b}c", "{{"]);
}

#[test]
fn names_from_left_to_right() {
    let names: Vec<_> = parse("/{z}-{a}/{ü b}/{*m}").names().to_vec();
    assert_eq!(names, ["z", "a", "ü b", "m"].map(Into::into));
}

#[test]
fn refusals_point_at_the_fault() {
    let cases: &[(&str, Kind, &str)] = &[
        ("", Kind::MissingSlash, ""),
        ("a/b", Kind::MissingSlash, "a"),
        ("é", Kind::MissingSlash, "é"),
        ("/{a", Kind::UnclosedBrace, "{"),
        ("/{", Kind::UnclosedBrace, "{"),
        ("/{*", Kind::UnclosedBrace, "{"),
        ("/{a?", Kind::UnclosedBrace, "{"),
        ("/{a/b", Kind::UnclosedBrace, "{"),
        ("/{a:", Kind::UnclosedBrace, "{"),
        ("/{a:[}/b", Kind::UnclosedBrace, "{"),
        ("/a}", Kind::UnopenedBrace, "}"),
        ("/{a}}", Kind::UnopenedBrace, "}"),
        ("/{}", Kind::EmptyName, "{}"),
        ("/{*}", Kind::EmptyName, "{*}"),
        ("/{?}", Kind::EmptyName, "{?"),
        ("/{:u8}", Kind::EmptyName, "{:"),
        ("/{a/b}", Kind::InvalidName, "/"),
        ("/{a{b}", Kind::InvalidName, "{"),
        ("/{a*}", Kind::InvalidName, "*"),
        ("/{**a}", Kind::InvalidName, "*"),
        ("/{ab}/{cd}/{ab}", Kind::DuplicateName, "ab"),
        ("/{a}-{a}", Kind::DuplicateName, "a"),
        ("/x/{a}{b}", Kind::AdjacentParameters, "{a}{b}"),
        ("/{a}-{b}{c}", Kind::AdjacentParameters, "{b}{c}"),
        ("/{*a}/b", Kind::MisplacedCatchAll, "{*a}"),
        ("/{*a}/", Kind::MisplacedCatchAll, "{*a}"),
        ("/{*a}b", Kind::MisplacedCatchAll, "{*a}"),
        ("/{*a}{b}", Kind::MisplacedCatchAll, "{*a}"),
        ("/{a}-{*b}", Kind::MisplacedCatchAll, "{*b}"),
        ("/{a?}/b", Kind::MisplacedOptional, "{a?}"),
        ("/{a?}/", Kind::MisplacedOptional, "{a?}"),
        ("/{a?}/{b}", Kind::MisplacedOptional, "{a?}"),
        ("/x{a?}", Kind::MisplacedOptional, "{a?}"),
        ("/{a?}.x", Kind::MisplacedOptional, "{a?}"),
        ("/{a?}-{b}", Kind::MisplacedOptional, "{a?}"),
        ("/{a?b}", Kind::MisplacedOptional, "b"),
        ("/{a:u64?}", Kind::MisplacedOptional, "u64?"),
        ("/{a:}", Kind::InvalidConstraint, "{a:}"),
        ("/{a:int}", Kind::UnknownConstraint, "int"),
    ];
    for (pattern, kind, span) in cases {
        let error = refuse(pattern);
        assert_eq!(error.kind(), *kind, "{pattern}: {error}");
        assert_eq!(&pattern[error.span()], *span, "{pattern}: {error}");
        assert_eq!(error.pattern(), *pattern);
    }
}

#[test]
fn too_many_optional_segments_are_refused() {
    let pattern: String = (0..17).map(|i| format!("/{{p{i}?}}")).collect();
    assert_eq!(refuse(&pattern).kind(), Kind::TooManyOptional);
    parse(&pattern[..pattern.len() - "/{p16?}".len()]);
}

#[test]
fn pictures() {
    let cases = [
        (
            refuse("/x/{a}{b}"),
            "the parameters `{a}` and `{b}` touch: put literal text between them\
             \n  /x/{a}{b}\
             \n     ^^^^^^",
        ),
        (
            refuse("/é\n/{}"),
            "a parameter has a name, as in `{id}`\
             \n  /é\\n/{}\
             \n       ^^",
        ),
        (
            refuse("/{\n}{b}"),
            "the parameters `{\\n}` and `{b}` touch: put literal text between them\
             \n  /{\\n}{b}\
             \n   ^^^^^^^",
        ),
        (refuse(""), "a pattern starts with `/`\n  \n  ^"),
        (
            InsertError::conflict("/u/{id}/x", "/u/{name}/x"),
            "`/u/{id}/x` conflicts with `/u/{name}/x`: both match the same paths \
             and no order separates them\
             \n  /u/{id}/x\
             \n     ^^^^",
        ),
        (
            InsertError::conflict("/u", "/u/{id?}"),
            "`/u` conflicts with `/u/{id?}`: both match the same paths \
             and no order separates them\
             \n  /u\
             \n   ^",
        ),
        (
            InsertError::conflict("/u", "/u"),
            "`/u` is there already\n  /u\n  ^^",
        ),
    ];
    for (error, picture) in cases {
        assert_eq!(error.to_string(), picture);
    }
    let unknown = refuse("/{a:int}").to_string();
    assert!(unknown.contains("bool, uuid, u8"), "{unknown}");
    assert!(unknown.contains("alnum, even, odd"), "{unknown}");
}

#[test]
fn splits() {
    // The segment, the text, and the parameters if it matches.
    let cases: &[(&str, &str, Option<&[&str]>)] = &[
        ("{a}", "x", Some(&["x"])),
        ("{a}", "", None),
        ("{a}.json", "x.json", Some(&["x"])),
        ("{a}.json", ".json.json", Some(&[".json"])),
        ("{a}.json", ".json", None),
        ("{a}.json", "x.jso", None),
        ("v{a}", "v", None),
        ("v{a}", "vv", Some(&["v"])),
        ("aa{a}aa", "aaa", None),
        ("aa{a}aa", "aaaa", None),
        ("aa{a}aa", "aaaaa", Some(&["a"])),
        ("{a}-{b}", "x-y-z", Some(&["x-y", "z"])),
        ("{a}-{b}", "---", Some(&["-", "-"])),
        ("{a}-{b}", "----", Some(&["--", "-"])),
        ("{a}-{b}", "--", None),
        ("{a}-{b}", "x-", None),
        ("{a}-{b}", "-x", None),
        ("{a}--{b}", "x---y", Some(&["x-", "y"])),
        ("{a}--{b}", "x---", Some(&["x", "-"])),
        ("{a}é{b}", "ééé", Some(&["é", "é"])),
        ("{a}é{b}", "éé", None),
        (
            "img-{a}-{b}.{c}",
            "img-1-2-3.tar.gz",
            Some(&["1-2", "3.tar", "gz"]),
        ),
        ("{a}.{b}.{c}", "1.2.3.4", Some(&["1.2", "3", "4"])),
        ("{a}.{b}.{c}", "1..3", None),
        ("{a}.{b}.{c}", "1...3", Some(&["1", ".", "3"])),
        ("{a:u8}-{b}", "1-2", Some(&["1", "2"])),
        ("{a:u8}-{b}", "1-2-3", None),
        ("{a}-{b:even}", "1-22", Some(&["1", "22"])),
        ("{a}-{b:even}", "1-2", None),
        ("{*a}", "x//y/", Some(&["x//y/"])),
        ("{*a}", "/", Some(&["/"])),
        ("{*a}", "", None),
        ("src{*a}", "src", None),
        ("src{*a}", "src/x", Some(&["/x"])),
        ("{*a:even}", "x/y", None),
        ("{*a:even}", "x/yz", Some(&["x/yz"])),
    ];
    for (segment, text, expected) in cases {
        let pattern = dynamic(segment);
        let case = format!("`{segment}` on `{text}`");
        assert_eq!(pattern.matches(text), expected.is_some(), "{case}");
        let Some(expected) = expected else { continue };
        let found: Vec<_> = (0..pattern.param_count())
            .map(|index| pattern.captures(text, index))
            .map(|(start, end)| &text[start..end])
            .collect();
        assert_eq!(found, *expected, "{case}");
    }
}

#[test]
fn typed_constraints() {
    // The constraint, what it accepts, what it refuses.
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("bool", &["true", "false"], &["True", "1"]),
        (
            "uuid",
            &[
                "67e55044-10b1-426f-9247-bb680e5fe0c8",
                "67E55044-10B1-426F-9247-BB680E5FE0C8",
            ],
            &[
                "67e5504410b1426f9247bb680e5fe0c8",
                "67e55044-10b1-426f-9247-bb680e5fe0cg",
                "67e55044-10b1-426f-9247-bb680e5fe0c8-",
                "67e55044-10b1-426f-9247xbb680e5fe0c8",
            ],
        ),
        ("u8", &["0", "255", "007", "+1"], &["256", "-1", "1.0", "a"]),
        ("i8", &["-128", "127"], &["128", "-129", "-"]),
        ("u16", &["65535"], &["65536"]),
        ("i16", &["-32768"], &["32768"]),
        ("u32", &["4294967295"], &["4294967296"]),
        ("i32", &["-2147483648"], &["2147483648"]),
        ("usize", &["1"], &["-1"]),
        ("u64", &["18446744073709551615"], &["18446744073709551616"]),
        ("isize", &["-1"], &["x"]),
        ("i64", &["-9223372036854775808"], &["9223372036854775808"]),
        (
            "u128",
            &["340282366920938463463374607431768211455"],
            &["340282366920938463463374607431768211456"],
        ),
        ("i128", &["-1"], &["1e3"]),
        (
            "digit",
            &["0123456789012345678901234567890123456789"],
            &["+1", "-1", "٣"],
        ),
        ("f32", &["1", "-1.5", "1e3", "inf"], &["1,5", "one"]),
        ("f64", &["1", ".5", "NaN"], &["0x1"]),
        ("hex", &["09afAF"], &["g", "0x1"]),
        ("lower", &["az"], &["aZ", "é"]),
        ("upper", &["AZ"], &["Az", "É"]),
        ("alpha", &["azAZ"], &["a1", "é"]),
        ("alnum", &["az09"], &["a_", "a%20"]),
    ];
    for (name, accepted, refused) in cases {
        let pattern = dynamic(&format!("{{x:{name}}}"));
        for text in *accepted {
            assert!(pattern.matches(text), "{name} refuses `{text}`");
        }
        for text in *refused {
            assert!(!pattern.matches(text), "{name} accepts `{text}`");
        }
    }
}

#[cfg(feature = "regex")]
#[test]
fn regular_expressions() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("{x:[a-z-]+}", &["a-b"], &["a_b", "A", "ab\n"]),
        ("{x:[a-z]{3}}", &["abc"], &["ab", "abcd"]),
        ("{x:a|ab}", &["a", "ab"], &["abc", "b"]),
        (r"{x:\{\d\}}", &["{1}"], &["1"]),
        ("{x:[{]+}", &["{{"], &["}"]),
        ("{x:[]}]+}", &["]}"], &["{"]),
        ("{x:[^]}]+}", &["ab"], &["a]", "a}"]),
        ("{x:[a-z&&[^b]]+}", &["ac"], &["abc"]),
        ("{x:(?i)abc}", &["ABC"], &["abd"]),
        ("{x:a/b}", &[], &["a"]),
        ("{*x:a/b}", &["a/b"], &["a"]),
        (
            "{x:[0-9]+}-{y:[a-z]+}.{z}",
            &["1-a.txt"],
            &["a-1.txt", "1-2-a.txt"],
        ),
    ];
    for (segment, accepted, refused) in cases {
        let pattern = dynamic(segment);
        for text in *accepted {
            assert!(pattern.matches(text), "{segment} refuses `{text}`");
        }
        for text in *refused {
            assert!(!pattern.matches(text), "{segment} accepts `{text}`");
        }
    }
    for (pattern, span) in [
        ("/{x:(a}", "(a"),
        ("/{x:a)|(b}", "a)|(b"),
        ("/{x:(?x) a # b}", "(?x) a # b"),
        ("/{x:*}", "*"),
    ] {
        let error = refuse(pattern);
        assert_eq!(error.kind(), Kind::InvalidConstraint, "{error}");
        assert_eq!(&pattern[error.span()], span);
    }
}

#[cfg(not(feature = "regex"))]
#[test]
fn regular_expressions_name_the_feature() {
    let error = refuse("/{x:[a-z]+}");
    assert_eq!(error.kind(), Kind::RegexDisabled);
    assert!(error.message().contains("feature `regex`"), "{error}");
}

#[test]
fn segments_in_order() {
    let ordered = [
        "a",
        "aaa{x}",
        "aa{x:u8}a",
        "aa{x}a",
        "aa{*x}",
        "a{x}.json",
        "a{x}-{y}.z",
        "a{x}.z",
        "{x}.json",
        "{x}.z",
        "{x}-{y}-{z}",
        "{x}--{y}",
        "{x}-{y:u8}",
        "{x}-{y}",
        "{x}_{y}",
        "{x:bool}",
        "{x:uuid}",
        "{x:u8}",
        "{x:u64}",
        "{x:alnum}",
        "{x:even}",
        "{x:odd}",
        #[cfg(feature = "regex")]
        "{x:[a-z]+}",
        "{*x:even}",
        "{x}",
        "{*x}",
    ];
    let segments =
        ordered.map(|segment| parse(&format!("/{segment}")).expansions()[0].segments[0].clone());
    for (i, a) in segments.iter().enumerate() {
        for (j, b) in segments.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} against {b}");
        }
    }
}

#[test]
fn conflicts() {
    // Two patterns and whether they conflict.
    let cases = [
        ("/a", "/a", true),
        ("/{a}", "/{b}", true),
        ("/{a}/x", "/{b}/y", false),
        ("/{*a}", "/{*b}", true),
        ("/{a}", "/{*a}", false),
        ("/{a}.x", "/{b}.x", true),
        ("/{a}.x", "/{b}.y", false),
        ("/{a:u8}", "/{b:u8}", true),
        ("/{a:u8}", "/{b:u16}", false),
        ("/{a:even}", "/{b:odd}", true),
        ("/{a:even}/x", "/{b:odd}/x", true),
        ("/{a:even}/x", "/{b:odd}/y", false),
        ("/{a:even}-{b}", "/{a}-{b:even}", false),
        ("/u/{a?}", "/u", true),
        ("/u/{a?}", "/u/{b}", true),
        ("/u/{a?}", "/u/", false),
        ("/u/{*a?}", "/u/", true),
        ("/a", "/a/", false),
    ];
    for (a, b, expected) in cases {
        let (left, right) = (parse(a), parse(b));
        let found = left.expansions().iter().any(|left| {
            let mut right = right.expansions().iter();
            right.any(|right| left.conflict_key() == right.conflict_key())
        });
        assert_eq!(found, expected, "`{a}` and `{b}`");
    }
}

#[test]
fn names_do_not_matter_to_a_matcher() {
    assert!(dynamic("{a}-{b:u8}").same_matcher(&dynamic("{c}-{d:u8}")));
    assert!(!dynamic("{a}-{b:u8}").same_matcher(&dynamic("{a}-{b:i8}")));
    assert!(!dynamic("{a:even}").same_matcher(&dynamic("{a:odd}")));
    assert!(dynamic("{a}").is_plain());
    assert!(dynamic("{*a}").is_plain_catch_all());
    assert!(!dynamic("{a:u8}").is_plain());
    assert!(!dynamic("x{*a}").is_plain_catch_all());
    let names: Vec<String> = dynamic("{a}-{b}").names().map(Into::into).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn constraint_names() {
    let mut set = constraints();
    let mut refuse = |name: &str| set.register(name, |_| true).unwrap_err();
    let invalid = |name: &str| ConstraintError::InvalidName { name: name.into() };
    assert_eq!(refuse(""), invalid(""));
    assert_eq!(refuse("a-b"), invalid("a-b"));
    assert_eq!(refuse("1a"), invalid("1a"));
    let name = "u64".into();
    assert_eq!(refuse("u64"), ConstraintError::BuiltIn { name });
    let duplicate = ConstraintError::Duplicate {
        name: "even".into(),
    };
    assert_eq!(refuse("even"), duplicate);

    assert!(format!("{set:?}").contains(r#""odd""#));
}

#[test]
fn constraints_of_two_builders() {
    let (mut ours, theirs) = (ConstraintSet::default(), constraints());
    let pattern = Pattern::parse("/{a:u8}/{b:even}-{c:odd}", &theirs).unwrap();
    assert!(pattern.clash(&ours).is_none());
    ours.add_missing(&theirs);
    assert!(pattern.clash(&ours).is_none());
    let again = Pattern::parse(pattern.source(), &ours).unwrap();
    assert!(again.expansions()[0].segments == pattern.expansions()[0].segments);

    let error = pattern.clash(&constraints()).unwrap();
    assert_eq!(error.kind(), Kind::ConstraintClash);
    assert_eq!(&pattern.source()[error.span()], "even");
}

#[test]
fn ten_thousand_segments() {
    let pattern: String = (0..10_000).map(|i| format!("/{{p{i}}}/s")).collect();
    let pattern = parse(&pattern);
    assert_eq!(pattern.expansions()[0].segments.len(), 20_000);
    assert_eq!(pattern.names().len(), 10_000);
}
