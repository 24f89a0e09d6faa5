//! What the gate holds: a request for a cached file, from the request to a response with its body.

use std::{
    fs,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use http::Request;
use http_body::Body as HttpBody;
use tower_service::Service;
use tower_zerocopy_fs::ServeFiles;

use crate::hot::{HotPath, Pass};

const REQUESTS: usize = 100;

pub(super) fn paths() -> Result<Vec<HotPath>, String> {
    type Fields = &'static [(&'static str, &'static str)];
    const BROWSER: Fields = &[
        ("host", "localhost"),
        ("user-agent", "bench"),
        ("accept", "text/html,*/*;q=0.8"),
        ("accept-encoding", "gzip, br"),
    ];
    let cases: [(&str, Fields); 3] = [
        ("a cached file of 1 KiB", &[]),
        (
            "a cached file of 1 KiB that is not modified",
            &[("if-none-match", "*")],
        ),
        (
            "a range of a cached file of 1 KiB",
            &[("range", "bytes=10-99")],
        ),
    ];
    let path = |(name, fields): (&str, Fields)| {
        HotPath::new(name, REQUESTS, move || pass([BROWSER, fields].concat()))
    };
    Ok(cases.into_iter().map(path).collect())
}

fn pass(fields: Vec<(&'static str, &'static str)>) -> Pass {
    let site = Arc::new(Folder::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap_or_else(|e| panic!("no runtime: {e}"));
    let mut files = ServeFiles::new(&site.0).revalidate_after(Duration::from_secs(86_400));
    let request = move || {
        let request = Request::get("/file.txt");
        let request = fields
            .iter()
            .fold(request, |r, (name, value)| r.header(*name, *value));
        request
            .body(())
            .unwrap_or_else(|e| panic!("a good request: {e}"))
    };
    // Once by the blocking pool; from then on the answer is there at once.
    runtime.block_on(one(&mut files, request()));
    Box::new(move || {
        let _site = &site;
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                one(&mut files, request()).await;
            }
        });
    })
}

/// The response and the first frame of its body.
async fn one(files: &mut ServeFiles, request: Request<()>) {
    let Ok(mut response) = files.call(request).await;
    let mut body = pin!(response.body_mut());
    let mut context = Context::from_waker(Waker::noop());
    let _ = black_box(body.as_mut().poll_frame(&mut context));
}

/// A folder with one file, deleted at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Self {
        let folder =
            std::env::temp_dir().join(format!("tower-zerocopy-fs-hot-{}", std::process::id()));
        let made = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("file.txt"), vec![b'x'; 1024]));
        made.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
