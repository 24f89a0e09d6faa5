//! `/api/v1/authors`

use axum::extract::State;
use axum::response::Response;

use super::crud::{find, list_where};
use super::extract::{Path, Query};
use super::resource::{Resource, check_text, contains};
use crate::app::App;
use crate::problem::{Fault, Problem};
use crate::store::{Author, Book, Shop, Table};

impl Resource for Author {
    const SINGULAR: &'static str = "author";
    const PLURAL: &'static str = "authors";
    const FILTERS: &'static [&'static str] = &["name"];

    fn table(shop: &Shop) -> &Table<Self> {
        &shop.authors
    }

    fn table_mut(shop: &mut Shop) -> &mut Table<Self> {
        &mut shop.authors
    }

    fn check(&self, _shop: &Shop, _id: Option<u64>) -> Vec<Fault> {
        let mut faults = Vec::new();
        check_text(&mut faults, "name", &self.name, 100);
        faults
    }

    fn passes(&self, _filter: &str, value: &str) -> bool {
        contains(&self.name, value)
    }

    fn may_remove(shop: &Shop, id: u64) -> Result<(), Problem> {
        let books = shop
            .books
            .iter()
            .filter(|book| book.fields.author_id == id)
            .count();
        if books == 0 {
            return Ok(());
        }
        Err(Problem::conflict(format!(
            "author {id} has {books} books here; delete those first"
        )))
    }
}

/// `GET /api/v1/authors/{id}/books`
pub(super) async fn books(
    State(app): State<App>,
    Path(id): Path<u64>,
    query: Query,
) -> Result<Response, Problem> {
    app.store
        .read(|shop| find::<Author>(shop, id).map(|_| ()))?;
    list_where::<Book>(&app, query, |book| book.author_id == id)
}
