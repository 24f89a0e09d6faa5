//! A small request over a connection in memory: what the gate holds.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::server::{App, hyper};
use crate::{
    alloc,
    cachegrind::{self, Depth, Probe},
    hot::HotPath,
    report::{Table, number},
};

/// Requests of a pass.
const REQUESTS: usize = 100;

pub(super) fn hot_paths() -> Result<Vec<HotPath>, String> {
    Ok(vec![HotPath::new(
        "a small GET through serve",
        REQUESTS,
        || conversation(Subject::Ours, SMALL),
    )])
}

/// Whose server is in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Hyper,
    Ours,
}

/// The answer whose instructions are counted. How a large body is cut depends on how fast its socket is, and under valgrind
/// none is: its counts would say nothing, so it is timed only.
const SMALL: &str = "/small";

/// What valgrind runs: `hyper` or `ours`.
pub(super) fn probe(arguments: &[String], passes: usize) -> Result<(), String> {
    let subject = match arguments.concat().as_str() {
        "hyper" => Subject::Hyper,
        "ours" => Subject::Ours,
        other => return Err(format!("no server is called `{other}`")),
    };
    let mut pass = conversation(subject, SMALL);
    for _ in 0..passes {
        pass();
    }
    Ok(())
}

/// Instructions and allocations of a small request in memory. Client and transport are in them, and the same for both.
pub(super) fn table() -> Result<Table, String> {
    let mut table = Table::new(
        "A small request over a connection in memory, client included",
        &["server", "instructions", "of hyper's", "allocations"],
    );
    let subjects = [(Subject::Hyper, "hyper"), (Subject::Ours, "ours")];
    let probes = subjects.map(|(_, name)| Probe {
        args: ["flowctl", name].map(str::to_owned).to_vec(),
        units_per_pass: REQUESTS,
        passes: (1, 3),
    });
    let counts = cachegrind::run_all(&probes, Depth::Instructions)?;
    for ((subject, name), count) in subjects.into_iter().zip(&counts) {
        let mut pass = conversation(subject, SMALL);
        pass();
        let ((), allocations) = alloc::count(&mut pass);
        table.row(vec![
            name.to_owned(),
            number(count.instructions),
            number(count.instructions / counts[0].instructions),
            number(allocations as f64 / REQUESTS as f64),
        ]);
    }
    Ok(table)
}

/// A connection in memory; a call sends so many requests and reads the answers.
fn conversation(subject: Subject, path: &'static str) -> Box<dyn FnMut()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (client, server) = tokio::io::duplex(1 << 20);
    match subject {
        Subject::Hyper => drop(runtime.spawn(hyper(server, App::new()))),
        Subject::Ours => {
            runtime.spawn(tower_flowctl::serve(Once(Some(server)), App::new()).run());
        }
    }
    let mut peer = Peer {
        io: client,
        stream: 1,
        buffer: vec![0; 1 << 16],
        left: 0,
        head: Vec::new(),
    };
    runtime.block_on(peer.greet());
    Box::new(move || runtime.block_on(peer.ask(path)))
}

/// A listener of one connection.
struct Once(Option<DuplexStream>);

impl axum::serve::Listener for Once {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(io) => (io, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As little of a client as will do.
struct Peer {
    io: DuplexStream,
    stream: u32,
    buffer: Vec<u8>,
    /// What is left of a payload, and the part of a frame's header that has come.
    left: usize,
    head: Vec<u8>,
}

impl Peer {
    async fn greet(&mut self) {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xff]);
        self.send(&bytes).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the server is there");
    }

    async fn ask(&mut self, path: &str) {
        let mut bytes = Vec::new();
        // The window of all that is to come.
        bytes.extend([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0x9a, 0, 0]);
        for _ in 0..REQUESTS {
            let mut block = vec![0x82, 0x86, 0x04, path.len() as u8];
            block.extend(path.as_bytes());
            block.extend([0x01, 1, b'h']);
            bytes.extend([0, 0, block.len() as u8, 1, 5]);
            bytes.extend(self.stream.to_be_bytes());
            bytes.extend(block);
            self.stream += 2;
        }
        self.send(&bytes).await;
        let mut ended = 0;
        while ended < REQUESTS {
            let read = self
                .io
                .read(&mut self.buffer)
                .await
                .expect("the server is there");
            assert!(read > 0, "the server has closed the connection");
            ended += self.ends(read);
        }
    }

    /// How many responses end in the bytes read.
    fn ends(&mut self, read: usize) -> usize {
        let mut bytes = &self.buffer[..read];
        let mut ended = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let length = self.left.min(bytes.len());
                self.left -= length;
                bytes = &bytes[length..];
                continue;
            }
            let length = (9 - self.head.len()).min(bytes.len());
            self.head.extend(&bytes[..length]);
            bytes = &bytes[length..];
            if let &[a, b, c, kind, flags, ..] = self.head.as_slice()
                && self.head.len() == 9
            {
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
                ended += usize::from(kind <= 1 && flags & 1 != 0);
                self.head.clear();
            }
        }
        ended
    }
}
