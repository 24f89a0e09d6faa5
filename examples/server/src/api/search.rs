//! `/api/v1/search`, `/api/v1/stats` and `/api/v1/export/{table}.csv`: the shop as a whole.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::{Value, json};
use tower_pool::PooledJson as Answer;

use super::extract::{Path, Query};
use super::page::Page;
use super::resource::contains;
use crate::app::App;
use crate::problem::Problem;
use crate::store::Shop;

#[derive(Debug, Serialize)]
struct Hit<'a> {
    kind: &'static str,
    text: &'a str,
    href: String,
}

/// `GET /api/v1/search?q=`: authors, books and reviews that contain the text.
pub(super) async fn search(
    State(app): State<App>,
    Query(mut query): Query,
) -> Result<Response, Problem> {
    let page = Page::take(&mut query)?;
    let wanted = query
        .get("q")
        .map(|text| text.trim())
        .filter(|text| !text.is_empty());
    let Some(wanted) = wanted else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "say what to look for: ?q=baskerville",
        ));
    };
    // Only the hits of the page are copied.
    Ok(app.store.read(|shop| {
        let (items, total) = page.cut(hits(shop, wanted), Hit::from);
        page.respond(&items, total, &query)
    }))
}

/// A row that contains the text: its kind, its table, its id, and the text.
type Found<'a> = (&'static str, &'static str, u64, &'a str);

impl<'a> From<Found<'a>> for Hit<'a> {
    fn from((kind, table, id, text): Found<'a>) -> Self {
        let href = format!("/api/v1/{table}/{id}");
        Hit { kind, text, href }
    }
}

fn hits<'a>(shop: &'a Shop, wanted: &str) -> impl Iterator<Item = Found<'a>> {
    let authors = shop.authors.iter();
    let authors = authors.map(|row| ("author", "authors", row.id, &*row.fields.name));
    let books = shop.books.iter();
    let books = books.map(|row| ("book", "books", row.id, &*row.fields.title));
    let reviews = shop.reviews.iter();
    let reviews = reviews.map(|row| ("review", "reviews", row.id, &*row.fields.text));
    authors
        .chain(books)
        .chain(reviews)
        .filter(|(_, _, _, text)| contains(text, wanted))
}

/// `GET /api/v1/stats`
pub(super) async fn stats(State(app): State<App>) -> Answer<Value> {
    app.store.read(|shop| {
        let copies: u64 = shop
            .books
            .iter()
            .map(|row| u64::from(row.fields.stock))
            .sum();
        let ordered: u64 = shop.orders.iter().map(|row| row.fields.total_cents).sum();
        Answer(json!({
            "authors": shop.authors.len(),
            "books": shop.books.len(),
            "copies_in_stock": copies,
            "customers": shop.customers.len(),
            "orders": shop.orders.len(),
            "ordered_cents": ordered,
            "reviews": shop.reviews.len(),
        }))
    })
}

/// `GET /api/v1/export/{table}.csv` (RFC 4180)
pub(super) async fn export(
    State(app): State<App>,
    Path(table): Path<String>,
) -> Result<Response, Problem> {
    let csv = app.store.read(|shop| match table.as_str() {
        "authors" => Some(lines(
            "id,name,born",
            shop.authors.iter().map(|row| {
                let born = row
                    .fields
                    .born
                    .map_or(String::new(), |year| year.to_string());
                vec![row.id.to_string(), row.fields.name.clone(), born]
            }),
        )),
        "books" => Some(lines(
            "id,title,author_id,isbn,published,price_cents,stock",
            shop.books.iter().map(|row| {
                let book = &row.fields;
                let numbers = [
                    i64::from(book.published),
                    i64::from(book.price_cents),
                    i64::from(book.stock),
                ];
                let mut cells = vec![
                    row.id.to_string(),
                    book.title.clone(),
                    book.author_id.to_string(),
                    book.isbn.clone(),
                ];
                cells.extend(numbers.map(|number| number.to_string()));
                cells
            }),
        )),
        _ => None,
    });
    match csv {
        Some(csv) => Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response()),
        None => {
            let detail = format!("there is no export of {table:?}; there are authors and books");
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        }
    }
}

fn lines(head: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("{head}\r\n");
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| quote(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn csv_cells_are_quoted_where_rfc_4180_says() {
        for (cell, want) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(super::quote(cell), want, "{cell:?}");
        }
    }
}
