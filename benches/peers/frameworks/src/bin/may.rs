//! may_minihttp: it reads the path and hands out the fields unparsed, so it does less than the others.

use std::io;

use bench_peers::{Book, HELLO, arguments};
use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Books;

impl HttpService for Books {
    fn call(&mut self, request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        if request.path() == "/hello" {
            response.header("content-type: text/plain; charset=utf-8");
            response.body(HELLO);
            return Ok(());
        }
        let id = request
            .path()
            .strip_prefix("/api/v1/books/")
            .and_then(|id| id.parse().ok());
        match id {
            Some(id) => {
                response.header("content-type: application/json");
                let json = serde_json::to_vec(&Book::numbered(id))?;
                response.body_mut().extend_from_slice(&json);
            }
            None => {
                response.status_code(404, "Not Found");
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let (address, _) = arguments();
    may::config().set_workers(1);
    let server = HttpServer(Books).start(address)?;
    server.join().map_err(|_| io::Error::other("the server's coroutine panicked"))
}
