//! What httprouter's own tests ask of it (1.3: `tree_test.go`,
//! `path_test.go`), asked of this trie, its `:name` and `*name` written as
//! `{name}` and `{*name}`. Where the answer is meant to be another one, the
//! step says so and why; `docs/differences.md` tells the reasons at length.

mod support;

use support::{
    Case,
    Step::{At, Conflict, Differs, Insert, None, Refused},
    play,
};
use tower_trie_router::{InsertErrorKind, TrieBuilder};

const REST: &str = "the value of a catch-all does not have the slash in front of it, \
     and so is never empty";
const ORDER: &str = "the order of precedence separates the two, so they may stand side by side";
const EMPTY: &str = "a pattern always has a value";
const CASE: &str = "paths are case-sensitive (RFC 9110 §4.2.3), and nothing is searched for \
     by its likeness";
const CLEAN: &str = "the trie matches the path as it is: two paths that differ are two resources";

#[test]
fn tree_test_go() {
    play(TREE);
}

#[test]
fn path_test_go() {
    play(PATH);
}

/// `TestPathCleanLong`, with `CLEAN` for its reason.
#[test]
fn long_paths_are_not_cleaned() {
    for length in 1..=1234 {
        let segment = "a".repeat(length);
        let clean = format!("/{segment}");
        let mut builder = TrieBuilder::new();
        builder.insert(&clean, clean.clone()).unwrap();
        let trie = builder.build();
        assert!(trie.at(&clean).is_some(), "{length}");
        for dirty in [
            segment.clone(),
            format!("//{segment}"),
            format!("/{segment}/b/.."),
        ] {
            assert!(trie.at(&dirty).is_none(), "{length}: {dirty}");
        }
    }
}

/// `TestCountParams`: more parameters than fit a byte.
#[test]
fn many_parameters() {
    let pattern: String = (0..256).map(|i| format!("/{{p{i}}}")).collect();
    let path: String = (0..256).map(|i| format!("/v{i}")).collect();
    let mut builder = TrieBuilder::new();
    builder.insert(&pattern, ()).unwrap();
    let trie = builder.build();
    let params = trie.at(&path).unwrap().params;
    assert_eq!(params.len(), 256);
    for (i, (name, value)) in params.iter().enumerate() {
        assert_eq!((name, value), (&*format!("p{i}"), &*format!("v{i}")));
    }
}

const TREE: &[Case] = &[
    Case {
        name: "TreeAddAndGet",
        steps: &[
            Insert("/hi"),
            Insert("/contact"),
            Insert("/co"),
            Insert("/c"),
            Insert("/a"),
            Insert("/ab"),
            Insert("/doc/"),
            Insert("/doc/go_faq.html"),
            Insert("/doc/go1.html"),
            Insert("/α"),
            Insert("/β"),
            At("/a", "/a", &[]),
            None("/"),
            At("/hi", "/hi", &[]),
            At("/contact", "/contact", &[]),
            At("/co", "/co", &[]),
            None("/con"),
            None("/cona"),
            None("/no"),
            At("/ab", "/ab", &[]),
            At("/α", "/α", &[]),
            At("/β", "/β", &[]),
        ],
    },
    Case {
        name: "TreeWildcard",
        steps: &[
            Insert("/"),
            Insert("/cmd/{tool}/{sub}"),
            Insert("/cmd/{tool}/"),
            Insert("/src/{*filepath}"),
            Insert("/search/"),
            Insert("/search/{query}"),
            Insert("/user_{name}"),
            Insert("/user_{name}/about"),
            Insert("/files/{dir}/{*filepath}"),
            Insert("/doc/"),
            Insert("/doc/go_faq.html"),
            Insert("/doc/go1.html"),
            Insert("/info/{user}/public"),
            Insert("/info/{user}/project/{project}"),
            At("/", "/", &[]),
            At("/cmd/test/", "/cmd/{tool}/", &[("tool", "test")]),
            None("/cmd/test"),
            At(
                "/cmd/test/3",
                "/cmd/{tool}/{sub}",
                &[("tool", "test"), ("sub", "3")],
            ),
            Differs {
                reason: REST,
                peer: "`/src/{*filepath}` matches, `filepath` is `/`",
                here: &None("/src/"),
            },
            Differs {
                reason: REST,
                peer: "`/src/{*filepath}` matches, `filepath` is `/some/file.png`",
                here: &At(
                    "/src/some/file.png",
                    "/src/{*filepath}",
                    &[("filepath", "some/file.png")],
                ),
            },
            At("/search/", "/search/", &[]),
            At(
                "/search/someth!ng+in+ünìcodé",
                "/search/{query}",
                &[("query", "someth!ng+in+ünìcodé")],
            ),
            None("/search/someth!ng+in+ünìcodé/"),
            At("/user_gopher", "/user_{name}", &[("name", "gopher")]),
            At(
                "/user_gopher/about",
                "/user_{name}/about",
                &[("name", "gopher")],
            ),
            Differs {
                reason: REST,
                peer: "`/files/{dir}/{*filepath}` matches, `filepath` is `/inc/framework.js`",
                here: &At(
                    "/files/js/inc/framework.js",
                    "/files/{dir}/{*filepath}",
                    &[("dir", "js"), ("filepath", "inc/framework.js")],
                ),
            },
            At(
                "/info/gordon/public",
                "/info/{user}/public",
                &[("user", "gordon")],
            ),
            At(
                "/info/gordon/project/go",
                "/info/{user}/project/{project}",
                &[("user", "gordon"), ("project", "go")],
            ),
        ],
    },
    Case {
        name: "TreeWildcardConflict",
        steps: &[
            Insert("/cmd/{tool}/{sub}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/cmd/vet"),
            },
            Insert("/src/{*filepath}"),
            Conflict("/src/{*filepathx}", "/src/{*filepath}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/src/"),
            },
            Insert("/src1/"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/src1/{*filepath}"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/src2{*filepath}"),
            },
            Insert("/search/{query}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/search/invalid"),
            },
            Insert("/user_{name}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/user_x"),
            },
            Differs {
                reason: EMPTY,
                peer: "taken, since the one before has no handler",
                here: &Conflict("/user_{name}", "/user_{name}"),
            },
            Insert("/id{id}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/id/{id}"),
            },
        ],
    },
    Case {
        name: "TreeChildConflict",
        steps: &[
            Insert("/cmd/vet"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/cmd/{tool}/{sub}"),
            },
            Insert("/src/AUTHORS"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/src/{*filepath}"),
            },
            Insert("/user_x"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/user_{name}"),
            },
            Insert("/id/{id}"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/id{id}"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/{id}"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/{*filepath}"),
            },
        ],
    },
    Case {
        name: "TreeCatchAllConflict",
        steps: &[
            Refused("/src/{*filepath}/x", InsertErrorKind::MisplacedCatchAll),
            Insert("/src2/"),
            Refused("/src2/{*filepath}/x", InsertErrorKind::MisplacedCatchAll),
            Insert("/src3/{*filepath}"),
            Refused("/src3/{*filepath}/x", InsertErrorKind::MisplacedCatchAll),
        ],
    },
    Case {
        name: "TreeCatchAllConflictRoot",
        steps: &[
            Insert("/"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/{*filepath}"),
            },
        ],
    },
    Case {
        name: "TreeDuplicatePath",
        steps: &[
            Insert("/"),
            Conflict("/", "/"),
            Insert("/doc/"),
            Conflict("/doc/", "/doc/"),
            Insert("/src/{*filepath}"),
            Conflict("/src/{*filepath}", "/src/{*filepath}"),
            Insert("/search/{query}"),
            Conflict("/search/{query}", "/search/{query}"),
            Insert("/user_{name}"),
            Conflict("/user_{name}", "/user_{name}"),
            At("/", "/", &[]),
            At("/doc/", "/doc/", &[]),
            Differs {
                reason: REST,
                peer: "`/src/{*filepath}` matches, `filepath` is `/some/file.png`",
                here: &At(
                    "/src/some/file.png",
                    "/src/{*filepath}",
                    &[("filepath", "some/file.png")],
                ),
            },
            At(
                "/search/someth!ng+in+ünìcodé",
                "/search/{query}",
                &[("query", "someth!ng+in+ünìcodé")],
            ),
            At("/user_gopher", "/user_{name}", &[("name", "gopher")]),
        ],
    },
    Case {
        name: "EmptyWildcardName",
        steps: &[
            Refused("/user{}", InsertErrorKind::EmptyName),
            Refused("/user{}/", InsertErrorKind::EmptyName),
            Refused("/cmd/{}/", InsertErrorKind::EmptyName),
            Refused("/src/{*}", InsertErrorKind::EmptyName),
        ],
    },
    Case {
        name: "TreeCatchMaxParams",
        steps: &[Insert("/cmd/{*filepath}")],
    },
    Case {
        name: "TreeDoubleWildcard",
        steps: &[
            Refused("/{foo}{bar}", InsertErrorKind::AdjacentParameters),
            Refused("/{foo}{bar}/", InsertErrorKind::AdjacentParameters),
            Refused("/{foo}{*bar}", InsertErrorKind::MisplacedCatchAll),
        ],
    },
    Case {
        name: "TreeTrailingSlashRedirect",
        steps: &[
            Insert("/hi"),
            Insert("/b/"),
            Insert("/search/{query}"),
            Insert("/cmd/{tool}/"),
            Insert("/src/{*filepath}"),
            Insert("/x"),
            Insert("/x/y"),
            Insert("/y/"),
            Insert("/y/z"),
            Insert("/0/{id}"),
            Insert("/0/{id}/1"),
            Insert("/1/{id}/"),
            Insert("/1/{id}/2"),
            Insert("/aa"),
            Insert("/a/"),
            Insert("/admin"),
            Insert("/admin/{category}"),
            Insert("/admin/{category}/{page}"),
            Insert("/doc"),
            Insert("/doc/go_faq.html"),
            Insert("/doc/go1.html"),
            Insert("/no/a"),
            Insert("/no/b"),
            Insert("/api/hello/{name}"),
            Insert("/vendor/{x}/{*y}"),
            None("/hi/"),
            None("/b"),
            None("/search/gopher/"),
            None("/cmd/vet"),
            None("/src"),
            None("/x/"),
            None("/y"),
            None("/0/go/"),
            None("/1/go"),
            None("/a"),
            None("/admin/"),
            None("/admin/config/"),
            None("/admin/config/permissions/"),
            None("/doc/"),
            None("/vendor/x"),
            None("/"),
            None("/no"),
            None("/no/"),
            None("/_"),
            None("/_/"),
            None("/api/world/abc"),
        ],
    },
    Case {
        name: "TreeRootTrailingSlashRedirect",
        steps: &[Insert("/{test}"), None("/")],
    },
    Case {
        name: "TreeFindCaseInsensitivePath",
        steps: &[
            Insert("/hi"),
            Insert("/b/"),
            Insert("/ABC/"),
            Insert("/search/{query}"),
            Insert("/cmd/{tool}/"),
            Insert("/src/{*filepath}"),
            Insert("/x"),
            Insert("/x/y"),
            Insert("/y/"),
            Insert("/y/z"),
            Insert("/0/{id}"),
            Insert("/0/{id}/1"),
            Insert("/1/{id}/"),
            Insert("/1/{id}/2"),
            Insert("/aa"),
            Insert("/a/"),
            Insert("/doc"),
            Insert("/doc/go_faq.html"),
            Insert("/doc/go1.html"),
            Insert("/doc/go/away"),
            Insert("/no/a"),
            Insert("/no/b"),
            Insert("/Π"),
            Insert("/u/apfêl/"),
            Insert("/u/äpfêl/"),
            Insert("/u/öpfêl"),
            Insert("/v/Äpfêl/"),
            Insert("/v/Öpfêl"),
            Insert("/w/♬"),
            Insert("/w/♭/"),
            Insert("/w/𠜎"),
            Insert("/w/𠜏/"),
            Insert(
                "/loooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong",
            ),
            At("/hi", "/hi", &[]),
            At("/b/", "/b/", &[]),
            At("/ABC/", "/ABC/", &[]),
            At(
                "/search/{query}",
                "/search/{query}",
                &[("query", "{query}")],
            ),
            At("/cmd/{tool}/", "/cmd/{tool}/", &[("tool", "{tool}")]),
            At(
                "/src/{*filepath}",
                "/src/{*filepath}",
                &[("filepath", "{*filepath}")],
            ),
            At("/x", "/x", &[]),
            At("/x/y", "/x/y", &[]),
            At("/y/", "/y/", &[]),
            At("/y/z", "/y/z", &[]),
            At("/0/{id}", "/0/{id}", &[("id", "{id}")]),
            At("/0/{id}/1", "/0/{id}/1", &[("id", "{id}")]),
            At("/1/{id}/", "/1/{id}/", &[("id", "{id}")]),
            At("/1/{id}/2", "/1/{id}/2", &[("id", "{id}")]),
            At("/aa", "/aa", &[]),
            At("/a/", "/a/", &[]),
            At("/doc", "/doc", &[]),
            At("/doc/go_faq.html", "/doc/go_faq.html", &[]),
            At("/doc/go1.html", "/doc/go1.html", &[]),
            At("/doc/go/away", "/doc/go/away", &[]),
            At("/no/a", "/no/a", &[]),
            At("/no/b", "/no/b", &[]),
            At("/Π", "/Π", &[]),
            At("/u/apfêl/", "/u/apfêl/", &[]),
            At("/u/äpfêl/", "/u/äpfêl/", &[]),
            At("/u/öpfêl", "/u/öpfêl", &[]),
            At("/v/Äpfêl/", "/v/Äpfêl/", &[]),
            At("/v/Öpfêl", "/v/Öpfêl", &[]),
            At("/w/♬", "/w/♬", &[]),
            At("/w/♭/", "/w/♭/", &[]),
            At("/w/𠜎", "/w/𠜎", &[]),
            At("/w/𠜏/", "/w/𠜏/", &[]),
            At(
                "/loooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong",
                "/loooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong",
                &[],
            ),
            Differs {
                reason: CASE,
                peer: "finds `/hi`",
                here: &None("/HI"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/hi`",
                here: &None("/HI/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/b/`",
                here: &None("/B"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/b/`",
                here: &None("/B/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/abc"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/abc/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/aBc"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/aBc/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/abC"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/ABC/`",
                here: &None("/abC/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/search/QUERY`",
                here: &None("/SEARCH/QUERY"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/search/QUERY`",
                here: &None("/SEARCH/QUERY/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/cmd/TOOL/`",
                here: &None("/CMD/TOOL/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/cmd/TOOL/`",
                here: &None("/CMD/TOOL"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/src/FILE/PATH`",
                here: &None("/SRC/FILE/PATH"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/x/Y"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/x/Y/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/X/y"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/X/y/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/X/Y"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/x/y`",
                here: &None("/X/Y/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/`",
                here: &None("/Y/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/`",
                here: &None("/Y"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/Y/z"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/Y/z/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/Y/Z"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/Y/Z/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/y/Z"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/y/z`",
                here: &None("/y/Z/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/Aa"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/Aa/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/AA"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/AA/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/aA"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/aa`",
                here: &None("/aA/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/a/`",
                here: &None("/A/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/a/`",
                here: &None("/A"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/doc`",
                here: &None("/DOC"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/doc`",
                here: &None("/DOC/"),
            },
            None("/NO"),
            None("/DOC/GO"),
            Differs {
                reason: CASE,
                peer: "finds `/Π`",
                here: &None("/π"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/Π`",
                here: &None("/π/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/u/äpfêl/`",
                here: &None("/u/ÄPFÊL/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/u/äpfêl/`",
                here: &None("/u/ÄPFÊL"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/u/öpfêl`",
                here: &None("/u/ÖPFÊL/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/u/öpfêl`",
                here: &None("/u/ÖPFÊL"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/v/Äpfêl/`",
                here: &None("/v/äpfêL/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/v/Äpfêl/`",
                here: &None("/v/äpfêL"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/v/Öpfêl`",
                here: &None("/v/öpfêL/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/v/Öpfêl`",
                here: &None("/v/öpfêL"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/w/♬`",
                here: &None("/w/♬/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/w/♭/`",
                here: &None("/w/♭"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/w/𠜎`",
                here: &None("/w/𠜎/"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/w/𠜏/`",
                here: &None("/w/𠜏"),
            },
            Differs {
                reason: CASE,
                peer: "finds `/loooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong`",
                here: &None(
                    "/lOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOng/",
                ),
            },
        ],
    },
    Case {
        name: "TreeWildcardConflictEx",
        steps: &[
            Insert("/con{tact}"),
            Insert("/who/are/{*you}"),
            Insert("/who/foo/hello"),
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/who/are/foo"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/who/are/foo/"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/who/are/foo/bar"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/conxxx"),
            },
            Differs {
                reason: ORDER,
                peer: "refused",
                here: &Insert("/conooo/xxx"),
            },
        ],
    },
    Case {
        name: "RedirectTrailingSlash",
        steps: &[
            Insert("/hello/{name}"),
            Insert("/hello/{name}/123"),
            Insert("/hello/{name}/234"),
            None("/hello/abx/"),
        ],
    },
];

const PATH: &[Case] = &[
    Case {
        name: "/",
        steps: &[Insert("/"), At("/", "/", &[])],
    },
    Case {
        name: "/abc",
        steps: &[Insert("/abc"), At("/abc", "/abc", &[])],
    },
    Case {
        name: "/a/b/c",
        steps: &[Insert("/a/b/c"), At("/a/b/c", "/a/b/c", &[])],
    },
    Case {
        name: "/abc/",
        steps: &[Insert("/abc/"), At("/abc/", "/abc/", &[])],
    },
    Case {
        name: "/a/b/c/",
        steps: &[Insert("/a/b/c/"), At("/a/b/c/", "/a/b/c/", &[])],
    },
    Case {
        name: "",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None(""),
            },
        ],
    },
    Case {
        name: "a/",
        steps: &[
            Insert("/a/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/a/`",
                here: &None("a/"),
            },
        ],
    },
    Case {
        name: "abc",
        steps: &[
            Insert("/abc"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc`",
                here: &None("abc"),
            },
        ],
    },
    Case {
        name: "abc/def",
        steps: &[
            Insert("/abc/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def`",
                here: &None("abc/def"),
            },
        ],
    },
    Case {
        name: "a/b/c",
        steps: &[
            Insert("/a/b/c"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/a/b/c`",
                here: &None("a/b/c"),
            },
        ],
    },
    Case {
        name: "//",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("//"),
            },
        ],
    },
    Case {
        name: "/abc//",
        steps: &[
            Insert("/abc/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/`",
                here: &None("/abc//"),
            },
        ],
    },
    Case {
        name: "/abc/def//",
        steps: &[
            Insert("/abc/def/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def/`",
                here: &None("/abc/def//"),
            },
        ],
    },
    Case {
        name: "/a/b/c//",
        steps: &[
            Insert("/a/b/c/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/a/b/c/`",
                here: &None("/a/b/c//"),
            },
        ],
    },
    Case {
        name: "/abc//def//ghi",
        steps: &[
            Insert("/abc/def/ghi"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def/ghi`",
                here: &None("/abc//def//ghi"),
            },
        ],
    },
    Case {
        name: "//abc",
        steps: &[
            Insert("/abc"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc`",
                here: &None("//abc"),
            },
        ],
    },
    Case {
        name: "///abc",
        steps: &[
            Insert("/abc"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc`",
                here: &None("///abc"),
            },
        ],
    },
    Case {
        name: "//abc//",
        steps: &[
            Insert("/abc/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/`",
                here: &None("//abc//"),
            },
        ],
    },
    Case {
        name: ".",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("."),
            },
        ],
    },
    Case {
        name: "./",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("./"),
            },
        ],
    },
    Case {
        name: "/abc/./def",
        steps: &[
            Insert("/abc/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def`",
                here: &None("/abc/./def"),
            },
        ],
    },
    Case {
        name: "/./abc/def",
        steps: &[
            Insert("/abc/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def`",
                here: &None("/./abc/def"),
            },
        ],
    },
    Case {
        name: "/abc/.",
        steps: &[
            Insert("/abc/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/`",
                here: &None("/abc/."),
            },
        ],
    },
    Case {
        name: "..",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None(".."),
            },
        ],
    },
    Case {
        name: "../",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("../"),
            },
        ],
    },
    Case {
        name: "../../",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("../../"),
            },
        ],
    },
    Case {
        name: "../..",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("../.."),
            },
        ],
    },
    Case {
        name: "../../abc",
        steps: &[
            Insert("/abc"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc`",
                here: &None("../../abc"),
            },
        ],
    },
    Case {
        name: "/abc/def/ghi/../jkl",
        steps: &[
            Insert("/abc/def/jkl"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/def/jkl`",
                here: &None("/abc/def/ghi/../jkl"),
            },
        ],
    },
    Case {
        name: "/abc/def/../ghi/../jkl",
        steps: &[
            Insert("/abc/jkl"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc/jkl`",
                here: &None("/abc/def/../ghi/../jkl"),
            },
        ],
    },
    Case {
        name: "/abc/def/..",
        steps: &[
            Insert("/abc"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/abc`",
                here: &None("/abc/def/.."),
            },
        ],
    },
    Case {
        name: "/abc/def/../..",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("/abc/def/../.."),
            },
        ],
    },
    Case {
        name: "/abc/def/../../..",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("/abc/def/../../.."),
            },
        ],
    },
    Case {
        name: "/abc/def/../../..",
        steps: &[
            Insert("/"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/`",
                here: &None("/abc/def/../../.."),
            },
        ],
    },
    Case {
        name: "/abc/def/../../../ghi/jkl/../../../mno",
        steps: &[
            Insert("/mno"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/mno`",
                here: &None("/abc/def/../../../ghi/jkl/../../../mno"),
            },
        ],
    },
    Case {
        name: "abc/./../def",
        steps: &[
            Insert("/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/def`",
                here: &None("abc/./../def"),
            },
        ],
    },
    Case {
        name: "abc//./../def",
        steps: &[
            Insert("/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/def`",
                here: &None("abc//./../def"),
            },
        ],
    },
    Case {
        name: "abc/../../././../def",
        steps: &[
            Insert("/def"),
            Differs {
                reason: CLEAN,
                peer: "cleaned to `/def`",
                here: &None("abc/../../././../def"),
            },
        ],
    },
];
