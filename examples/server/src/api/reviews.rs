//! `/api/v1/reviews`, and the same under a book.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::crud::{find, insert, list_where};
use super::extract::{Json, Path, Query};
use super::resource::{Resource, check_text, contains};
use crate::app::App;
use crate::problem::{Fault, Problem};
use crate::store::{Book, Review, Shop, Table};

impl Resource for Review {
    const SINGULAR: &'static str = "review";
    const PLURAL: &'static str = "reviews";
    const FILTERS: &'static [&'static str] = &["book_id", "rating", "reviewer"];

    fn table(shop: &Shop) -> &Table<Self> {
        &shop.reviews
    }

    fn table_mut(shop: &mut Shop) -> &mut Table<Self> {
        &mut shop.reviews
    }

    fn check(&self, shop: &Shop, _id: Option<u64>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if shop.books.get(self.book_id).is_none() {
            faults.push(Fault::new(
                "book_id",
                format!("there is no book {}", self.book_id),
            ));
        }
        check_text(&mut faults, "reviewer", &self.reviewer, 100);
        check_text(&mut faults, "text", &self.text, 2_000);
        if !(1..=5).contains(&self.rating) {
            faults.push(Fault::new("rating", "must be 1 to 5"));
        }
        faults
    }

    fn passes(&self, filter: &str, value: &str) -> bool {
        match filter {
            "book_id" => value.parse() == Ok(self.book_id),
            "rating" => value.parse() == Ok(self.rating),
            _ => contains(&self.reviewer, value),
        }
    }

    fn may_remove(_shop: &Shop, _id: u64) -> Result<(), Problem> {
        Ok(())
    }
}

/// `GET /api/v1/books/{id}/reviews`
pub(super) async fn of_book(
    State(app): State<App>,
    Path(id): Path<u64>,
    query: Query,
) -> Result<Response, Problem> {
    app.store.read(|shop| find::<Book>(shop, id).map(|_| ()))?;
    list_where::<Review>(&app, query, |review| review.book_id == id)
}

/// `POST /api/v1/books/{id}/reviews`: the book is the path's, whatever the body says.
pub(super) async fn create_of_book(
    State(app): State<App>,
    Path(id): Path<u64>,
    Json(mut fields): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    app.store.read(|shop| find::<Book>(shop, id).map(|_| ()))?;
    fields.insert("book_id".to_owned(), id.into());
    let review: Review = serde_json::from_value(Value::Object(fields))
        .map_err(|error| Problem::new(http::StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    insert(&app, review).await
}
