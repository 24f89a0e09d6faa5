//! What the tests of other servers expect, as tables of our own. Where two of them disagree, or RFC 9110 leaves the choice and
//! ours is another, the table says so.

mod common;

use common::{Answer, Tree, call, content, get};
use http::StatusCode;
use tower_zerocopy_fs::{Listing, ServeFile, ServeFiles};

/// The file of Apache httpd's tests: numbers of four digits.
fn numbers(upto: usize) -> Vec<u8> {
    (1..=upto)
        .flat_map(|i| format!("{i:04}").into_bytes())
        .collect()
}

/// The intervals of an answer, each checked against `whole`: one of `Content-Range`, or those of a multipart body.
fn parts(answer: &Answer, whole: &[u8], name: &str) -> Vec<(usize, usize)> {
    assert_eq!(answer.status, 206, "{name}");
    let length = answer.header("content-length").unwrap();
    assert_eq!(length, answer.body.len().to_string(), "{name}");
    let interval = |field: &str| {
        let (first, rest) = field
            .strip_prefix("bytes ")
            .unwrap()
            .split_once('-')
            .unwrap();
        let (last, size) = rest.split_once('/').unwrap();
        assert_eq!(size, whole.len().to_string(), "{name}");
        (
            first.parse::<usize>().unwrap(),
            last.parse::<usize>().unwrap(),
        )
    };
    if let Some(field) = answer.header("content-range") {
        let (first, last) = interval(field);
        assert!(answer.body == whole[first..=last], "{name}");
        return vec![(first, last)];
    }
    let kind = answer.header("content-type").unwrap();
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let mut rest = &answer.body[..];
    let mut found = Vec::new();
    let open = format!("--{boundary}\r\n");
    while let Some(after) = rest.strip_prefix(open.as_bytes()) {
        let end = after.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&after[..end]).unwrap();
        let field = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Range: "))
            .unwrap();
        let (first, last) = interval(field);
        let (body, next) = after[end + 4..].split_at(last - first + 1);
        assert!(body == &whole[first..=last], "{name}: part {first}-{last}");
        found.push((first, last));
        rest = next.strip_prefix(b"\r\n").unwrap();
    }
    assert_eq!(rest, format!("--{boundary}--\r\n").as_bytes(), "{name}");
    found
}

/// Apache httpd `byterange`, `byterange3`: a file fetched in pieces, once by one range a piece and once by four that
/// overlap.
#[tokio::test]
async fn apache_a_file_in_pieces() {
    let tree = Tree::new();
    let whole = content(100_000);
    tree.file("f", &whole);
    let files = ServeFiles::new(tree.path());
    for overlapping in [false, true] {
        let mut total = 0;
        while total < whole.len() {
            let end = (total + 8192).min(whole.len());
            let range = if overlapping {
                let (from, to) = (total + 5, end - 10);
                format!(
                    "bytes={from}-{end},{total}-{},{from}-{to},{total}-{}",
                    end - 1,
                    end - 1
                )
            } else {
                format!("bytes={total}-{end}")
            };
            let answer = get(files.clone(), "/f", &[("range", &range)]).await;
            let found = parts(&answer, &whole, &range);
            assert_eq!((found.len(), found[0].0), (1, total), "{range}");
            total = found[0].1 + 1;
        }
        assert_eq!(total, whole.len());
    }
}

/// Apache httpd `byterange2`: a range that is not one is ignored.
#[tokio::test]
async fn apache_a_range_with_a_length_is_none() {
    let tree = Tree::new();
    tree.file("f", "hello\n");
    let answer = get(
        ServeFiles::new(tree.path()),
        "/f",
        &[("range", "bytes=5-10/10")],
    )
    .await;
    assert_eq!((answer.status, answer.text()), (200, "hello\n"));
}

/// Apache httpd `byterange4`: every pair of bounds near those of buffers of 200 bytes.
#[tokio::test]
async fn apache_bounds_near_the_bounds_of_buffers() {
    let tree = Tree::new();
    let whole = numbers(2000);
    tree.file("f", &whole);
    let files = ServeFiles::new(tree.path());
    let (len, piece) = (whole.len(), 200);
    let bounds = [0, 2, piece, 3 * piece, len - piece, len]
        .into_iter()
        .flat_map(|bound: usize| (bound.saturating_sub(2)..=bound + 1).filter(|b| *b < len))
        .collect::<Vec<_>>();
    for &first in &bounds {
        for &last in bounds.iter().filter(|last| **last >= first) {
            let range = format!("bytes={first}-{last}");
            let answer = get(files.clone(), "/f", &[("range", &range)]).await;
            assert_eq!(parts(&answer, &whole, &range), [(first, last)]);
        }
    }
}

/// Apache httpd `byterange5` and `byterange6`: several ranges, in any order, overlapping and touching. Each interval that
/// was asked for, merged as Apache merges it, must lie in one part.
#[tokio::test]
async fn apache_several_ranges_and_their_unions() {
    let tree = Tree::new();
    let whole = numbers(2000);
    tree.file("f", &whole);
    let files = ServeFiles::new(tree.path());
    for (range, wanted) in [
        ("0-1,1000-1001", "0-1,1000-1001"),
        ("1000-1100,100-200", "1000-1100,100-200"),
        ("1000-1100,100-200,2000-2200", "1000-1100,100-200,2000-2200"),
        ("1000-1100,100-200,2000-", "1000-1100,100-200,2000-7999"),
        ("3000-,100-200,2000-2200", "3000-7999,100-200,2000-2200"),
        ("0-100,70-100,1000-1001", "0-100,1000-1001"),
        ("0-90,70-100,1000-1001", "0-100,1000-1001"),
        ("0-70,70-100,1000-1001", "0-100,1000-1001"),
        ("1-100,70-100,1000-1001", "1-100,1000-1001"),
        ("1-90,70-100,1000-1001", "1-100,1000-1001"),
        ("0-100,70-100,1000-1001,5-6", "0-100,1000-1001,5-6"),
        ("0-90,70-100,1000-1001,5-6", "0-100,1000-1001,5-6"),
        ("0-70,70-100,1000-1001,5-6", "0-100,1000-1001,5-6"),
        ("1-100,70-100,1000-1001,5-6", "1-100,1000-1001,5-6"),
        ("1-90,70-100,1000-1001,5-6", "1-100,1000-1001,5-6"),
        ("1-70,70-100,1000-1001", "1-100,1000-1001"),
        ("1-70,71-100,1000-1001", "1-100,1000-1001"),
        ("1-70,69-100,1000-1001", "1-100,1000-1001"),
        ("1-70,0-100,1000-1001", "0-100,1000-1001"),
        ("0-70,72-100,1000-1001", "0-70,72-100,1000-1001"),
        ("1-70,1-100,1000-1001", "1-100,1000-1001"),
        ("1-70,2-100,1000-1001", "1-100,1000-1001"),
        ("0-100,0-99,1000-1001", "0-100,1000-1001"),
        ("0-100,0-100,1000-1001", "0-100,1000-1001"),
        ("0-100,0-101,1000-1001", "0-101,1000-1001"),
        ("0-100,1-99,1000-1001", "0-100,1000-1001"),
        ("0-100,50-101,1000-1001", "0-101,1000-1001"),
        ("1-10,1-9,99-99", "1-10,99-99"),
        ("1-10,1-11,99-99", "1-11,99-99"),
        ("1-10,0-9,99-99", "0-10,99-99"),
        ("1-10,0-13,99-99", "0-13,99-99"),
        ("1-10,2-13,99-99", "1-13,99-99"),
        ("0-11,1-10,99-99", "0-11,99-99"),
        ("10-20,1-9,99-99", "1-20,99-99"),
        ("10-20,1-11,99-99", "1-20,99-99"),
        ("10-20,1-21,99-99", "1-21,99-99"),
        ("5-10,11-12,99-99", "5-12,99-99"),
        ("5-10,1-4,99-99", "1-10,99-99"),
        ("5-10,1-3,99-99", "5-10,1-3,99-99"),
        ("0-1,-1", "0-1,7999-7999"),
    ] {
        let field = format!("bytes={range}");
        let answer = get(files.clone(), "/f", &[("range", &field)]).await;
        let found = parts(&answer, &whole, range);
        assert!(found.len() > 1, "{range}");
        for interval in wanted.split(',') {
            let (first, last) = interval.split_once('-').unwrap();
            let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
            let covered = found.iter().any(|part| part.0 <= first && part.1 >= last);
            assert!(covered, "{range}: {interval} in {found:?}");
        }
    }
}

/// Apache httpd `byterange7`: lengths of multipart bodies, and fields that are invalid or cannot be satisfied. Apache
/// allows for 200 parts, which here is a setting.
#[tokio::test]
async fn apache_lengths_and_invalid_fields() {
    let tree = Tree::new();
    let whole = numbers(10_000);
    tree.file("f", &whole);
    let files = ServeFiles::new(tree.path()).max_ranges(200);
    for count in [1usize, 2, 10, 50, 100] {
        let ranges: Vec<_> = (0..count)
            .map(|i| format!("{}-{}", i * 100, i * 100 + 1))
            .collect();
        let field = format!("bytes={}", ranges.join(","));
        let answer = get(files.clone(), "/f", &[("range", &field)]).await;
        assert_eq!(parts(&answer, &whole, &field).len(), count);
    }
    for unit in ["", "bytes="] {
        for set in [
            "",
            ",",
            "7-1",
            "foo",
            "1-4,x",
            "1-4,5-2",
            "100000-110000,5-2",
        ] {
            let field = format!("{unit}{set}");
            let answer = get(files.clone(), "/f", &[("range", &field)]).await;
            assert_eq!(answer.status, 200, "{field}");
            assert!(answer.body == whole, "{field}");
        }
    }
    for (set, status) in [
        ("100000-110000", 416),
        ("100000-110000,200000-", 416),
        ("1000-200000", 206),
        ("100000-110000,1000-2000", 206),
        ("100000-110000,2000-1000", 200),
    ] {
        let field = format!("bytes={set}");
        let answer = get(files.clone(), "/f", &[("range", &field)]).await;
        assert_eq!(answer.status, status, "{set}");
    }
}

/// Go `net/http`, the range table. It answers 416 to malformed sets, which RFC 9110 §14.2 allows as well as what we do, to
/// ignore them.
#[tokio::test]
async fn go_ranges() {
    let tree = Tree::new();
    let whole = content(11);
    tree.file("f", &whole);
    let files = ServeFiles::new(tree.path());
    type Case<'a> = (&'a str, u16, &'a [(usize, usize)]);
    let cases: &[Case<'_>] = &[
        ("bytes=0-4", 206, &[(0, 4)]),
        ("bytes=2-", 206, &[(2, 10)]),
        ("bytes=-5", 206, &[(6, 10)]),
        ("bytes=3-7", 206, &[(3, 7)]),
        ("bytes=0-0,-2", 206, &[(0, 0), (9, 10)]),
        ("bytes=0-1,5-8", 206, &[(0, 1), (5, 8)]),
        ("bytes=0-1,5-", 206, &[(0, 1), (5, 10)]),
        ("bytes=5-1000", 206, &[(5, 10)]),
        ("bytes=0-,1-,2-,3-,4-", 200, &[]),
        ("bytes=0-9", 206, &[(0, 9)]),
        ("bytes=0-10", 206, &[(0, 10)]),
        ("bytes=0-11", 206, &[(0, 10)]),
        ("bytes=10-11", 206, &[(10, 10)]),
        ("bytes=10-", 206, &[(10, 10)]),
        ("bytes=11-", 416, &[]),
        ("bytes=11-12", 416, &[]),
        ("bytes=12-12", 416, &[]),
        ("bytes=11-100", 416, &[]),
        ("bytes=12-100", 416, &[]),
        ("bytes=100-", 416, &[]),
        ("bytes=100-1000", 416, &[]),
        ("keks=0-5", 200, &[]),
        ("bytes=1-0", 200, &[]),
        ("bytes=--6", 200, &[]),
    ];
    for (range, status, wanted) in cases {
        let answer = get(files.clone(), "/f", &[("range", range)]).await;
        assert_eq!(answer.status, *status, "{range}");
        if *status == 206 {
            assert_eq!(parts(&answer, &whole, range), *wanted, "{range}");
        }
    }
}

/// Go `net/http`, `containsDotDot`: which paths a file server refuses, here by whether they can name a file at all.
#[tokio::test]
async fn go_dot_dot() {
    let tree = Tree::new();
    for name in ["foo..bar", "..foo", "foo../bar"] {
        tree.file(name, "there");
    }
    for (path, refused) in [
        ("/", false),
        ("/index.html", false),
        ("/foo..bar", false),
        ("/foo../", false),
        ("/..", true),
        ("/../", true),
        ("/../x", true),
        ("/x/..", true),
        ("/x/../y", true),
        ("/foo/..", true),
        ("/foo../bar", false),
        ("/..\\x", true),
        ("/foo\\..", true),
    ] {
        let files = ServeFiles::new(tree.path())
            .dotfiles(tower_zerocopy_fs::Dotfiles::Served)
            .listing(Listing::Html);
        let status = get(files, path, &[]).await.status;
        let there = tree.path().join(path.trim_start_matches('/')).exists();
        let expected = if !refused && there { 200 } else { 404 };
        assert_eq!(status, expected, "{path}");
    }
}

/// Go `net/http`, `TestServeContent`: preconditions with and without ranges, over a file of 8 bytes.
#[tokio::test]
async fn go_preconditions() {
    let tree = Tree::new();
    tree.file("style.css", "body {}\n");
    let files = ServeFiles::new(tree.path());
    let first = get(files.clone(), "/style.css", &[]).await;
    assert_eq!(
        first.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    let tag = first.header("etag").unwrap();
    let date = first.header("last-modified").unwrap();
    let weak = format!("W/{tag}");
    let (list, range) = (format!("\"A\", {tag}"), ("range", "bytes=0-4"));
    let earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
    let partial = Some("bytes 0-4/8");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, Option<&'a str>);
    let cases: &[Case<'_>] = &[
        (
            "not modified by date",
            &[("if-modified-since", date)],
            304,
            None,
        ),
        ("not modified by tag", &[("if-none-match", tag)], 304, None),
        ("a tag in a list", &[("if-none-match", &list)], 304, None),
        ("another tag", &[("if-none-match", "\"Foo\"")], 200, None),
        ("If-Match", &[("if-match", tag)], 200, None),
        ("If-Match star", &[("if-match", "*")], 200, None),
        ("If-Match list", &[("if-match", &list)], 200, None),
        ("If-Match fails", &[("if-match", "DDDD")], 412, None),
        ("If-Match weak", &[("if-match", &weak)], 412, None),
        (
            "If-Unmodified-Since",
            &[("if-unmodified-since", date)],
            200,
            None,
        ),
        (
            "unmodified since earlier",
            &[("if-unmodified-since", earlier)],
            412,
            None,
        ),
        ("range", &[range], 206, partial),
        (
            "range and its tag",
            &[range, ("if-range", tag)],
            206,
            partial,
        ),
        (
            "range and a weak tag",
            &[range, ("if-range", &weak)],
            200,
            None,
        ),
        (
            "range and another tag",
            &[range, ("if-range", "\"B\"")],
            200,
            None,
        ),
        (
            "range and its date",
            &[range, ("if-range", date)],
            206,
            partial,
        ),
        (
            "range and another date",
            &[range, ("if-range", earlier)],
            200,
            None,
        ),
        (
            "no overlap",
            &[("range", "bytes=10-20")],
            416,
            Some("bytes */8"),
        ),
    ];
    for (name, fields, status, content_range) in cases {
        for method in ["GET", "HEAD"] {
            let answer = call(files.clone(), method, "/style.css", fields).await;
            // Range is for GET alone (RFC 9110 §14.2); Go honours it for HEAD.
            let head = method == "HEAD" && matches!(status, 206 | 416);
            let (status, content_range) = if head {
                (200, None)
            } else {
                (*status, *content_range)
            };
            assert_eq!(answer.status, status, "{method} {name}");
            assert_eq!(
                answer.header("content-range"),
                content_range,
                "{method} {name}"
            );
        }
    }
}

/// tower-http `serve_dir`: what is served, redirected, and missing. It redirects to an absolute path, and answers a range on
/// an empty file with an invalid 206, garbage with 416, and a suffix longer than the file with 416; RFC 9110 has it as
/// in this table.
#[tokio::test]
async fn tower_http_serve_dir() {
    let tree = Tree::new();
    for (name, text) in [
        ("README.md", "readme"),
        ("index.html", "<b>HTML!</b>\n"),
        ("precompressed.txt", "plain"),
        ("precompressed.txt.br", "br"),
        ("precompressed.txt.gz", "gz"),
        ("only_gzipped.txt.gz", "gz"),
        ("missing_precompressed.txt", "plain"),
        ("extensionless_precompressed", "plain"),
        ("extensionless_precompressed.gz", "gz"),
        ("src/main.rs", "fn main() {}"),
        ("empty", ""),
        ("\u{4f60}\u{597d}\u{4e16}\u{754c}.txt", "hello"),
        ("filename with space.txt", "space"),
    ] {
        tree.file(name, text);
    }
    tree.directory("nothing");
    let files = ServeFiles::new(tree.path())
        .precompressed_gzip()
        .precompressed_br();
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let gzip: Fields<'_> = &[("accept-encoding", "gzip")];
    let both: Fields<'_> = &[("accept-encoding", "gzip,br")];
    let cases: &[(&str, Fields<'_>, u16, &str, Option<&str>)] = &[
        ("/README.md", &[], 200, "readme", None),
        ("/", &[], 200, "<b>HTML!</b>\n", None),
        ("/src/main.rs", &[], 200, "fn main() {}", None),
        // To the name with a slash at its end, as there.
        ("/src", &[], 307, "", None),
        ("/precompressed.txt", gzip, 200, "gz", Some("gzip")),
        ("/precompressed.txt", both, 200, "br", Some("br")),
        (
            "/precompressed.txt",
            &[("accept-encoding", "zstd")],
            200,
            "plain",
            None,
        ),
        (
            "/precompressed.txt",
            &[("accept-encoding", "identity")],
            200,
            "plain",
            None,
        ),
        ("/only_gzipped.txt", gzip, 200, "gz", Some("gzip")),
        ("/only_gzipped.txt", both, 200, "gz", Some("gzip")),
        ("/missing_precompressed.txt", gzip, 200, "plain", None),
        (
            "/extensionless_precompressed",
            gzip,
            200,
            "gz",
            Some("gzip"),
        ),
        ("/not-found", &[], 404, "", None),
        ("/not-found", gzip, 404, "", None),
        ("/index.html/some_file", &[], 404, "", None),
        ("/README.md/", &[], 404, "", None),
        ("/nothing/", &[], 404, "", None),
        (
            "/%E4%BD%A0%E5%A5%BD%E4%B8%96%E7%95%8C.txt",
            &[],
            200,
            "hello",
            None,
        ),
        ("/filename%20with%20space.txt", &[], 200, "space", None),
        ("/README.md", &[("range", "bytes=1-3")], 206, "ead", None),
        ("/README.md", &[("range", "bytes=3-100")], 206, "dme", None),
        (
            "/README.md",
            &[("range", "bytes=-100")],
            206,
            "readme",
            None,
        ),
        (
            "/README.md",
            &[("range", "bad_format")],
            200,
            "readme",
            None,
        ),
        (
            "/README.md",
            &[("range", "bytes=-1-100")],
            200,
            "readme",
            None,
        ),
        ("/README.md", &[("range", "bytes=6-")], 416, "", None),
        ("/empty", &[("range", "bytes=0-")], 200, "", None),
        ("/%00", &[], 400, "", None),
        ("/weird_%c3%28_path", &[], 404, "", None),
    ];
    for (path, fields, status, body, coding) in cases {
        let answer = get(files.clone(), path, fields).await;
        assert_eq!(answer.status, *status, "{path} {fields:?}");
        assert_eq!(answer.text(), *body, "{path} {fields:?}");
        assert_eq!(
            answer.header("content-encoding"),
            *coding,
            "{path} {fields:?}"
        );
        let head = call(files.clone(), "HEAD", path, fields).await;
        assert!(head.body.is_empty(), "{path}");
        if *status == 200 {
            let length = body.len().to_string();
            assert_eq!(head.header("content-length"), Some(&*length), "{path}");
            assert_eq!(answer.header("vary"), Some("accept-encoding"), "{path}");
        }
    }
    let plain = ServeFiles::new(tree.path());
    assert_eq!(
        get(plain.clone(), "/README.md", &[]).await.header("vary"),
        None
    );
    let post = call(plain.clone(), "POST", "/README.md", &[]).await;
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD, OPTIONS"))
    );
    let fallback = plain.not_found_service(ServeFile::new(tree.path().join("README.md")));
    let answer = get(fallback, "/not-found", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.text(), "readme");
}

/// tower-http `serve_file`.
#[tokio::test]
async fn tower_http_serve_file() {
    let tree = Tree::new();
    let path = tree.file("README.md", "readme");
    tree.file("README.md.gz", "gz");
    tree.file("README.md.zst", "zst");
    let none = tree.path().join("no-file");
    for (file, accept, status, body) in [
        (ServeFile::new(&path), "gzip", 200, "readme"),
        (
            ServeFile::new(&path).precompressed_gzip(),
            "gzip",
            200,
            "gz",
        ),
        (
            ServeFile::new(&path).precompressed_gzip(),
            "br",
            200,
            "readme",
        ),
        (
            ServeFile::new(&path).precompressed_br(),
            "br",
            200,
            "readme",
        ),
        (
            ServeFile::new(&path)
                .precompressed_gzip()
                .precompressed_zstd(),
            "gzip, zstd",
            200,
            "zst",
        ),
        (ServeFile::new(&none), "", 404, ""),
        (ServeFile::new(&none).precompressed_gzip(), "gzip", 404, ""),
    ] {
        let fields = [("accept-encoding", accept)];
        let answer = get(file.clone(), "/whatever", &fields).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{accept}");
        let head = call(file, "HEAD", "/whatever", &fields).await;
        assert_eq!((head.status, head.body.len()), (status, 0), "{accept}");
    }
}
