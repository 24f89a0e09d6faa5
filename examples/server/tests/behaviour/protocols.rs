//! HTTP/1.1 and HTTP/2 on one port.

use std::io::{Read, Write};
use std::net::TcpStream;

use http::{Method, Version};

use crate::client::Client;
use crate::process::Server;

#[tokio::test]
async fn both_versions_answer_alike_on_one_port() {
    let server = Server::start(&[]);
    let (http1, http2) = (Client::http1(server.address), Client::http2(server.address));
    for path in ["/", "/api/v1/books?limit=3", "/api/v1/books/1", "/nothing"] {
        let (old, new) = (http1.get(path).await, http2.get(path).await);
        assert_eq!(
            (old.version, new.version),
            (Version::HTTP_11, Version::HTTP_2),
            "{path}"
        );
        assert_eq!((old.status, old.body), (new.status, new.body), "{path}");
    }
}

#[tokio::test]
async fn many_streams_share_a_connection() {
    let server = Server::start(&[]);
    let client = Client::http2(server.address);
    // The first request opens the connection that the others use.
    client.get("/healthz").await;
    let client = std::sync::Arc::new(client);
    let requests = (1..=12).map(|id| {
        let client = client.clone();
        tokio::spawn(async move {
            client.get(&format!("/api/v1/books/{id}")).await.json()["id"].clone()
        })
    });
    for (request, id) in requests.collect::<Vec<_>>().into_iter().zip(1..) {
        assert_eq!(request.await.unwrap(), id);
    }
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let server = Server::start(&[]);
    let client = Client::http1(server.address);
    for path in ["/api/v1/books/1", "/", "/api/v1/covers/1-40.svg"] {
        let get = client.get(path).await;
        let head = client.send(Method::HEAD, path, &[], None).await;
        assert_eq!(
            (head.status, head.body.as_str()),
            (get.status, ""),
            "{path}"
        );
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let requests: String = (1..=3)
        .map(|id| {
            let close = if id == 3 { "Connection: close\r\n" } else { "" };
            format!("GET /api/v1/authors/{id} HTTP/1.1\r\nHost: x\r\n{close}\r\n")
        })
        .collect();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let places: Vec<_> = ["\"id\":1", "\"id\":2", "\"id\":3"]
        .iter()
        .map(|id| answers.find(id))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?} in {answers}"
    );
}
