//! `--check-health`: asks the server that runs with these settings whether it answers. For where nothing else can ask, such as an
//! image without a shell.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::listen::reachable;

/// For each step: to connect, to send, to receive.
const PATIENCE: Duration = Duration::from_secs(2);

/// A response without a body worth keeping is shorter.
const LONGEST: u64 = 4096;

/// What `GET /healthz` on this admin port is answered, if it is 200.
///
/// # Errors
/// When there is no admin port whose number is known, nobody answers there in time, or the answer is another.
pub(crate) fn ask(admin: Option<SocketAddr>) -> io::Result<String> {
    let address = admin.filter(|address| address.port() != 0);
    let address = address.ok_or_else(|| {
        io::Error::other("no admin port to ask: admin-listen is off, or leaves the port open")
    })?;
    let address = reachable(address);
    let answer = get(address)
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
    match answer.strip_prefix("HTTP/1.1 200 ") {
        Some(_) => Ok(format!("{address}: healthy\n")),
        None => {
            let status = answer.lines().next().unwrap_or_default();
            Err(io::Error::other(format!("{address}: answered {status:?}")))
        }
    }
}

fn get(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}
