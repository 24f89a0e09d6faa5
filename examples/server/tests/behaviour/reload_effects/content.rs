//! Effects on what is answered, and on what is logged of it.

use super::*;

#[tokio::test]
async fn security_headers() {
    let server = Reloadable::start("security-headers = false\n");
    let client = server.client();
    let present = async || {
        let hello = client.get("/hello").await;
        hello.headers.contains_key("x-content-type-options")
    };
    assert!(!present().await);
    server.reload("security-headers = true\n");
    assert!(present().await);
}

#[tokio::test]
async fn access_log() {
    let server = Reloadable::start("access-log = \"off\"\n");
    server.client().get("/hello/unseen").await;
    server.reload("access-log = \"common\"\n");
    server.client().get("/hello/seen").await;
    let line = server.server.logged("\"GET /hello/");
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("\"GET /hello/seen HTTP/1.1\" 200 "), "{line}");
    server.reload("access-log = \"json\"\n");
    server.client().get("/hello/again").await;
    let line = server.server.logged("/hello/again");
    let entry: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&entry["path"], &entry["status"]),
        (&"/hello/again".into(), &200.into())
    );
}

#[tokio::test]
async fn access_log_sample() {
    // Nobody listens on the discard port: what is asked of the proxy ends in an error, which is logged in any case.
    let log = "access-log = \"json\"\nproxy-upstream = \"127.0.0.1:9\"\n";
    let server = Reloadable::start(log);
    let client = server.client();
    let logged = async || {
        for _ in 0..9 {
            client.get("/hello/counted").await;
        }
        client.get("/proxy/end").await.problem(502);
        let mut count = 0;
        loop {
            let line = server.server.logged("\"path\":\"");
            if line.contains("/proxy/end") {
                return count;
            }
            count += usize::from(line.contains("/hello/counted"));
        }
    };
    assert_eq!(logged().await, 9);
    server.reload(&format!("{log}access-log-sample = 3\n"));
    assert_eq!(logged().await, 3);
}

#[test]
fn log() {
    // What `reload` waits for is said at the level `info`.
    Reloadable::start("log = \"error\"\n").reload("log = \"info\"\n");
}

#[tokio::test]
async fn site() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "another site").unwrap();
    let server = Reloadable::start("");
    let client = server.client();
    let index = async || client.get("/site/").await.body;
    assert!(index().await.contains("tower-zerocopy-fs"));
    server.reload(&format!("site = {:?}\n", folder.path()));
    assert_eq!(index().await, "another site");
    let refused = server.refused("site = \"/no/such/folder\"\n");
    assert!(refused.contains("is not a folder"), "{refused}");
    assert_eq!(index().await, "another site");
}

#[tokio::test]
async fn upload_limit() {
    an_upload_of_2000_bytes("upload-limit", 413).await;
}

#[tokio::test]
async fn upload_quota() {
    an_upload_of_2000_bytes("upload-quota", 507).await;
}

#[tokio::test]
async fn upload_keep() {
    let server = Reloadable::start("");
    let client = server.client();
    let length = [("upload-length", "0")];
    let create = async || client.send(Method::POST, "/uploads", &length, None).await;
    let first = create().await.header("location").to_owned();
    create().await;
    assert_eq!(client.get(&first).await.status, 200);
    server.reload("upload-keep = \"1ns\"\n");
    create().await;
    client.get(&first).await.problem(404);
}

async fn an_upload_of_2000_bytes(key: &str, refusal: u16) {
    let server = Reloadable::start(&format!("{key} = \"1KiB\"\n"));
    let client = server.client();
    let length = [("upload-length", "2000")];
    let create = async || client.send(Method::POST, "/uploads", &length, None).await;
    create().await.problem(refusal);
    server.reload(&format!("{key} = \"2KiB\"\n"));
    assert_eq!(create().await.status, 201);
}

#[tokio::test]
async fn proxy_upstream() {
    let upstream = Server::start(&["--demo-data", "off"]);
    let server = Reloadable::start("proxy-upstream = \"off\"\n");
    let client = server.client();
    let books = async || client.get("/proxy/api/v1/books").await;
    books().await.problem(404);
    server.reload(&format!("proxy-upstream = \"{}\"\n", upstream.address));
    assert_eq!(books().await.json()["total"], 0);
    server.reload("proxy-upstream = \"self\"\n");
    assert_eq!(books().await.json()["total"], 12);
}
