//! Frames in pieces, windows, and what is acknowledged.

use super::*;

fn told(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame(kind, flags, stream, payload, &mut out);
    out
}

/// The frames in `bytes`: kind, flags, stream, length.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, usize)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let head = Head::read(bytes);
        found.push((head.kind, head.flags, head.stream, head.length));
        bytes = &bytes[FRAME_HEAD + head.length..];
    }
    found
}

#[test]
fn answers_are_read_whatever_the_pieces() {
    let input = [
        told(SETTINGS, 0, 0, &[]),
        told(HEADERS, END_HEADERS, 1, &[0x88]),
        told(HEADERS, PADDED, 3, &[2, 0x8D, 0, 0]),
        told(CONTINUATION, END_HEADERS, 3, &[0x0F]),
        told(DATA, 0, 1, b"hello"),
        told(DATA, END_STREAM, 3, b""),
        told(DATA, END_STREAM, 1, b" world"),
        told(HEADERS, END_HEADERS | END_STREAM, 5, &[0x89]),
        told(RST_STREAM, 0, 7, &[0, 0, 0, 7]),
    ]
    .concat();
    for piece in [1, 2, 5, 9, 10, 1_000] {
        let (mut wire, mut out, mut events) = (Http2::new("h"), Vec::new(), Events::default());
        (0..4).for_each(|tag| wire.send(tag, &Ask::get("/"), &mut out));
        for part in input.chunks(piece) {
            wire.receive(part, &mut out, &mut events).unwrap();
        }
        let answers: Vec<_> = events
            .answers
            .iter()
            .map(|a| (a.tag, a.status, a.length))
            .collect();
        assert_eq!(
            answers,
            [(1, 404, 0), (0, 200, 11), (2, 204, 0)],
            "by {piece}"
        );
        assert_eq!(events.failures[0].0, 3);
    }
}

#[test]
fn a_body_waits_for_the_windows() {
    let (mut wire, mut out, mut events) = (Http2::new("h"), Vec::new(), Events::default());
    wire.send(0, &Ask::post("/", vec![0; 70_000]), &mut out);
    let sent: usize = frames(&out)
        .iter()
        .filter(|f| f.0 == DATA)
        .map(|f| f.3)
        .sum();
    assert_eq!(sent, 65_535);
    out.clear();
    let more = told(WINDOW_UPDATE, 0, 0, &100_000_u32.to_be_bytes());
    wire.receive(&more, &mut out, &mut events).unwrap();
    assert!(out.is_empty(), "the stream's own window is used up");
    let more = told(WINDOW_UPDATE, 0, 1, &100_000_u32.to_be_bytes());
    wire.receive(&more, &mut out, &mut events).unwrap();
    assert_eq!(frames(&out), [(DATA, END_STREAM, 1, 70_000 - 65_535)]);
}

#[test]
fn settings_and_pings_are_acknowledged_and_limits_kept() {
    let (mut wire, mut out, mut events) = (Http2::new("h"), Vec::new(), Events::default());
    assert!(wire.takes_more(1_000));
    let input = [
        told(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 2]),
        told(SETTINGS, ACK, 0, &[]),
        told(PING, 0, 0, &[7; 8]),
    ]
    .concat();
    wire.receive(&input, &mut out, &mut events).unwrap();
    assert_eq!(frames(&out), [(SETTINGS, ACK, 0, 0), (PING, ACK, 0, 8)]);
    assert!(wire.takes_more(1) && !wire.takes_more(2));
    let away = told(GOAWAY, 0, 0, &[0; 8]);
    wire.receive(&away, &mut out, &mut events).unwrap();
    assert!(!wire.takes_more(0));
    let failed = told(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 1]);
    assert!(wire.receive(&failed, &mut out, &mut events).is_err());
}
