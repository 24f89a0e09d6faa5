//! `/api/v1/covers`: a book's cover, drawn from its title.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::crud::find;
use super::extract::Path;
use crate::app::App;
use crate::problem::Problem;
use crate::store::{Book, Genre};

/// `GET /api/v1/covers/{id}-{width}.svg`
pub(super) async fn show(
    State(app): State<App>,
    Path((id, width)): Path<(u64, u16)>,
) -> Result<Response, Problem> {
    if !(40..=800).contains(&width) {
        let detail = format!("a cover {width} pixels wide is not drawn; ask for 40 to 800");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let svg = app.store.read(|shop| {
        let book = &find::<Book>(shop, id)?.fields;
        let author = shop
            .authors
            .get(book.author_id)
            .map_or("", |row| row.fields.name.as_str());
        Ok::<_, Problem>(draw(book, author, width))
    })?;
    Ok(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

fn draw(book: &Book, author: &str, width: u16) -> String {
    let (dark, light) = match book.genre {
        Genre::Classic => ("#7a2e2e", "#f3e3cf"),
        Genre::Computing => ("#1f4e5f", "#d8eef0"),
        Genre::Mystery => ("#2d2a4a", "#e4e0f5"),
        Genre::Science => ("#2f5d3a", "#e0f0dc"),
    };
    let mut lines = vec![String::new()];
    for word in book.title.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.len() + word.len() > 13 {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    let title: String = lines
        .iter()
        .enumerate()
        .map(|(row, line)| {
            format!(
                r#"<text x="60" y="{}">{}</text>"#,
                52 + row * 15,
                escape_xml(line)
            )
        })
        .collect();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 120 180">
<rect width="120" height="180" rx="4" fill="{dark}"/><rect x="8" width="2" height="180" fill="#0003"/>
<rect x="16" y="30" width="92" height="1.5" fill="{light}"/><rect x="16" y="138" width="92" height="1.5" fill="{light}"/>
<g fill="{light}" font-family="Georgia, serif" font-size="12" text-anchor="middle">{title}<text x="60" y="156" font-size="8">{author}</text></g>
</svg>
"##,
        height = u32::from(width) * 3 / 2,
        author = escape_xml(author),
    )
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
