//! RFC 9110 as a visitor sees it, one table a topic.

mod common;

use common::{Tree, call, get};
use http::{HeaderValue, StatusCode};
use tower_zerocopy_fs::{Disposition, EntityTags, ServeFile, ServeFiles};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// What a `Range` field selects. Malformed ones are ignored, as RFC 9110 §14.2 allows.
#[tokio::test]
async fn ranges_select_bytes() {
    let tree = Tree::new();
    tree.file("f.txt", "0123456789");
    let files = ServeFiles::new(tree.path()).max_ranges(4);
    let cases: &[(&str, u16, &str, Option<&str>)] = &[
        ("bytes=0-4", 206, "01234", Some("bytes 0-4/10")),
        ("bytes=2-", 206, "23456789", Some("bytes 2-9/10")),
        ("bytes=-5", 206, "56789", Some("bytes 5-9/10")),
        ("bytes=3-7", 206, "34567", Some("bytes 3-7/10")),
        ("bytes=0-0", 206, "0", Some("bytes 0-0/10")),
        ("bytes=9-9", 206, "9", Some("bytes 9-9/10")),
        ("bytes=5-1000", 206, "56789", Some("bytes 5-9/10")),
        ("bytes=0-,1000-", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=-20", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=10-", 416, "", Some("bytes */10")),
        ("bytes=999999999999999999999-", 416, "", Some("bytes */10")),
        ("bytes=-0", 416, "", Some("bytes */10")),
        ("bytes=1-0", 200, "0123456789", None),
        ("bytes=a-z", 200, "0123456789", None),
        ("bytes=", 200, "0123456789", None),
        ("bytes=-", 200, "0123456789", None),
        ("seconds=0-4", 200, "0123456789", None),
        ("bytes=0-0,0-0,0-0", 206, "0", Some("bytes 0-0/10")),
        ("bytes=0-,1-,2-,3-", 200, "0123456789", None),
        ("bytes=0-0,2-2,4-4,6-6,8-8", 200, "0123456789", None),
    ];
    for (range, status, body, content_range) in cases {
        let answer = get(files.clone(), "/f.txt", &[("range", range)]).await;
        assert_eq!(answer.status, *status, "{range}");
        assert_eq!(answer.text(), *body, "{range}");
        assert_eq!(answer.header("content-range"), *content_range, "{range}");
        assert_eq!(
            answer.header("content-length"),
            Some(&*body.len().to_string()),
            "{range}"
        );
    }
}

#[tokio::test]
async fn several_ranges_come_as_multipart_in_the_order_asked_for() {
    let tree = Tree::new();
    tree.file("f.txt", "0123456789");
    tree.file("large.bin", common::content(300_000));
    let files = ServeFiles::new(tree.path());
    for (path, range, parts) in [
        ("/f.txt", "bytes=0-0,-1", vec![(0, 0), (9, 9)]),
        ("/f.txt", "bytes=5-6,1-2,8-8", vec![(5, 6), (1, 2), (8, 8)]),
        ("/f.txt", "bytes=0-0,20-30,4-5", vec![(0, 0), (4, 5)]),
        (
            "/large.bin",
            "bytes=0-99999,200000-299999",
            vec![(0, 99_999), (200_000, 299_999)],
        ),
    ] {
        let whole = get(files.clone(), path, &[]).await;
        let answer = get(files.clone(), path, &[("range", range)]).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(
            answer.header("content-length"),
            Some(&*answer.body.len().to_string()),
            "{range}"
        );
        assert_eq!(answer.header("content-range"), None, "{range}");
        let boundary = answer
            .header("content-type")
            .unwrap()
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap();
        let mut expected = Vec::new();
        for (i, &(first, last)) in parts.iter().enumerate() {
            let start = if i == 0 { "" } else { "\r\n" };
            expected.extend_from_slice(
                format!(
                    "{start}--{boundary}\r\nContent-Type: {}\r\nContent-Range: bytes {first}-{last}/{}\r\n\r\n",
                    whole.header("content-type").unwrap(),
                    whole.body.len()
                )
                .as_bytes(),
            );
            expected.extend_from_slice(&whole.body[first..=last]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(answer.body == expected, "{range}");
    }
}

#[tokio::test]
async fn ranges_on_an_empty_file_are_ignored() {
    let tree = Tree::new();
    tree.file("empty", "");
    let files = ServeFiles::new(tree.path());
    for range in [
        "bytes=0-",
        "bytes=0-0",
        "bytes=-1",
        "bytes=-0",
        "bytes=5-9",
        "bytes=0-0,1-1",
    ] {
        let answer = get(files.clone(), "/empty", &[("range", range)]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{range}");
        assert_eq!(answer.header("content-length"), Some("0"), "{range}");
        assert_eq!(answer.header("content-range"), None, "{range}");
    }
}

#[tokio::test]
async fn conditions_decide_before_ranges() {
    let tree = Tree::new();
    tree.file("f.txt", "0123456789");
    let files = ServeFiles::new(tree.path());
    let first = get(files.clone(), "/f.txt", &[]).await;
    let tag = first.header("etag").unwrap();
    assert_eq!(first.header("last-modified"), Some(DATE));
    assert_eq!(first.header("accept-ranges"), Some("bytes"));
    let weak = format!("W/{tag}");
    let part = ("range", "bytes=0-1");
    let later = "Sun, 06 Nov 1994 08:49:38 GMT";
    let before = "Sun, 06 Nov 1994 08:49:36 GMT";
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, usize);
    let cases: &[Case<'_>] = &[
        (&[("if-none-match", tag)], 304, 0),
        (&[("if-none-match", &weak)], 304, 0),
        (&[("if-none-match", "*")], 304, 0),
        (&[("if-none-match", "\"other\"")], 200, 10),
        (&[("if-none-match", tag), part], 304, 0),
        (&[("if-modified-since", DATE)], 304, 0),
        (&[("if-modified-since", before)], 200, 10),
        (
            &[("if-modified-since", DATE), ("if-none-match", "\"other\"")],
            200,
            10,
        ),
        (&[("if-match", tag)], 200, 10),
        (&[("if-match", "\"other\"")], 412, 0),
        (&[("if-match", &weak)], 412, 0),
        (&[("if-match", "\"other\""), part], 412, 0),
        (&[("if-unmodified-since", before)], 412, 0),
        (&[("if-unmodified-since", DATE), part], 206, 2),
        (&[("if-range", tag), part], 206, 2),
        (&[("if-range", &weak), part], 200, 10),
        (&[("if-range", "\"other\""), part], 200, 10),
        (&[("if-range", DATE), part], 206, 2),
        (&[("if-range", before), part], 200, 10),
        (&[("if-range", later), part], 200, 10),
        (&[("if-range", tag)], 200, 10),
        (
            &[("if-range", "\"other\""), ("range", "bytes=20-")],
            200,
            10,
        ),
    ];
    for method in ["GET", "HEAD"] {
        for (fields, status, len) in cases {
            let answer = call(files.clone(), method, "/f.txt", fields).await;
            // HEAD knows no ranges (RFC 9110 §14.2).
            let status = if method == "HEAD" && *status == 206 {
                200
            } else {
                *status
            };
            assert_eq!(answer.status, status, "{method} {fields:?}");
            assert_eq!(
                answer.body.len(),
                if method == "HEAD" { 0 } else { *len },
                "{method} {fields:?}"
            );
            if status == 304 {
                assert_eq!(answer.header("etag"), Some(tag), "{fields:?}");
                assert_eq!(answer.header("last-modified"), Some(DATE), "{fields:?}");
                assert_eq!(answer.header("content-length"), None, "{fields:?}");
            }
        }
    }
}

#[tokio::test]
async fn entity_tags_change_with_the_file_and_by_choice() {
    let tree = Tree::new();
    let path = tree.file("f", "a");
    let files = ServeFiles::new(tree.path()).revalidate_after(std::time::Duration::ZERO);
    let one = get(files.clone(), "/f", &[]).await;
    let again = get(files.clone(), "/f", &[]).await;
    assert_eq!(one.header("etag"), again.header("etag"));
    std::fs::write(&path, "b").unwrap();
    let two = get(files.clone(), "/f", &[]).await;
    assert_eq!(two.text(), "b");
    assert_ne!(one.header("etag"), two.header("etag"));
    let weak = get(files.clone().entity_tags(EntityTags::Weak), "/f", &[]).await;
    assert_eq!(
        weak.header("etag").unwrap(),
        format!("W/{}", two.header("etag").unwrap())
    );
    let off = get(
        files.entity_tags(EntityTags::Off),
        "/f",
        &[("if-none-match", two.header("etag").unwrap())],
    )
    .await;
    assert_eq!((off.status, off.header("etag")), (200, None));
}

#[tokio::test]
async fn methods() {
    let tree = Tree::new();
    tree.file("f", "abc");
    let files = ServeFiles::new(tree.path());
    for (method, path, status, body) in [
        ("GET", "/f", 200, "abc"),
        ("HEAD", "/f", 200, ""),
        ("OPTIONS", "/f", 204, ""),
        ("POST", "/f", 405, ""),
        ("PUT", "/f", 405, ""),
        ("DELETE", "/none", 405, ""),
        ("PATCH", "/f", 405, ""),
        ("PROPFIND", "/f", 405, ""),
    ] {
        let answer = call(files.clone(), method, path, &[]).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{method}");
        let allow = matches!(status, 204 | 405).then_some("GET, HEAD, OPTIONS");
        assert_eq!(answer.header("allow"), allow, "{method}");
        let length = (status != 204).then_some(if status == 200 { "3" } else { "0" });
        assert_eq!(answer.header("content-length"), length, "{method}");
    }
}

#[tokio::test]
async fn codings_are_negotiated() {
    let tree = Tree::new();
    for (name, content) in [
        ("a.txt", "plain"),
        ("a.txt.br", "brotli"),
        ("a.txt.gz", "gzip"),
        ("a.txt.zst", "zstd"),
        ("b.txt", "plain"),
        ("c.txt.gz", "gzip"),
        ("d/index.html", "plain"),
        ("d/index.html.gz", "gzip"),
    ] {
        tree.file(name, content);
    }
    let files = ServeFiles::new(tree.path())
        .precompressed_br()
        .precompressed_gzip()
        .precompressed_zstd();
    for (path, accept, status, body, coding) in [
        ("/a.txt", "", 200, "plain", None),
        ("/a.txt", "gzip", 200, "gzip", Some("gzip")),
        (
            "/a.txt",
            "gzip, deflate, br, zstd",
            200,
            "brotli",
            Some("br"),
        ),
        ("/a.txt", "gzip;q=1, br;q=0.5", 200, "gzip", Some("gzip")),
        ("/a.txt", "zstd;q=0.9, br;q=0", 200, "zstd", Some("zstd")),
        ("/a.txt", "*", 200, "brotli", Some("br")),
        ("/a.txt", "identity", 200, "plain", None),
        ("/b.txt", "br, gzip", 200, "plain", None),
        ("/c.txt", "gzip", 200, "gzip", Some("gzip")),
        ("/c.txt", "br", 404, "", None),
        ("/d/", "gzip", 200, "gzip", Some("gzip")),
        ("/a.txt.gz", "", 200, "gzip", None),
    ] {
        let fields = [("accept-encoding", accept)];
        let answer = get(
            files.clone(),
            path,
            if accept.is_empty() { &[] } else { &fields },
        )
        .await;
        assert_eq!(
            (answer.status, answer.text()),
            (status, body),
            "{path} {accept}"
        );
        assert_eq!(answer.header("content-encoding"), coding, "{path} {accept}");
        if status == 200 {
            assert_eq!(
                answer.header("vary"),
                Some("accept-encoding"),
                "{path} {accept}"
            );
        }
        if path == "/a.txt" {
            assert_eq!(
                answer.header("content-type"),
                Some("text/plain; charset=utf-8"),
                "{accept}"
            );
        }
    }
    // Each representation has a tag of its own, and ranges are of the coded bytes.
    let plain = get(files.clone(), "/a.txt", &[]).await;
    let coded = get(
        files.clone(),
        "/a.txt",
        &[("accept-encoding", "br"), ("range", "bytes=0-2")],
    )
    .await;
    assert_ne!(plain.header("etag"), coded.header("etag"));
    assert_eq!((coded.status, coded.text()), (206, "bro"));
    assert_eq!(coded.header("content-range"), Some("bytes 0-2/6"));
}

#[tokio::test]
async fn fields_follow_patterns() {
    let tree = Tree::new();
    for name in ["assets/app.js", "index.html", "d/report.pdf"] {
        tree.file(name, "x");
    }
    let files = ServeFiles::new(tree.path())
        .cache_control(
            "assets/**",
            HeaderValue::from_static("max-age=31536000, immutable"),
        )
        .cache_control("*.html", HeaderValue::from_static("no-cache"))
        .content_disposition("*.pdf", Disposition::Attachment)
        .content_type("pdf", HeaderValue::from_static("application/x-pdf"));
    for (path, field, value) in [
        (
            "/assets/app.js",
            "cache-control",
            Some("max-age=31536000, immutable"),
        ),
        ("/index.html", "cache-control", Some("no-cache")),
        ("/", "cache-control", Some("no-cache")),
        ("/d/report.pdf", "cache-control", None),
        (
            "/d/report.pdf",
            "content-disposition",
            Some("attachment; filename=\"report.pdf\""),
        ),
        ("/d/report.pdf", "content-type", Some("application/x-pdf")),
        ("/index.html", "content-disposition", None),
    ] {
        assert_eq!(
            get(files.clone(), path, &[]).await.header(field),
            value,
            "{path} {field}"
        );
    }
    let first = get(files.clone(), "/index.html", &[]).await;
    let not_modified = get(
        files,
        "/index.html",
        &[("if-none-match", first.header("etag").unwrap())],
    )
    .await;
    assert_eq!(not_modified.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn a_single_file_answers_every_path() {
    let tree = Tree::new();
    let path = tree.file(".hidden.txt", "0123");
    tree.file(".hidden.txt.gz", "gz");
    for path_asked in ["/", "/any/thing", "/%zz"] {
        let answer = get(ServeFile::new(&path), path_asked, &[("range", "bytes=1-2")]).await;
        assert_eq!((answer.status, answer.text()), (206, "12"), "{path_asked}");
    }
    let gzip = get(
        ServeFile::new(&path).precompressed_gzip(),
        "/",
        &[("accept-encoding", "gzip")],
    )
    .await;
    assert_eq!(gzip.text(), "gz");
    let typed = ServeFile::new_with_mime(&path, HeaderValue::from_static("x/y"));
    assert_eq!(
        get(typed, "/", &[]).await.header("content-type"),
        Some("x/y")
    );
    assert_eq!(
        get(ServeFile::new(tree.path().join("none")), "/", &[])
            .await
            .status,
        404
    );
    assert_eq!(
        get(ServeFile::new(tree.path()), "/", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}
