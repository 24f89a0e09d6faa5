//! One keep-alive connection that fetches a file again and again.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::{RecvFlags, recv};

/// Longer than any answer may take; a server that hangs is an error of the run.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    scratch: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, file: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            request: format!("GET /{file} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes(),
            scratch: vec![0; 1 << 20],
        })
    }

    pub(super) fn fetch(&mut self, len: usize) -> io::Result<()> {
        self.send()?;
        self.receive(len)
    }

    pub(super) fn send(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.request)
    }

    /// Reads an answer whose body must be of `len` bytes.
    pub(super) fn receive(&mut self, len: usize) -> io::Result<()> {
        let mut read = 0;
        let end = loop {
            match self.stream.read(&mut self.scratch[read..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => read += n,
            }
            if let Some(end) = self.scratch[..read]
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
            {
                break end + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.scratch[..end]).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200")
            || !head.contains(&format!("content-length: {len}\r\n"))
        {
            return Err(io::Error::other(format!("wrong answer: {head}")));
        }
        let mut left = len + end - read;
        while left > 0 {
            let piece = left.min(self.scratch.len());
            // MSG_TRUNC on TCP has the kernel drop the bytes without copying them.
            match recv(&self.stream, &mut self.scratch[..piece], RecvFlags::TRUNC)?.1 {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => left -= n,
            }
        }
        Ok(())
    }
}
