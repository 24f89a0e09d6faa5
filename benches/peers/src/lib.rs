//! What all servers have in common: the answers, the allocator, the address, and an end that comes with the driver's.
//!
//! Each answers `GET /hello` with 13 bytes of text and `GET /api/v1/books/{id}` with a book as JSON, made by serde
//! from the number in the path. Each has one worker.

#![forbid(unsafe_code)]

use std::{env, io::Read, net::SocketAddr, process, thread};

use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What `/hello` answers.
pub const HELLO: &str = "Hello, World!";

/// What `/api/v1/books/{id}` answers.
#[derive(Debug, Serialize)]
pub struct Book {
    /// The number in the path.
    pub id: u64,
    /// A title.
    pub title: &'static str,
    /// An author.
    pub author: &'static str,
    /// A price.
    pub cents: u32,
}

impl Book {
    /// The book of that number.
    pub const fn numbered(id: u64) -> Self {
        Self {
            id,
            title: "The Rust Programming Language",
            author: "Steve Klabnik and Carol Nichols",
            cents: 3_995,
        }
    }
}

/// The address to listen on, which is the first argument, and the words after it. From now on the process ends with
/// its standard input.
pub fn arguments() -> (SocketAddr, Vec<String>) {
    let mut words = env::args().skip(1);
    let address = words.next().and_then(|word| word.parse().ok());
    let Some(address) = address else {
        eprintln!("the first argument is the address to listen on, such as 127.0.0.1:3000");
        process::exit(2);
    };
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    (address, words.collect())
}
