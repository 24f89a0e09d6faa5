//! Turning a connection away so that the client understands it.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::Transport;

/// How long a refused client may take to read its answer and close.
const LINGER: Duration = Duration::from_secs(1);

/// What a refused client may still send without being reset: a request with its head.
const UNREAD: usize = 64 << 10;

/// Answers 503 and closes in order.
///
/// Closing a socket with unread bytes resets it, and a reset may overtake the answer. So the answer is followed by an end of
/// file, and what the client had on its way is read away until it closes, too.
pub(crate) async fn unavailable<S: Transport>(mut io: S, retry_after: u32) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {retry_after}\r\nConnection: close\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let linger = async {
        io.write_all(answer.as_bytes()).await?;
        io.shutdown().await?;
        let mut waste = [0; 1024];
        let mut read = 0;
        while read < UNREAD {
            match io.read(&mut waste).await? {
                0 => break,
                count => read += count,
            }
        }
        io::Result::Ok(())
    };
    if timeout(LINGER, linger).await.is_err() {
        io.set_reset();
    }
}

/// Resets it.
pub(crate) fn reset<S: Transport>(io: S) {
    io.set_reset();
}
