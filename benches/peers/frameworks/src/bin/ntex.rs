//! ntex.

use bench_peers::{Book, HELLO, arguments};
use ntex::web::{self, App, HttpServer, types};

async fn hello() -> &'static str {
    HELLO
}

async fn book(id: types::Path<u64>) -> types::Json<Book> {
    types::Json(Book::numbered(*id))
}

#[ntex::main]
async fn main() -> std::io::Result<()> {
    let (address, _) = arguments();
    let app = async || {
        App::new()
            .route("/hello", web::get().to(hello))
            .route("/api/v1/books/{id}", web::get().to(book))
    };
    HttpServer::new(app)
        .workers(1)
        .bind(address)?
        .run()
        .await
}
