//! An upstream, and the connections to it that a pool keeps. It answers each line with the line reversed.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};
use tower_pool::Manage;

/// Makes and judges connections.
pub(crate) struct Upstream(SocketAddr);

/// A connection to the upstream.
pub(crate) struct Connection(BufStream<TcpStream>);

impl Upstream {
    /// Starts the upstream in this process.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that breaks is the client's to replace.
                tokio::spawn(answer(stream));
            }
        });
        Ok(Self(address))
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let reversed: String = line.trim_end().chars().rev().collect();
        stream.write_all(reversed.as_bytes()).await?;
        stream.write_all(b"\n").await?;
        stream.flush().await?;
        line.clear();
    }
    Ok(())
}

impl Connection {
    /// Sends a line and waits for the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> io::Result<String> {
        let line: String = text.chars().filter(|&c| c != '\n').collect();
        self.0.write_all(line.as_bytes()).await?;
        self.0.write_all(b"\n").await?;
        self.0.flush().await?;
        let mut answer = String::new();
        if self.0.read_line(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

impl Manage<Connection> for Upstream {
    type Error = io::Error;

    async fn create(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(self.0).await?;
        Ok(Connection(BufStream::new(stream)))
    }

    async fn validate(&self, connection: &mut Connection) -> bool {
        // An idle connection has nothing to say: bytes or an end mean that it is of no use.
        let read = connection.0.get_ref().try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
