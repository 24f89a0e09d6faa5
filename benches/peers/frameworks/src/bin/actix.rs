//! actix-web.

use actix_web::{App, HttpServer, Responder, get, rt, web};
use bench_peers::{Book, HELLO, arguments};

#[get("/hello")]
async fn hello() -> &'static str {
    HELLO
}

#[get("/api/v1/books/{id}")]
async fn book(id: web::Path<u64>) -> impl Responder {
    web::Json(Book::numbered(*id))
}

fn main() -> std::io::Result<()> {
    let (address, words) = arguments();
    let app = || App::new().service(hello).service(book);
    let server = HttpServer::new(app).workers(1);
    let server = if words.iter().any(|word| word == "h2c") {
        server.bind_auto_h2c(address)?
    } else {
        server.bind(address)?
    };
    rt::System::new().block_on(server.run())
}
