//! The file of settings, and the application made from it.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::{Next, from_fn},
    routing::any,
};
use serde::Deserialize;
use tower_hotswap::BoxError;
use tower_http::{limit::RequestBodyLimitLayer, services::ServeDir};

/// What the file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) version: semver::Version,
    static_root: PathBuf,
    max_body_bytes: usize,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    routes: BTreeMap<String, String>,
}

impl Settings {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, BoxError> {
        Ok(toml::from_str(std::str::from_utf8(text)?)?)
    }

    /// The application. Everything that can be wrong with the settings is found here, before it serves.
    pub(crate) fn application(self) -> Result<Router, BoxError> {
        if !self.static_root.is_dir() {
            let root = self.static_root.display();
            return Err(format!("static_root: {root} is not a folder").into());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
        }
        let mut app = Router::new();
        // A path that axum does not like panics, which refuses the settings, too.
        for (path, text) in self.routes {
            app = app.route(&path, any(|| async { text }));
        }
        let add_headers = move |request: Request, next: Next| {
            let headers = headers.clone();
            async move {
                let mut response = next.run(request).await;
                response.headers_mut().extend(headers);
                response
            }
        };
        Ok(app
            .fallback_service(ServeDir::new(self.static_root))
            .layer(RequestBodyLimitLayer::new(self.max_body_bytes))
            .layer(from_fn(add_headers)))
    }
}

/// The application of a text.
pub(crate) fn build(text: &[u8]) -> Result<Router, BoxError> {
    Settings::parse(text)?.application()
}

/// The version that a text says it is.
pub(crate) fn number(text: &[u8]) -> Option<semver::Version> {
    Settings::parse(text).ok().map(|settings| settings.version)
}
