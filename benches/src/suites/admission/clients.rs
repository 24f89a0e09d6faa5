//! Clients that do what they should not.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use super::server::set_descriptors;
use crate::process::{Cores, on_core};

pub(super) const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Runs clients on their core, with all descriptors that may be had.
pub(super) fn run<F: Future>(clients: F) -> Result<F::Output, String> {
    set_descriptors(u64::MAX)?;
    on_core(Cores::split().client, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| e.to_string())?;
        Ok(runtime.block_on(clients))
    })?
}

/// How long a client tries to connect: a SYN that the server's queue had no place for is sent again after one second and after
/// three.
const CONNECT: Duration = Duration::from_secs(5);

/// Connects, the n-th client from the n-hundredth address of 127.0.1/24.
pub(super) async fn connect(server: SocketAddr, number: usize) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    let host = u8::try_from(1 + number / 100 % 250).ok()?;
    let net = u8::try_from(1 + number / 25_000).ok()?;
    socket.bind(([127, 0, net, host], 0).into()).ok()?;
    let connected = timeout(CONNECT, socket.connect(server)).await;
    connected.ok()?.ok()
}

/// The first bytes of an answer, within the time; `None` if there was none.
pub(super) async fn answer(io: &mut TcpStream, within: Duration) -> Option<String> {
    let mut bytes = vec![0; 4096];
    let read = timeout(within, io.read(&mut bytes)).await;
    let count = read.ok()?.ok().filter(|count| *count > 0)?;
    Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

/// A whole request on a new connection: how long until its 200, if it had one.
pub(super) async fn visit(server: SocketAddr, path: &str, within: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let work = async {
        let mut io = TcpStream::connect(server).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        io.write_all(request.as_bytes()).await.ok()?;
        answer(&mut io, within).await
    };
    let answered = timeout(within, work).await.ok()??;
    answered.contains(" 200 ").then(|| begun.elapsed())
}

/// Whether the server has not ended the connection yet.
pub(super) fn is_open(io: &TcpStream) -> bool {
    let mut waste = [0; 4096];
    loop {
        match io.try_read(&mut waste) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

/// The value at a quantile, in milliseconds.
pub(super) fn millis(times: &mut [Duration], quantile: f64) -> f64 {
    times.sort_unstable();
    let at = (times.len() as f64 * quantile) as usize;
    let time = times.get(at.min(times.len().saturating_sub(1)));
    time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
