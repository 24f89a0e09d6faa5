//! HTTP/2 by hand, for what no client lets its user see: which of two responses ends first.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection whose streams have all the room they want, and the connection no more than it always has: the server decides
/// what fills it.
pub(crate) struct Connection {
    stream: TcpStream,
    authority: String,
    /// How many responses have not begun.
    awaited: usize,
}

/// A frame that came in.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const PRIORITY_UPDATE: u8 = 16;
/// The number of that setting.
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Connection {
        let stream = TcpStream::connect(server).unwrap();
        let mut connection = Connection {
            stream,
            authority: server.to_string(),
            awaited: 0,
        };
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        connection.stream.write_all(preface).unwrap();
        // SETTINGS_INITIAL_WINDOW_SIZE of the streams.
        let settings = [&[0, 4][..], &(1_u32 << 30).to_be_bytes()].concat();
        connection.send(SETTINGS, 0, 0, &settings);
        connection
    }

    /// Asks for these paths at once, each on its stream.
    pub(crate) fn get(&mut self, requests: &[(u32, &str)]) {
        self.awaited += requests.len();
        for (stream, path) in requests {
            // Of the static table: `:method: GET` and `:scheme: http` whole, `:path` and `:authority` with these values.
            let mut block = vec![0x82, 0x86];
            for (name, value) in [(0x04, *path), (0x01, &self.authority)] {
                block.extend([name, u8::try_from(value.len()).unwrap()]);
                block.extend(value.as_bytes());
            }
            self.send(HEADERS, END_STREAM | END_HEADERS, *stream, &block);
        }
    }

    /// Reads until a response begins.
    pub(crate) fn begin(&mut self) {
        while self.next().kind != HEADERS {}
        self.awaited -= 1;
    }

    /// Sends a PRIORITY_UPDATE of this payload (RFC 9218 §7.1).
    pub(crate) fn update_priority(&mut self, payload: &[u8]) {
        self.send(PRIORITY_UPDATE, 0, 0, payload);
    }

    /// Reads until a response ends, and returns its stream.
    ///
    /// Until all have begun the connection gets no more room: which is ready first is chance, and is not asked.
    pub(crate) fn first_end(&mut self) -> u32 {
        let mut room: u32 = 0;
        loop {
            let frame = self.next();
            match frame.kind {
                HEADERS => self.awaited -= 1,
                DATA if frame.flags & END_STREAM != 0 => return frame.stream,
                DATA => room += frame.payload.len() as u32,
                _ => {}
            }
            if self.awaited == 0 && room > 0 {
                self.send(WINDOW_UPDATE, 0, 0, &room.to_be_bytes());
                room = 0;
            }
        }
    }

    /// Reads the server's settings: what it takes on a stream before a handler has read any of it.
    pub(crate) fn first_window(&mut self) -> u32 {
        let settings = self.next();
        assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
        let mut entries = settings.payload.chunks_exact(6);
        let entry = entries.find(|entry| entry[..2] == INITIAL_WINDOW_SIZE);
        // Unless it is said, as RFC 9113 has it.
        entry.map_or(65_535, |entry| {
            u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]])
        })
    }

    fn next(&mut self) -> Frame {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).unwrap();
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.send(SETTINGS, ACK, 0, &[]);
        }
        frame
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).unwrap();
    }
}
