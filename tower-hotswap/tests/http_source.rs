//! A URL that is polled, and SIGHUP.
#![cfg(not(hotswap_loom))]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{Empty, Full};
use tower::service_fn;
use tower_hotswap::source::{HttpSource, Source};

/// What the server has: a tag and a content, or a status.
type Page = Arc<Mutex<Result<(&'static str, &'static str), u16>>>;

fn source(page: &Page, asked: &Arc<Mutex<Vec<u16>>>) -> impl Source {
    let (page, asked) = (page.clone(), asked.clone());
    let client = service_fn(move |request: Request<Empty<Bytes>>| {
        assert_eq!(request.uri(), "http://name:word@config.example/app?key=1");
        let known = request.headers().get(header::IF_NONE_MATCH).cloned();
        let response = match *page.lock().unwrap() {
            Ok((tag, _)) if known.is_some_and(|known| known == tag) => {
                Response::builder().status(304).body(Full::default())
            }
            Ok((tag, text)) => Response::builder()
                .header(header::ETAG, tag)
                .body(Full::from(text)),
            Err(status) => Response::builder().status(status).body(Full::from("no")),
        };
        let response = response.unwrap();
        asked.lock().unwrap().push(response.status().as_u16());
        async { Ok::<Response<Full<Bytes>>, Infallible>(response) }
    });
    let uri = Uri::from_static("http://name:word@config.example/app?key=1");
    HttpSource::<_, Empty<Bytes>>::new(client, uri, Duration::from_secs(60)).limit(10)
}

#[tokio::test(start_paused = true)]
async fn a_page_is_read_when_its_tag_changes() {
    let page: Page = Arc::new(Mutex::new(Ok(("\"1\"", "one"))));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut source = source(&page, &asked);
    let content = source.next().await.unwrap();
    assert_eq!(
        (&content.bytes[..], &*content.origin),
        (&b"one"[..], "http://config.example/app")
    );

    let changer = page.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(150)).await;
        *changer.lock().unwrap() = Ok(("\"2\"", "two"));
    });
    assert_eq!(source.next().await.unwrap().bytes, b"two");
    assert_eq!(*asked.lock().unwrap(), [200, 304, 304, 200]);

    // An error that lasts is told once.
    *page.lock().unwrap() = Err(503);
    let error = source.next().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "http://config.example/app was answered by status 503"
    );
    let changer = page.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(600)).await;
        *changer.lock().unwrap() = Ok(("\"3\"", "much too much"));
    });
    let error = source.next().await.unwrap_err().to_string();
    assert!(
        error.contains("larger than the limit of 10 bytes"),
        "{error}"
    );
    // What was too large is not taken for known.
    *page.lock().unwrap() = Ok(("\"3\"", "three"));
    assert_eq!(source.next().await.unwrap().bytes, b"three");
}

#[cfg(all(feature = "signal", unix))]
#[tokio::test]
async fn a_file_is_read_at_sighup() {
    use tower_hotswap::source::HangupSource;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("value");
    std::fs::write(&path, "one").unwrap();
    let mut source = HangupSource::new(&path).unwrap();
    assert_eq!(source.next().await.unwrap().bytes, b"one");
    let hangup = || {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap()
    };
    std::fs::write(&path, "two").unwrap();
    hangup();
    assert_eq!(source.next().await.unwrap().bytes, b"two");
    std::fs::remove_file(&path).unwrap();
    hangup();
    assert!(source.next().await.is_err());
}
