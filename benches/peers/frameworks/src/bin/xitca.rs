//! xitca-web.

use bench_peers::{Book, HELLO, arguments};
use xitca_web::{
    App,
    handler::{handler_service, json::Json, params::Params},
    route::get,
};

async fn hello() -> &'static str {
    HELLO
}

async fn book(Params(id): Params<u64>) -> Json<Book> {
    Json(Book::numbered(id))
}

fn main() -> std::io::Result<()> {
    let (address, _) = arguments();
    App::new()
        .at("/hello", get(handler_service(hello)))
        .at("/api/v1/books/{id}", get(handler_service(book)))
        .serve()
        .worker_threads(1)
        .bind(address)?
        .run()
        .wait()
}
