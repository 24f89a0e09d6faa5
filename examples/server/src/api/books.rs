//! `/api/v1/books` and `/api/v1/genres`

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_pool::PooledJson as Answer;

use super::crud::{find, list_where, one};
use super::extract::{Json, Path, Query};
use super::resource::{Resource, check_text, contains};
use crate::app::App;
use crate::problem::{Fault, Problem};
use crate::store::{Book, Genre, Shop, Table};

impl Resource for Book {
    const SINGULAR: &'static str = "book";
    const PLURAL: &'static str = "books";
    const FILTERS: &'static [&'static str] = &["author_id", "genre", "title"];

    fn table(shop: &Shop) -> &Table<Self> {
        &shop.books
    }

    fn table_mut(shop: &mut Shop) -> &mut Table<Self> {
        &mut shop.books
    }

    fn check(&self, shop: &Shop, id: Option<u64>) -> Vec<Fault> {
        let mut faults = Vec::new();
        check_text(&mut faults, "title", &self.title, 200);
        if shop.authors.get(self.author_id).is_none() {
            faults.push(Fault::new(
                "author_id",
                format!("there is no author {}", self.author_id),
            ));
        }
        if !is_isbn(&self.isbn) {
            let detail =
                "must be an ISBN-13: 13 digits without hyphens, the last one the right check digit";
            faults.push(Fault::new("isbn", detail));
        } else if let Some(other) = shop.books.iter().find(|row| row.fields.isbn == self.isbn)
            && Some(other.id) != id
        {
            faults.push(Fault::new(
                "isbn",
                format!("is book {}'s already", other.id),
            ));
        }
        faults
    }

    fn passes(&self, filter: &str, value: &str) -> bool {
        match filter {
            "author_id" => value.parse() == Ok(self.author_id),
            "genre" => self.genre.name() == value,
            _ => contains(&self.title, value),
        }
    }

    fn may_remove(shop: &Shop, id: u64) -> Result<(), Problem> {
        let ordered =
            |order: &crate::store::Order| order.lines.iter().any(|line| line.book_id == id);
        match shop.orders.iter().find(|order| ordered(&order.fields)) {
            None => Ok(()),
            Some(order) => Err(Problem::conflict(format!(
                "book {id} is in order {}",
                order.id
            ))),
        }
    }

    fn removed(shop: &mut Shop, id: u64) {
        shop.reviews.retain(|review| review.book_id != id);
    }
}

/// ISBN-13: the digits weighted 1, 3, 1, 3, ... sum to a multiple of ten.
fn is_isbn(text: &str) -> bool {
    let digits = text.bytes().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    let weighted = digits
        .clone()
        .zip([1, 3].into_iter().cycle())
        .map(|(digit, weight)| digit * weight);
    text.len() == 13
        && digits.clone().all(|digit| digit < 10)
        && weighted.sum::<u32>().is_multiple_of(10)
}

/// `GET /api/v1/books/isbn/{isbn}`
pub(super) async fn by_isbn(
    State(app): State<App>,
    Path(isbn): Path<String>,
) -> Result<Response, Problem> {
    app.store.read(|shop| {
        let row = shop.books.iter().find(|row| row.fields.isbn == isbn);
        row.map(one).ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                format!("there is no book with ISBN {isbn}"),
            )
        })
    })
}

/// `GET /api/v1/books/published/{from}-{to}`
pub(super) async fn published(
    State(app): State<App>,
    Path((from, to)): Path<(i32, i32)>,
    query: Query,
) -> Result<Response, Problem> {
    list_where::<Book>(&app, query, |book| (from..=to).contains(&book.published))
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stock {
    stock: u32,
}

/// `GET /api/v1/books/{id}/stock`
pub(super) async fn stock(
    State(app): State<App>,
    Path(id): Path<u64>,
) -> Result<Answer<Stock>, Problem> {
    app.store.read(|shop| {
        find::<Book>(shop, id).map(|row| {
            Answer(Stock {
                stock: row.fields.stock,
            })
        })
    })
}

/// `PUT /api/v1/books/{id}/stock`
pub(super) async fn set_stock(
    State(app): State<App>,
    Path(id): Path<u64>,
    Json(Stock { stock }): Json<Stock>,
) -> Result<Answer<Stock>, Problem> {
    app.store
        .write(|shop| {
            let row = shop.books.update(id, |book| book.stock = stock);
            row.map(|_| Answer(Stock { stock }))
                .ok_or_else(|| Problem::missing(Book::SINGULAR, id))
        })
        .await
}

/// `GET /api/v1/genres`
pub(super) async fn genres(State(app): State<App>) -> Answer<Vec<serde_json::Value>> {
    app.store.read(|shop| {
        let count = |genre| {
            shop.books
                .iter()
                .filter(|row| row.fields.genre == genre)
                .count()
        };
        let row = |genre: Genre| serde_json::json!({ "genre": genre, "books": count(genre) });
        Answer(Genre::ALL.into_iter().map(row).collect())
    })
}

/// `GET /api/v1/genres/{genre}`
pub(super) async fn of_genre(
    State(app): State<App>,
    Path(name): Path<String>,
    query: Query,
) -> Result<Response, Problem> {
    let Some(genre) = Genre::named(&name) else {
        let known: Vec<_> = Genre::ALL.into_iter().map(Genre::name).collect();
        let detail = format!("there is no genre {name:?}; there are {}", known.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    };
    list_where::<Book>(&app, query, |book| book.genre == genre)
}

#[cfg(test)]
mod tests {
    #[test]
    fn isbn_check_digits() {
        let cases = [
            ("9780141439471", true),
            ("9780306406157", true),
            ("9780306406158", false),
            ("978030640615", false),
            ("97803064061570", false),
            ("978-030640615", false),
            ("", false),
        ];
        for (text, want) in cases {
            assert_eq!(super::is_isbn(text), want, "{text:?}");
        }
    }
}
