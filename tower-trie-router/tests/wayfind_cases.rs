//! What wayfind's own tests ask of it (1.1), asked of this trie, its
//! `<name>` written as `{name}`. Where the answer is meant to be another one,
//! the step says so and why; `docs/differences.md` tells the reasons at
//! length.

mod support;

use support::{
    Case,
    Step::{At, Conflict, Differs, Insert, None, Refused},
    play,
};
use tower_trie_router::InsertErrorKind;

const MIDDLE: &str = "a catch-all is the end of its pattern: what follows it would have to be searched for, \
     and precedence segment by segment would have no meaning behind it";

#[test]
fn static_rs() {
    play(STATIC);
}

#[test]
fn dynamic_rs() {
    play(DYNAMIC);
}

#[test]
fn wildcard_rs() {
    play(WILDCARD);
}

#[test]
fn insert_rs() {
    play(INSERT);
}

#[test]
fn display_rs() {
    play(DISPLAY);
}

#[test]
fn readme_rs() {
    play(README);
}

const STATIC: &[Case] = &[
    Case {
        name: "static_simple",
        steps: &[Insert("/users"), At("/users", "/users", &[]), None("/user")],
    },
    Case {
        name: "static_overlapping",
        steps: &[
            Insert("/user"),
            Insert("/users"),
            At("/user", "/user", &[]),
            At("/users", "/users", &[]),
            None("/use"),
            None("/userss"),
        ],
    },
    Case {
        name: "static_overlapping_slash",
        steps: &[
            Insert("/user_1"),
            Insert("/user/1"),
            At("/user_1", "/user_1", &[]),
            At("/user/1", "/user/1", &[]),
            None("/user"),
            None("/users"),
        ],
    },
    Case {
        name: "static_split_multibyte",
        steps: &[
            Insert("/👨‍👩‍👧"),
            Insert("/👨‍👩‍👦"),
            Insert("/👩‍👩‍👧"),
            Insert("/👩‍👩‍👦"),
            Insert("/👨‍👨‍👧"),
            Insert("/👨‍👨‍👦"),
            At("/👨‍👩‍👧", "/👨‍👩‍👧", &[]),
            At("/👨‍👩‍👦", "/👨‍👩‍👦", &[]),
            None("/👨"),
            None("/👨‍👨"),
            None("/👨👩👧"),
            None("/👨‍👨‍👧‍👦"),
        ],
    },
    Case {
        name: "static_case_sensitive",
        steps: &[
            Insert("/users"),
            Insert("/Users"),
            At("/users", "/users", &[]),
            At("/Users", "/Users", &[]),
        ],
    },
    Case {
        name: "static_whitespace",
        steps: &[
            Insert("/users /items"),
            At("/users /items", "/users /items", &[]),
            None("/users/items"),
        ],
    },
    Case {
        name: "static_duplicate_slashes",
        steps: &[
            Insert("/users/items"),
            Insert("/users//items"),
            At("/users/items", "/users/items", &[]),
            At("/users//items", "/users//items", &[]),
        ],
    },
    Case {
        name: "static_empty_segments",
        steps: &[
            Insert("/users///items"),
            At("/users///items", "/users///items", &[]),
            None("/users/items"),
            None("/users//items"),
            None("/users////items"),
        ],
    },
];

const DYNAMIC: &[Case] = &[
    Case {
        name: "dynamic_simple",
        steps: &[
            Insert("/{id}"),
            At("/123", "/{id}", &[("id", "123")]),
            None("/"),
        ],
    },
    Case {
        name: "dynamic_multiple",
        steps: &[
            Insert("/{year}"),
            Insert("/{year}/{month}"),
            Insert("/{year}/{month}/{day}"),
            At("/2024", "/{year}", &[("year", "2024")]),
            At(
                "/2024/12",
                "/{year}/{month}",
                &[("year", "2024"), ("month", "12")],
            ),
            At(
                "/2024/12/01",
                "/{year}/{month}/{day}",
                &[("year", "2024"), ("month", "12"), ("day", "01")],
            ),
        ],
    },
    Case {
        name: "dynamic_priority",
        steps: &[
            Insert("/robots.txt"),
            Insert("/{name}.txt"),
            Insert("/{name}"),
            At("/robots.txt", "/robots.txt", &[]),
            At("/config.txt", "/{name}.txt", &[("name", "config")]),
            At("/config.pdf", "/{name}", &[("name", "config.pdf")]),
            At("/.txt", "/{name}", &[("name", ".txt")]),
        ],
    },
    Case {
        name: "dynamic_suffix",
        steps: &[
            Insert("/{aaa}"),
            Insert("/{zzz}.txt"),
            At("/hello.txt", "/{zzz}.txt", &[("zzz", "hello")]),
            At("/hello.pdf", "/{aaa}", &[("aaa", "hello.pdf")]),
        ],
    },
    Case {
        name: "dynamic_suffix_reversed",
        steps: &[
            Insert("/{zzz}"),
            Insert("/{aaa}.txt"),
            At("/hello.txt", "/{aaa}.txt", &[("aaa", "hello")]),
            At("/hello.pdf", "/{zzz}", &[("zzz", "hello.pdf")]),
        ],
    },
    Case {
        name: "dynamic_mixed",
        steps: &[
            Insert("/{a}/one"),
            Insert("/{b}/two"),
            Insert("/{c}.json"),
            At("/hello/one", "/{a}/one", &[("a", "hello")]),
            At("/hello/two", "/{b}/two", &[("b", "hello")]),
            At("/hello.json", "/{c}.json", &[("c", "hello")]),
        ],
    },
    Case {
        name: "dynamic_sibling",
        steps: &[
            Insert("/{a}.txt"),
            Insert("/{a}"),
            Insert("/{b}.json"),
            At("/hello.txt", "/{a}.txt", &[("a", "hello")]),
            At("/hello.json", "/{b}.json", &[("b", "hello")]),
            At("/hello.pdf", "/{a}", &[("a", "hello.pdf")]),
            At("/a.txt", "/{a}.txt", &[("a", "a")]),
        ],
    },
    Case {
        name: "dynamic_inline_params",
        steps: &[
            Insert("/{id}.{format}"),
            At(
                "/archive.tar.gz",
                "/{id}.{format}",
                &[("id", "archive.tar"), ("format", "gz")],
            ),
            At(
                "/report.pdf",
                "/{id}.{format}",
                &[("id", "report"), ("format", "pdf")],
            ),
            None("/nodots"),
        ],
    },
    Case {
        name: "dynamic_triple_params",
        steps: &[
            Insert("/{a}.{b}.{c}"),
            At(
                "/x.y.z",
                "/{a}.{b}.{c}",
                &[("a", "x"), ("b", "y"), ("c", "z")],
            ),
            At(
                "/a.b.c.d",
                "/{a}.{b}.{c}",
                &[("a", "a.b"), ("b", "c"), ("c", "d")],
            ),
            None("/one.two."),
        ],
    },
    Case {
        name: "dynamic_multi_separator",
        steps: &[
            Insert("/{from}...{to}"),
            At(
                "/10...100",
                "/{from}...{to}",
                &[("from", "10"), ("to", "100")],
            ),
            At(
                "/abc...xyz",
                "/{from}...{to}",
                &[("from", "abc"), ("to", "xyz")],
            ),
            None("/nodots"),
        ],
    },
    Case {
        name: "dynamic_inline_coexistence",
        steps: &[
            Insert("/{id}.{format}"),
            Insert("/{name}.txt"),
            At("/report.txt", "/{name}.txt", &[("name", "report")]),
            At(
                "/report.pdf",
                "/{id}.{format}",
                &[("id", "report"), ("format", "pdf")],
            ),
            At(
                "/archive.tar.gz",
                "/{id}.{format}",
                &[("id", "archive.tar"), ("format", "gz")],
            ),
        ],
    },
    Case {
        name: "dynamic_repeated_suffix",
        steps: &[
            Insert("/{name}.txt"),
            Insert("/{name}"),
            At(
                "/a.txt.txt.txt.txt",
                "/{name}.txt",
                &[("name", "a.txt.txt.txt")],
            ),
            At("/.txt", "/{name}", &[("name", ".txt")]),
        ],
    },
    Case {
        name: "dynamic_overlapping_suffix",
        steps: &[
            Insert("/{from}...{to}"),
            Insert("/{from}"),
            At(
                "/10...100",
                "/{from}...{to}",
                &[("from", "10"), ("to", "100")],
            ),
            At("/10", "/{from}", &[("from", "10")]),
            At("/1....", "/{from}...{to}", &[("from", "1"), ("to", ".")]),
        ],
    },
    Case {
        name: "dynamic_multibyte",
        steps: &[
            Insert("/{name}.txt"),
            At("/café.txt", "/{name}.txt", &[("name", "café")]),
            At("/日本語.txt", "/{name}.txt", &[("name", "日本語")]),
        ],
    },
    Case {
        name: "dynamic_segment_slash",
        steps: &[Insert("/{a}/{b}"), None("//foo")],
    },
    Case {
        name: "dynamic_segment_tails",
        steps: &[Insert("/{name}/edit"), None("/foo/view")],
    },
    Case {
        name: "dynamic_inline_tails",
        steps: &[Insert("/{a}.txt"), Insert("/{b}/edit"), None("/foo/view")],
    },
    Case {
        name: "dynamic_segment_revisit",
        steps: &[
            Insert("/{a}x{b}x{c}/-/{d}/end/{e}"),
            None("/xxxxxx/-/yyyyyy/end/"),
        ],
    },
    Case {
        name: "dynamic_overlapping_boundaries",
        steps: &[
            Insert("/{a}ab"),
            Insert("/{a}a{b}"),
            At("/xab", "/{a}ab", &[("a", "x")]),
            None("/xab/Q"),
        ],
    },
];

const WILDCARD: &[Case] = &[
    Case {
        name: "wildcard_simple",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/delete", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/delete` matches",
                here: &None("/docs/delete"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/delete` matches",
                here: &None("/nested/docs/folder/delete"),
            },
            None("/delete"),
        ],
    },
    Case {
        name: "wildcard_multiple",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/{*prefix}/static/{*suffix}/file",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*prefix}/static/{*suffix}/file` matches",
                here: &None("/a/static/b/file"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*prefix}/static/{*suffix}/file` matches",
                here: &None("/a/b/c/static/d/e/f/file"),
            },
        ],
    },
    Case {
        name: "wildcard_inline",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.html", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}.html` matches",
                here: &None("/page.html"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}.html` matches",
                here: &None("/nested/page.html"),
            },
            None("/.html"),
        ],
    },
    Case {
        name: "wildcard_empty",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/end", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/end` matches",
                here: &None("/start/middle/end"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/end` matches",
                here: &None("/start//middle///end"),
            },
        ],
    },
    Case {
        name: "wildcard_priority",
        steps: &[
            Insert("/static/path"),
            Insert("/static/{*rest}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/static", InsertErrorKind::MisplacedCatchAll),
            },
            Insert("/prefix.{*suffix}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*prefix}.suffix", InsertErrorKind::MisplacedCatchAll),
            },
            At("/static/path", "/static/path", &[]),
            At(
                "/static/some/nested/path",
                "/static/{*rest}",
                &[("rest", "some/nested/path")],
            ),
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/static` matches",
                here: &None("/some/nested/path/static"),
            },
            At(
                "/prefix.some/nested/path",
                "/prefix.{*suffix}",
                &[("suffix", "some/nested/path")],
            ),
            Differs {
                reason: MIDDLE,
                peer: "`/{*prefix}.suffix` matches",
                here: &None("/some/nested/path.suffix"),
            },
        ],
    },
    Case {
        name: "wildcard_greedy",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/edit/{*rest}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/delete", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/delete` matches",
                here: &None("/documents/delete"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/edit/{*rest}` matches",
                here: &None("/documents/edit/summary"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/delete` matches",
                here: &None("/docs/edit/readme/delete"),
            },
        ],
    },
    Case {
        name: "wildcard_dynamic",
        steps: &[
            Insert("/api/{version}/{*rest}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/api/{*path}/help", InsertErrorKind::MisplacedCatchAll),
            },
            At(
                "/api/docs/reference/help",
                "/api/{version}/{*rest}",
                &[("version", "docs"), ("rest", "reference/help")],
            ),
        ],
    },
    Case {
        name: "wildcard_suffix",
        steps: &[
            Insert("/{*aaa}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*zzz}.txt", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*zzz}.txt` matches",
                here: &At("/hello.txt", "/{*aaa}", &[("aaa", "hello.txt")]),
            },
            At("/hello.pdf", "/{*aaa}", &[("aaa", "hello.pdf")]),
        ],
    },
    Case {
        name: "wildcard_fallthrough",
        steps: &[
            Insert("/{username}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/{*namespace_id}/{project_id}/-/issues",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            At("/johndoe", "/{username}", &[("username", "johndoe")]),
            Differs {
                reason: MIDDLE,
                peer: "`/{*namespace_id}/{project_id}/-/issues` matches",
                here: &None("/gitlab-org/gitlab/-/issues"),
            },
        ],
    },
    Case {
        name: "wildcard_namespace",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/{*namespace_id}/{project_id}/-/merge_requests",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*namespace_id}/{project_id}/-/merge_requests` matches",
                here: &None("/gitlab-org/frontend/gitlab-ui/-/merge_requests"),
            },
        ],
    },
    Case {
        name: "wildcard_catchall",
        steps: &[
            Insert("/{username}"),
            Insert("/{username}/{*rest}"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/{*namespace_id}/{project_id}/-/issues",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            At(
                "/gitlab-org/gitlab/-/issues",
                "/{username}/{*rest}",
                &[("username", "gitlab-org"), ("rest", "gitlab/-/issues")],
            ),
        ],
    },
    Case {
        name: "wildcard_miss_fallback",
        steps: &[
            Insert("/pipelines/{id}"),
            Insert("/pipelines/{id}/security"),
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/pipelines/{*ref}/latest",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/pipelines/{*ref}/latest` matches",
                here: &None("/pipelines/main/latest"),
            },
        ],
    },
    Case {
        name: "wildcard_multi_segment",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused(
                    "/pipelines/{*ref}/latest",
                    InsertErrorKind::MisplacedCatchAll,
                ),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/pipelines/{*ref}/latest` matches",
                here: &None("/pipelines/feature/auth/latest"),
            },
        ],
    },
    Case {
        name: "wildcard_nested",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/{b}/-/issues", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/{b}/-/issues` matches",
                here: &None("/a/b/c/my-project/-/issues"),
            },
        ],
    },
    Case {
        name: "wildcard_branches",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/{b}/-/wikis/{c}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/-/settings", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/{b}/-/wikis/{c}` matches",
                here: &None("/gitlab-org/gitlab/-/wikis/home"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/-/settings` matches",
                here: &None("/gitlab-org/-/settings"),
            },
        ],
    },
    Case {
        name: "wildcard_ambiguous",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/{b}/-/issues", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/{b}/-/issues` matches",
                here: &None("/a/-/issues/real-project/-/issues"),
            },
        ],
    },
    Case {
        name: "wildcard_chain",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/middle/{*b}/end", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/middle/{*b}/end` matches",
                here: &None("/x/y/middle/w/v/end"),
            },
        ],
    },
    Case {
        name: "wildcard_multibyte",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.html", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}.html` matches",
                here: &None("/docs/café.html"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}.html` matches",
                here: &None("/日本語/ページ.html"),
            },
        ],
    },
    Case {
        name: "wildcard_repeated_anchor",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*x}/-/{*y}/end", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*x}/-/{*y}/end` matches",
                here: &None("/a/-/b/-/c/-/d/-/end"),
            },
            None("/a/-/b/-/c/-/d/-/miss"),
        ],
    },
    Case {
        name: "wildcard_endings",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/x", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/y", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/z", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/x` matches",
                here: &None("/one/x"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/y` matches",
                here: &None("/one/two/three/y"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/z` matches",
                here: &None("/one/z"),
            },
            None("/one/miss"),
        ],
    },
    Case {
        name: "wildcard_anchored",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/-/{*b}/x", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/-/{*b}/y", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/-/{*b}/z", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/-/{*b}/x` matches",
                here: &None("/one/two/-/three/x"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/-/{*b}/y` matches",
                here: &None("/one/-/two/y"),
            },
            None("/one/-/two/miss"),
            None("/-/x/-/x/-/x/miss"),
        ],
    },
    Case {
        name: "wildcard_repeated_suffix",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.txt", InsertErrorKind::MisplacedCatchAll),
            },
            Insert("/{*path}"),
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}.txt` matches",
                here: &At(
                    "/a.txt.txt.txt.txt",
                    "/{*path}",
                    &[("path", "a.txt.txt.txt.txt")],
                ),
            },
            At("/.txt", "/{*path}", &[("path", ".txt")]),
        ],
    },
    Case {
        name: "wildcard_segment_empty",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/{b}", InsertErrorKind::MisplacedCatchAll),
            },
            None("//foo"),
        ],
    },
    Case {
        name: "wildcard_inline_empty",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.x/{*rest}", InsertErrorKind::MisplacedCatchAll),
            },
            None("/.x/y"),
        ],
    },
    Case {
        name: "wildcard_backtrack",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/-/{*b}/x", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/-/{*b}/x` matches",
                here: &None("/x/-/y/-/x"),
            },
        ],
    },
    Case {
        name: "wildcard_nested_backtrack",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/x/{*b}/y/{c}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/x/{*b}/y/{c}` matches",
                here: &None("/x/y/x/y/x/y/q"),
            },
        ],
    },
    Case {
        name: "wildcard_revisit",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/x/{*b}/y/{c}", InsertErrorKind::MisplacedCatchAll),
            },
            None("/x/n/x/q/x/m/x/y/"),
        ],
    },
    Case {
        name: "wildcard_inline_backtrack",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}.x/{b}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}.x/{b}` matches",
                here: &None("/b.x/c.x/d"),
            },
            None("/b.x/c.x/"),
        ],
    },
    Case {
        name: "wildcard_sibling",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}/x", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*b}/forever", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}/x` matches",
                here: &None("/q/x"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*b}/forever` matches",
                here: &None("/q/forever"),
            },
        ],
    },
    Case {
        name: "wildcard_overlapping",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}ab", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*a}a{b}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*a}ab` matches",
                here: &None("/xab"),
            },
            None("/xab/Q"),
        ],
    },
    Case {
        name: "wildcard_inline_sibling",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/{file}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.zip", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/raw", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/{file}` matches",
                here: &None("/docs/raw/page"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/raw` matches",
                here: &None("/docs/raw"),
            },
        ],
    },
    Case {
        name: "wildcard_inline_segment",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/{file}", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}.tar", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/log", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/{file}` matches",
                here: &None("/var/log/app"),
            },
            Differs {
                reason: MIDDLE,
                peer: "`/{*path}/{file}` matches",
                here: &None("/var//log/app"),
            },
        ],
    },
];

const INSERT: &[Case] = &[
    Case {
        name: "insert_conflict_static",
        steps: &[Insert("/test"), Conflict("/test", "/test")],
    },
    Case {
        name: "insert_conflict_dynamic",
        steps: &[Insert("/{id}"), Conflict("/{id}", "/{id}")],
    },
    Case {
        name: "insert_conflict_dynamic_structural",
        steps: &[Insert("/{id}"), Conflict("/{user}", "/{id}")],
    },
    Case {
        name: "insert_conflict_wildcard",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/edit", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "conflict with `/{*path}/edit`",
                here: &Refused("/{*path}/edit", InsertErrorKind::MisplacedCatchAll),
            },
        ],
    },
    Case {
        name: "insert_conflict_wildcard_structural",
        steps: &[
            Differs {
                reason: MIDDLE,
                peer: "taken",
                here: &Refused("/{*path}/edit", InsertErrorKind::MisplacedCatchAll),
            },
            Differs {
                reason: MIDDLE,
                peer: "conflict with `/{*path}/edit`",
                here: &Refused("/{*slug}/edit", InsertErrorKind::MisplacedCatchAll),
            },
        ],
    },
    Case {
        name: "insert_conflict_end_wildcard",
        steps: &[
            Insert("/{*catch_all}"),
            Conflict("/{*catch_all}", "/{*catch_all}"),
        ],
    },
    Case {
        name: "insert_conflict_end_wildcard_structural",
        steps: &[
            Insert("/{*catch_all}"),
            Conflict("/{*files}", "/{*catch_all}"),
        ],
    },
    Case {
        name: "insert_duplicate_parameter",
        steps: &[Differs {
            reason: MIDDLE,
            peer: "refused for the name it has twice",
            here: &Refused("/{*id}/users/{id}", InsertErrorKind::MisplacedCatchAll),
        }],
    },
];

const DISPLAY: &[Case] = &[Case {
    name: "display_router",
    steps: &[
        Insert("/"),
        Insert("/users"),
        Insert("/users/{id}"),
        Insert("/posts/{id}.json"),
        Insert("/users/{id}/profile"),
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/files/{*path}/download",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        Insert("/{*catch_all}"),
    ],
}];

const README: &[Case] = &[Case {
    name: "readme",
    steps: &[
        Insert("/v2"),
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/v2/{*name}/blobs/{algorithm}:{hash}",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/v2/{*name}/manifests/{reference}",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/v2/{*name}/blobs/uploads",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/v2/{*name}/blobs/uploads/{reference}",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused("/v2/{*name}/tags/list", InsertErrorKind::MisplacedCatchAll),
        },
        Differs {
            reason: MIDDLE,
            peer: "taken",
            here: &Refused(
                "/v2/{*name}/referrers/{algorithm}:{hash}",
                InsertErrorKind::MisplacedCatchAll,
            ),
        },
        At("/v2", "/v2", &[]),
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/blobs/{algorithm}:{hash}` matches",
            here: &None("/v2/myorg/myrepo/blobs/sha256:2c26b46b68ff"),
        },
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/manifests/{reference}` matches",
            here: &None("/v2/myorg/myrepo/manifests/latest"),
        },
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/blobs/uploads` matches",
            here: &None("/v2/myorg/myrepo/blobs/uploads"),
        },
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/blobs/uploads/{reference}` matches",
            here: &None("/v2/myorg/myrepo/blobs/uploads/e361beb4-576f"),
        },
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/tags/list` matches",
            here: &None("/v2/myorg/myrepo/tags/list"),
        },
        Differs {
            reason: MIDDLE,
            peer: "`/v2/{*name}/referrers/{algorithm}:{hash}` matches",
            here: &None("/v2/myorg/myrepo/referrers/sha256:2c26b46b68ff"),
        },
    ],
}];
