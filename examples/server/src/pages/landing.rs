//! `GET /`: what runs here, with a link to everything. One page without scripts; the covers on it are
//! drawn by the API.

use axum::extract::State;
use axum::response::{Html, IntoResponse};
use http::header::{CONTENT_SECURITY_POLICY, HOST};
use http::{HeaderMap, Uri};

use super::routes::Route;
use crate::app::App;
use crate::store::Shop;

const PAGE: &str = include_str!("landing.html");
/// The page has its own style and the covers, no scripts: nothing that a title could smuggle in runs.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'";
/// Books on the page.
const SHELF: usize = 12;

pub(super) async fn show(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> impl IntoResponse {
    // HTTP/2 has it in the URI, HTTP/1.1 in a header.
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = authority
        .or_else(|| headers.get(HOST)?.to_str().ok())
        .unwrap_or("127.0.0.1:3000");
    let routes = app.routes.get().map_or(&[][..], |list| &list.routes);
    let methods: usize = routes.iter().map(|route| route.methods.len()).sum();
    let page = PAGE
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{routes}}", &routes.len().to_string())
        .replace("{{methods}}", &methods.to_string())
        .replace("{{table}}", &routes.iter().map(row).collect::<String>())
        .replace("{{host}}", &escape(host))
        // Last, as titles are the visitors' and may spell a placeholder.
        .replace("{{shelf}}", &app.store.read(shelf));
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page))
}

fn shelf(shop: &Shop) -> String {
    let books = shop.books.iter().take(SHELF).map(|row| {
        let author = shop.authors.get(row.fields.author_id).map_or("", |row| row.fields.name.as_str());
        format!(
            "<a href=\"/api/v1/books/{id}\"><img src=\"/api/v1/covers/{id}-240.svg\" alt=\"\" loading=\"lazy\">\
             <b>{title}</b><span>{author}, {year}</span></a>\n",
            id = row.id,
            title = escape(&row.fields.title),
            author = escape(author),
            year = row.fields.published,
        )
    });
    books.collect()
}

fn row(route: &Route) -> String {
    let path = escape(&route.path);
    let cell = match example(&route.path) {
        Some(target) if route.methods.iter().any(|method| method == "GET") => {
            format!("<a href=\"{target}\"><code>{path}</code></a>")
        }
        _ => format!("<code>{path}</code>"),
    };
    let methods = route.methods.iter().map(|method| {
        let class = method.to_lowercase();
        format!("<i class=\"{class}\">{method}</i>")
    });
    format!(
        "<tr><th scope=\"row\">{cell}</th><td>{}</td></tr>\n",
        methods.collect::<String>()
    )
}

/// A path that the pattern matches and the demo data has, if the parameters' names are known here.
fn example(pattern: &str) -> Option<String> {
    // Endless, for WebSockets, and empty until somebody uploads.
    if ["/events", "/echo", "/uploads/{id:alnum}"].contains(&pattern) {
        return None;
    }
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((literal, parameter)) = rest.split_once('{') {
        let (parameter, after) = parameter.split_once('}')?;
        path.push_str(literal);
        path.push_str(match parameter.split(':').next()? {
            "id" => "1",
            "width" => "240",
            "isbn" => "9780141439471",
            "from" => "1800",
            "to" => "1850",
            "genre" => "classic",
            "table" => "books",
            "name" => "Ada",
            "*path" => "healthz",
            "*__nest_tail" => "index.html",
            _ => return None,
        });
        rest = after;
    }
    path.push_str(rest);
    if path == "/api/v1/search" {
        path.push_str("?q=the");
    }
    Some(path)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn examples_fill_every_parameter() {
        let cases = [
            ("/healthz", Some("/healthz")),
            (
                "/api/v1/books/{id:u64}/stock",
                Some("/api/v1/books/1/stock"),
            ),
            (
                "/api/v1/covers/{id:u64}-{width:u16}.svg",
                Some("/api/v1/covers/1-240.svg"),
            ),
            ("/api/v1/{unknown}", None),
        ];
        for (pattern, want) in cases {
            assert_eq!(super::example(pattern).as_deref(), want, "{pattern}");
        }
    }
}
