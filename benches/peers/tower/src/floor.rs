//! Where a server on tokio ends: it reads, counts blank lines, and writes the same bytes for each.
//!
//! It knows no method, no path, no field and no body, so it is a server for nobody; it is here for what is left when all of
//! HTTP is left out, which is the kernel's work and the runtime's. What it is asked in several pieces, or several times at once, it
//! answers rightly all the same.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What is answered to everything.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 13\r\n\r\n\
    Hello, World!";
/// What ends the head of a request, and so a request without a body.
const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// Answers whoever connects, for ever.
pub(crate) async fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut piece = [0; 8192];
    let mut responses = Vec::new();
    let mut seen = 0;
    loop {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        responses.clear();
        for _ in 0..requests(&piece[..length], &mut seen) {
            responses.extend_from_slice(RESPONSE);
        }
        stream.write_all(&responses).await?;
    }
}

/// How many requests end in this piece; `seen` is how much of a blank line ended the piece before.
fn requests(piece: &[u8], seen: &mut usize) -> usize {
    let mut requests = 0;
    for &byte in piece {
        *seen = match byte {
            _ if byte == BLANK_LINE[*seen] => *seen + 1,
            // A line's end may begin anew.
            b'\r' => 1,
            _ => 0,
        };
        if *seen == BLANK_LINE.len() {
            *seen = 0;
            requests += 1;
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_wherever_they_are_cut() {
        let text = b"GET / HTTP/1.1\r\nhost: a\r\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut seen = 0;
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let counted: usize = pieces.iter().map(|piece| requests(piece, &mut seen)).sum();
                assert_eq!((counted, seen), (2, 0), "cut at {first} and {second}");
            }
        }
    }
}
