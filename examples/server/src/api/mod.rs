//! The JSON API under `/api/v1`: which path goes to which handler (tower-trie-router), whose bodies come from and go into
//! pooled memory (tower-pool).

mod authors;
mod books;
mod covers;
mod crud;
mod customers;
mod etag;
mod extract;
mod openapi;
mod orders;
mod page;
mod resource;
mod reviews;
mod search;

use axum::Json;
use serde_json::{Value, json};
use tower_trie_router::TrieRouter;
use tower_trie_router::routing::{MethodRoutes, get, post};

use crate::app::App;
use crate::store::{Author, Book, Customer, Review};

/// Every route of the API, relative to its mount.
pub(crate) fn routes() -> TrieRouter<App> {
    TrieRouter::new()
        .route("/", get(index))
        .route(
            "/authors",
            get(crud::list::<Author>).post(crud::create::<Author>),
        )
        .route("/authors/{id:u64}", row::<Author>())
        .route("/authors/{id:u64}/books", get(authors::books))
        .route("/books", get(crud::list::<Book>).post(crud::create::<Book>))
        .route("/books/{id:u64}", row::<Book>())
        .route(
            "/books/{id:u64}/reviews",
            get(reviews::of_book).post(reviews::create_of_book),
        )
        .route(
            "/books/{id:u64}/stock",
            get(books::stock).put(books::set_stock),
        )
        .route("/books/isbn/{isbn:digit}", get(books::by_isbn))
        .route(
            "/books/published/{from:i32}-{to:i32}",
            get(books::published),
        )
        .route("/covers/{id:u64}-{width:u16}.svg", get(covers::show))
        .route(
            "/customers",
            get(crud::list::<Customer>).post(crud::create::<Customer>),
        )
        .route("/customers/{id:u64}", row::<Customer>())
        .route("/customers/{id:u64}/orders", get(customers::orders))
        .route("/export/{table:alpha}.csv", get(search::export))
        .route("/genres", get(books::genres))
        .route("/genres/{genre:[a-z]+}", get(books::of_genre))
        .route("/openapi.json", get(openapi::show))
        .route("/orders", get(orders::list).post(orders::place))
        .route("/orders/{id:u64}", get(orders::read).delete(orders::remove))
        .route("/orders/{id:u64}/pay", post(orders::pay))
        .route("/orders/{id:u64}/ship", post(orders::ship))
        .route("/orders/{id:u64}/cancel", post(orders::cancel))
        .route("/orders/{id:u64}/invoice.txt", get(orders::invoice))
        .route(
            "/reviews",
            get(crud::list::<Review>).post(crud::create::<Review>),
        )
        .route("/reviews/{id:u64}", row::<Review>())
        .route("/search", get(search::search))
        .route("/stats", get(search::stats))
}

/// The four methods of one row.
fn row<R: resource::Resource>() -> MethodRoutes<App> {
    get(crud::read::<R>)
        .put(crud::replace::<R>)
        .patch(crud::patch::<R>)
        .delete(crud::remove::<R>)
}

/// `GET /api/v1`: where to go from here.
async fn index() -> Json<Value> {
    Json(json!({
        "authors": "/api/v1/authors",
        "books": "/api/v1/books",
        "customers": "/api/v1/customers",
        "document": "/api/v1/openapi.json",
        "genres": "/api/v1/genres",
        "orders": "/api/v1/orders",
        "reviews": "/api/v1/reviews",
        "search": "/api/v1/search?q=the",
        "stats": "/api/v1/stats",
        "routes": "/_routes",
    }))
}
