//! Which paths lead to a file and which never do.

#![cfg(unix)]

mod common;

use std::{convert::Infallible, os::unix::fs::symlink, time::Duration};

use axum::Router;
use common::{Tree, call, example_date, get};
use http::{Request, Response, StatusCode};
use tower::service_fn;
use tower_zerocopy_fs::{Dotfiles, Listing, ServeFiles, Symlinks};

/// Go's `containsDotDot` rows and many more: none may show the file above the root.
#[tokio::test]
async fn nothing_above_the_root_is_served() {
    let tree = Tree::new();
    tree.file("secret", "secret");
    tree.file("root/f", "f");
    tree.file("root/d/g", "g");
    let files = ServeFiles::new(tree.path().join("root"));
    for path in [
        "/..",
        "/../",
        "/../secret",
        "/d/../../secret",
        "/d/..",
        "/d/../f",
        "/./f",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/.%2e/secret",
        "/%2e./secret",
        "/..%2fsecret",
        "/..%2Fsecret",
        "/%2e%2e%2fsecret",
        "/d%2f..%2f..%2fsecret",
        "/..%5csecret",
        "/..%5Csecret",
        "/d/..%5c..%5csecret",
        "/%c0%ae%c0%ae/secret",
        "/%c0%ae%c0%ae%c0%afsecret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%252e%252e/secret",
        "/..;/secret",
        "//../secret",
        "///..///secret",
        "/d/%2e%2e/%2e%2e/secret",
        "/..%01/secret",
        "/%ff",
        "/f%0a",
        "/f/",
        "/f/x",
        "/d%2fg",
    ] {
        let answer = get(files.clone(), path, &[]).await;
        assert_eq!((answer.status, answer.text()), (404, ""), "{path}");
    }
    for path in ["/%00", "/f%00", "/f%00.html", "/%", "/%4", "/%zz", "/f%"] {
        assert_eq!(get(files.clone(), path, &[]).await.status, 400, "{path}");
    }
    for (path, body) in [
        ("/f", "f"),
        ("/%66", "f"),
        ("//f", "f"),
        ("/d/g", "g"),
        ("/d//g", "g"),
    ] {
        assert_eq!(get(files.clone(), path, &[]).await.text(), body, "{path}");
    }
    let long = format!("/{}", "a".repeat(5000));
    assert_eq!(get(files, &long, &[]).await.status, 404);
}

#[tokio::test]
async fn odd_names_are_names() {
    let tree = Tree::new();
    for (name, path) in [
        ("a b", "/a%20b"),
        ("ü€", "/%C3%BC%E2%82%AC"),
        ("100%", "/100%25"),
        ("a?b", "/a%3Fb"),
        ("a#b", "/a%23b"),
        ("a+b", "/a+b"),
        ("..a", "/..a"),
        ("a..", "/a.."),
        ("%2e%2e", "/%252e%252e"),
        ("a:b", "/a:b"),
    ] {
        tree.file(name, name);
        let files = ServeFiles::new(tree.path()).dotfiles(Dotfiles::Served);
        assert_eq!(get(files, path, &[]).await.text(), name, "{path}");
    }
}

#[tokio::test]
async fn links_and_dotfiles_obey_their_policies() {
    let tree = Tree::new();
    tree.file("secret", "secret");
    tree.file("root/f", "f");
    tree.file("root/.env", "env");
    tree.file("root/.git/config", "git");
    tree.file("root/.well-known/x", "known");
    let root = tree.path().join("root");
    symlink("f", root.join("inside")).unwrap();
    symlink("../secret", root.join("outside")).unwrap();
    symlink(tree.path().join("root/f"), root.join("absolute")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    let cases = [
        // path, denied, beneath, followed
        ("/f", 200, 200, 200),
        ("/inside", 404, 200, 200),
        ("/outside", 404, 404, 200),
        ("/absolute", 404, 404, 200),
        ("/up/secret", 404, 404, 200),
        ("/magic/etc/passwd", 404, 404, 200),
    ];
    for (path, denied, beneath, followed) in cases {
        for (policy, status) in [
            (Symlinks::Deny, denied),
            (Symlinks::Beneath, beneath),
            (Symlinks::Follow, followed),
        ] {
            let files = ServeFiles::new(&root).symlinks(policy);
            assert_eq!(
                get(files, path, &[]).await.status,
                status,
                "{path} {policy:?}"
            );
        }
    }
    for (path, hidden, known, served) in [
        ("/.env", 404, 404, 200),
        ("/.git/config", 404, 404, 200),
        ("/%2egit/config", 404, 404, 200),
        ("/.well-known/x", 404, 200, 200),
    ] {
        for (policy, status) in [
            (Dotfiles::Hidden, hidden),
            (Dotfiles::WellKnown, known),
            (Dotfiles::Served, served),
        ] {
            let files = ServeFiles::new(&root).dotfiles(policy);
            assert_eq!(
                get(files, path, &[]).await.status,
                status,
                "{path} {policy:?}"
            );
        }
    }
}

/// Answered at once: opening a fifo for reading would wait for a writer for ever.
#[tokio::test]
async fn special_files_are_missing_and_never_opened() {
    let tree = Tree::new();
    // POSIX has the command everywhere, and not every system has a call for it that rustix knows.
    let made = std::process::Command::new("mkfifo")
        .arg(tree.path().join("fifo"))
        .status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    symlink("/dev/zero", tree.path().join("zero")).unwrap();
    let files = ServeFiles::new(tree.path())
        .symlinks(Symlinks::Follow)
        .listing(Listing::Json);
    for path in ["/fifo", "/socket", "/zero"] {
        let answer =
            tokio::time::timeout(Duration::from_secs(60), get(files.clone(), path, &[])).await;
        assert_eq!(answer.unwrap().status, 404, "{path}");
    }
    assert_eq!(get(files, "/", &[]).await.text(), "[]");
}

#[tokio::test]
async fn directories_redirect_to_themselves_and_nowhere_else() {
    let tree = Tree::new();
    tree.file("d/index.html", "index");
    tree.file("d/e/home.htm", "home");
    tree.file("a:b/index.html", "colon");
    tree.file("a b/index.html", "space");
    let files = ServeFiles::new(tree.path());
    for (path, location) in [
        ("/d", "./d/"),
        ("//d", "./d/"),
        ("///d", "./d/"),
        ("/d?q=1&r=//x", "./d/?q=1&r=//x"),
        ("/%64", "./d/"),
        ("/a:b", "./a%3Ab/"),
        ("/a%20b", "./a%20b/"),
        ("/d/e", "./e/"),
    ] {
        let answer = get(files.clone(), path, &[]).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, Some(location)),
            "{path}"
        );
    }
    for (path, status, body) in [
        ("/d/", 200, "index"),
        ("//d/", 200, "index"),
        ("/d/index.html", 200, "index"),
        ("/d/index.html/", 404, ""),
        ("/d/e/", 404, ""),
        ("/", 404, ""),
    ] {
        let answer = get(files.clone(), path, &[]).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{path}");
    }
    let other = files.clone().index_files(["none.htm", "home.htm"]);
    assert_eq!(get(other, "/d/e/", &[]).await.text(), "home");
    let none = files.append_index_html_on_directories(false);
    for path in ["/d", "/d/", "/"] {
        assert_eq!(get(none.clone(), path, &[]).await.status, 404, "{path}");
    }
}

/// Under a router that strips a prefix the reference must still lead to the directory.
#[tokio::test]
async fn redirects_are_right_when_nested() {
    let tree = Tree::new();
    tree.file("d/index.html", "index");
    let app: Router = Router::new().nest_service("/static", ServeFiles::new(tree.path()));
    let response = tower::ServiceExt::oneshot(
        app,
        Request::get("/static/d")
            .body(axum::body::Body::empty())
            .unwrap(),
    );
    let response = response.await.unwrap();
    // Relative to /static/d this is /static/d/.
    assert_eq!(response.headers()["location"], "./d/");
}

#[tokio::test]
async fn listings_are_off_by_default_and_escaped() {
    let tree = Tree::new();
    for name in [
        "<b>&\"'.txt",
        "z.txt",
        ".hidden",
        "sub/x",
        "javascript:alert(1)",
        "\u{2028}",
    ] {
        tree.file(name, "12345");
    }
    assert_eq!(
        get(ServeFiles::new(tree.path()), "/", &[]).await.status,
        404
    );
    let files = ServeFiles::new(tree.path()).listing(Listing::Negotiated);
    let html = get(files.clone(), "/", &[("accept", "text/html")]).await;
    assert_eq!(
        html.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(
        html.text()
            .contains("<a href=\"./%3Cb%3E%26%22%27.txt\">&lt;b&gt;&amp;&quot;&#39;.txt</a>")
    );
    assert!(
        html.text()
            .contains("<a href=\"./javascript%3Aalert%281%29\">")
    );
    assert!(html.text().contains("<a href=\"./sub/\">sub/</a>"));
    assert!(!html.text().contains("<b>") && !html.text().contains("hidden"));
    let json = get(
        files.clone(),
        "/",
        &[("accept", "application/json;q=0.9, text/html")],
    )
    .await;
    assert_eq!(json.header("content-type"), Some("application/json"));
    let date = httpdate::fmt_http_date(example_date());
    let file = |name: &str| {
        format!("{{\"name\":\"{name}\",\"type\":\"file\",\"size\":5,\"modified\":\"{date}\"}}")
    };
    let expected = format!(
        "[{{\"name\":\"sub\",\"type\":\"directory\"}},{},{},{},{}]",
        file("\\u003cb\\u003e\\u0026\\\"'.txt"),
        file("javascript:alert(1)"),
        file("z.txt"),
        file("\\u2028"),
    );
    assert_eq!(json.text(), expected);
    let head = call(files.clone(), "HEAD", "/", &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        get(files.clone(), "/sub", &[]).await.header("location"),
        Some("./sub/")
    );
    assert!(
        get(files, "/sub/", &[])
            .await
            .text()
            .contains("href=\"../\"")
    );
}

#[tokio::test]
async fn fallbacks_pages_and_single_page_apps() {
    let tree = Tree::new();
    tree.file("app.html", "app");
    tree.file("errors/404.html", "not here");
    tree.file("errors/405.html", "not so");
    let files = ServeFiles::new(tree.path());
    let echo = service_fn(|request: Request<String>| async move {
        let text = format!("{} {}", request.method(), request.uri());
        Ok::<_, Infallible>(Response::new(text))
    });
    let answer = get(files.clone().fallback(echo), "/none?x", &[]).await;
    assert_eq!((answer.status, answer.text()), (200, "GET /none?x"));
    let answer = get(files.clone().not_found_service(echo), "/../x", &[]).await;
    assert_eq!((answer.status, answer.text()), (404, "GET /../x"));
    assert_eq!(
        get(files.clone().fallback(echo), "/app.html", &[])
            .await
            .text(),
        "app"
    );

    let all = files.clone().call_fallback_on_method_not_allowed(true);
    assert_eq!(
        call(all.clone().fallback(echo), "POST", "/app.html", &[])
            .await
            .text(),
        "POST /app.html"
    );
    assert_eq!(call(all, "POST", "/app.html", &[]).await.status, 405);

    let paged = files
        .clone()
        .error_page(StatusCode::NOT_FOUND, "errors/404.html")
        .error_page(StatusCode::METHOD_NOT_ALLOWED, "errors/405.html")
        .error_page(StatusCode::BAD_REQUEST, "errors/none.html");
    for (method, path, status, body) in [
        ("GET", "/none", 404, "not here"),
        ("HEAD", "/none", 404, ""),
        ("POST", "/app.html", 405, "not so"),
        ("GET", "/%zz", 400, ""),
    ] {
        let answer = call(paged.clone(), method, path, &[("range", "bytes=0-1")]).await;
        assert_eq!(
            (answer.status, answer.text()),
            (status, body),
            "{method} {path}"
        );
        assert_eq!(answer.header("etag"), None, "{method} {path}");
        if !body.is_empty() {
            assert_eq!(
                answer.header("content-type"),
                Some("text/html; charset=utf-8"),
                "{path}"
            );
        }
    }

    let spa = files.single_page_app("app.html");
    let html = &[("accept", "text/html,*/*")][..];
    for (path, fields, status) in [
        ("/users/7", html, 200),
        ("/users/", html, 200),
        ("/users/7.png", html, 404),
        ("/users/7", &[("accept", "application/json")][..], 404),
        ("/users/7", &[], 404),
    ] {
        let answer = get(spa.clone(), path, fields).await;
        assert_eq!(answer.status, status, "{path} {fields:?}");
        assert_eq!(
            answer.text(),
            if status == 200 { "app" } else { "" },
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_root_that_is_not_there_is_an_error_only_where_asked() {
    let tree = Tree::new();
    let root = tree.path().join("later");
    assert!(ServeFiles::try_new(&root).is_err());
    let files = ServeFiles::new(&root).revalidate_after(Duration::ZERO);
    assert_eq!(get(files.clone(), "/f", &[]).await.status, 404);
    tree.file("later/f", "now");
    assert_eq!(get(files, "/f", &[]).await.text(), "now");
    assert!(ServeFiles::try_new(&root).is_ok());
}
