//! An application whose routes, limit, headers, static root and certificates follow their files.
//!
//! ```text
//! cargo run -p hot-reload -- examples/hot-reload/app.toml
//! curl -i http://127.0.0.1:3000/
//! sed -i 's/World/reader/; s/1.0.0/1.1.0/' examples/hot-reload/app.toml      # and ask again
//! curl http://127.0.0.1:3001/snapshots                                       # versions
//! curl http://127.0.0.1:3001/snapshots/<id>/diff/current
//! curl -H 'content-type: application/json' -d '{"to": "<id>"}' http://127.0.0.1:3001/rollback
//! curl -N http://127.0.0.1:3001/events
//! ```
//!
//! With a folder of `*.pem` files (a chain and its key) as the second argument it serves TLS, and follows that, too. SIGHUP
//! reads the settings again, in case the file system does not tell of changes.
#![forbid(unsafe_code)]

mod settings;

use std::{net::SocketAddr, path::PathBuf};

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tower_hotswap::{
    BoxError, Event, Handle, Recipe, Version,
    admin::Admin,
    source::{FileSource, HangupSource},
    tls::{Certificates, HotTls, HotTlsListener},
};

const LISTEN: &str = "127.0.0.1:3000";
const ADMIN: &str = "127.0.0.1:3001";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let file = arguments
        .next()
        .ok_or("usage: hot-reload SETTINGS.toml [FOLDER-OF-PEM]")?;
    let text = std::fs::read(&file)?;
    let version = Version::new(settings::Settings::parse(&text)?.version, &text);
    let handle = Handle::builder(settings::build(&text)?, version)
        .origin(file.display().to_string())
        .content(text)
        .build();
    tokio::spawn(tell(handle.clone()));

    let recipe = Recipe::new(settings::build).numbered(settings::number);
    let _follower = handle.follow(FileSource::new(&file)?, recipe.clone());
    let _hangups = handle.follow(HangupSource::new(&file)?, recipe.clone());

    let admin = Admin::new(handle.clone(), recipe).router()?;
    let admin = admin.into_make_service_with_connect_info::<SocketAddr>();
    let admin_listener = TcpListener::bind(ADMIN).await?;
    tokio::spawn(async { axum::serve(admin_listener, admin).await });
    println!("serving {LISTEN}, http://{ADMIN}/snapshots shows what");

    let listener = TcpListener::bind(LISTEN).await?;
    let app = handle.service();
    match arguments.next() {
        None => axum::serve(listener, app.into_make_service()).await?,
        Some(folder) => {
            let (tls, _certificates) = encrypt(&folder).await?;
            let listener = HotTlsListener::new(listener, tls).tap_io(|_| {});
            axum::serve(listener, app.into_make_service()).await?;
        }
    }
    Ok(())
}

/// TLS by the certificates of a folder, followed from now on.
async fn encrypt(folder: &std::path::Path) -> Result<(HotTls, impl Sized), BoxError> {
    use tower_hotswap::source::Source;
    let build = |text: &[u8]| Ok(Certificates::builder().pem(text, text)?.build()?);
    let mut source = FileSource::folder(folder, "pem")?;
    let text = source.next().await?.bytes;
    let tls = HotTls::new(build(&text)?, Version::parse("1.0.0", &text)?)?;
    for warning in tls.certificates().current().value().warnings() {
        eprintln!("attention: {warning}");
    }
    tokio::spawn(tell(tls.certificates().clone()));
    let follower = tls
        .certificates()
        .follow(source, Recipe::new(build).secret());
    Ok((tls, follower))
}

/// Prints what happens.
async fn tell<T: Send + Sync + 'static>(handle: Handle<T>) {
    let mut events = handle.events();
    while let Ok(event) = events.recv().await {
        match &event {
            Event::Rejected { origin, error } => eprintln!("rejected: {origin}: {error}"),
            _ => {
                let version = event.snapshot().map(|snapshot| snapshot.version.short());
                println!("{}: {}", event.name(), version.unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use axum::{Router, body::Body, http::Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    fn text(version: &str, greeting: &str, limit: usize, root: &std::path::Path) -> String {
        format!(
            "version = \"{version}\"\nstatic_root = {root:?}\nmax_body_bytes = {limit}\n\
             [headers]\nx-number = \"{version}\"\n[routes]\n\"/\" = \"{greeting}\"\n"
        )
    }

    async fn ask(handle: &Handle<Router>, path: &str, body: &str) -> (u16, String, String) {
        let request = Request::post(path).header("content-length", body.len());
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = handle.service().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let number = response.headers()["x-number"].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, number, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn routes_limits_headers_and_root_follow_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.toml");
        let first = text("1.0.0", "one", 10, folder.path());
        fs::write(&file, &first).unwrap();
        let version = Version::parse("1.0.0", first.as_bytes()).unwrap();
        let handle = Handle::builder(settings::build(first.as_bytes()).unwrap(), version).build();
        let (mut changes, mut events) = (handle.changes(), handle.events());
        let recipe = Recipe::new(settings::build).numbered(settings::number);
        let _follower = handle.follow(FileSource::new(&file).unwrap(), recipe);
        assert_eq!(
            ask(&handle, "/", "small").await,
            (200, "1.0.0".into(), "one".into())
        );

        fs::write(&file, text("1.1.0", "two", 3, folder.path())).unwrap();
        assert_eq!(
            changes.next().await.unwrap().version.number().to_string(),
            "1.1.0"
        );
        assert_eq!(
            ask(&handle, "/", "").await,
            (200, "1.1.0".into(), "two".into())
        );
        assert_eq!(ask(&handle, "/", "small").await.0, 413);

        let missing = folder.path().join("missing");
        fs::write(&file, text("1.2.0", "three", 3, &missing)).unwrap();
        let error = loop {
            if let Event::Rejected { error, .. } = events.recv().await.unwrap() {
                break error.to_string();
            }
        };
        assert!(error.contains("missing is not a folder"), "{error}");
        handle.rollback(handle.history()[1].info()).unwrap();
        assert_eq!(
            ask(&handle, "/", "small").await,
            (200, "1.0.0".into(), "one".into())
        );
    }
}
