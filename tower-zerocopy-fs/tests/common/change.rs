//! What can happen to a file while it is sent.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::request;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Truncated,
    Emptied,
    WrittenOver,
    Replaced,
    Deleted,
}

pub const CHANGES: [Change; 5] = [
    Change::Truncated,
    Change::Emptied,
    Change::WrittenOver,
    Change::Replaced,
    Change::Deleted,
];

impl Change {
    /// Changes the last sixth of the file, beyond what buffers on the way can have swallowed.
    fn apply(self, path: &Path) {
        let len = std::fs::metadata(path).unwrap().len();
        let cut = len / 6 * 5;
        match self {
            Self::Truncated => std::fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(cut)
                .unwrap(),
            Self::Emptied => drop(std::fs::File::create(path).unwrap()),
            Self::WrittenOver => {
                use std::os::unix::fs::FileExt;
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.write_all_at(&vec![b'!'; (len - cut) as usize], cut)
                    .unwrap();
            }
            Self::Replaced => {
                let other = path.with_extension("new");
                std::fs::write(&other, vec![b'!'; len as usize]).unwrap();
                std::fs::rename(other, path).unwrap();
            }
            Self::Deleted => std::fs::remove_file(path).unwrap(),
        }
    }

    /// An open file outlives its name.
    pub fn leaves_the_open_file_alone(self) -> bool {
        matches!(self, Self::Replaced | Self::Deleted)
    }
}

/// A client with a small receive buffer, so that it cannot have read far ahead.
pub async fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(address).await.unwrap()
}

/// Reads the head and the first bytes of the body, changes the file, and returns the body read until the end.
pub async fn fetch_across<S>(
    stream: &mut S,
    path: &Path,
    change: Change,
) -> (String, Vec<u8>, io::Result<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let fields = [("connection", "close"), ("accept-encoding", "gzip")];
    stream
        .write_all(&request("1.1", "/f", &fields))
        .await
        .unwrap();
    // TLS may keep what it was given while tokio has the task give way.
    stream.flush().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let mut body = vec![0; 100_000];
    stream.read_exact(&mut body).await.unwrap();
    change.apply(path);
    let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut body)).await;
    let end = end
        .unwrap_or_else(|_| panic!("{change:?}: the response hangs"))
        .map(drop);
    (String::from_utf8(head).unwrap(), body, end)
}

/// That a body is what may come of `bytes` when they change: all of them, or the beginning of them.
pub fn check(tier: &str, change: Change, body: &[u8], bytes: &[u8]) {
    if change.leaves_the_open_file_alone() {
        assert!(
            body == bytes,
            "{tier} {change:?}: {} bytes of {}",
            body.len(),
            bytes.len()
        );
    } else {
        assert!(
            body.len() < bytes.len(),
            "{tier} {change:?}: the response must be short"
        );
        assert!(
            bytes.starts_with(body),
            "{tier} {change:?}: bytes of another version in {}",
            body.len()
        );
    }
}
