//! What every server has to take.

use crate::{
    case::{Awaited, Case, Outcome::*, steps},
    raw::{Block, Frame, code},
};

/// "custom-key", "custom-value" and "no-cache" in the code of RFC 7541, as its appendix C.4 has them.
pub(crate) const CUSTOM_KEY: &[u8] = b"\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f";
const CUSTOM_VALUE: &[u8] = b"\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
const NO_CACHE: &[u8] = b"\x86\xa8\xeb\x10\x64\x9c\xbf";

fn get(stream: u32) -> Frame {
    Frame::headers(stream, Block::get("/")).end_stream()
}

fn post(stream: u32) -> Frame {
    Frame::headers(stream, Block::post("/"))
}

pub(crate) fn cases() -> Vec<Case> {
    [streams(), frames(), exchanges(), blocks()]
        .into_iter()
        .flatten()
        .collect()
}

fn streams() -> Vec<Case> {
    vec![
        Case::new(
            "generic/1/1",
            "RFC 9113 §3.4",
            "the preface is taken",
            steps![],
            Acknowledged(1),
        ),
        Case::new(
            "generic/2/1",
            "RFC 9113 §5.1",
            "PRIORITY for an idle stream",
            steps![Frame::priority(1, 0, false, 256), Frame::ping(*b"12345678")],
            Pong(*b"12345678"),
        ),
        Case::new(
            "generic/2/2",
            "RFC 9113 §5.1",
            "WINDOW_UPDATE for a half-closed stream",
            steps![get(1), Frame::window_update(1, 100)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/2/3",
            "RFC 9113 §5.1",
            "PRIORITY for a half-closed stream",
            steps![get(1), Frame::priority(1, 0, false, 256)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/2/4",
            "RFC 9113 §5.1",
            "RST_STREAM for a half-closed stream",
            steps![get(1), Frame::reset(1, code::CANCEL)],
            Nothing,
        ),
        Case::new(
            "generic/2/5",
            "RFC 9113 §5.1",
            "PRIORITY for a closed stream",
            steps![get(1), Awaited::End(1), Frame::priority(1, 0, false, 256)],
            Answered(1, 200),
        ),
    ]
}

fn frames() -> Vec<Case> {
    let (first, second) = Block::get("/").split_at(10);
    let (second, third) = second.split_at(10);
    vec![
        Case::new(
            "generic/3.1/1",
            "RFC 9113 §6.1",
            "DATA",
            steps![post(1), Frame::data(1, *b"test").end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.1/2",
            "RFC 9113 §6.1",
            "several DATA",
            steps![
                post(1),
                Frame::data(1, *b"test"),
                Frame::data(1, *b"test").end_stream()
            ],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.1/3",
            "RFC 9113 §6.1",
            "padded DATA",
            steps![post(1), Frame::data(1, *b"test").padded(6).end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.2/1",
            "RFC 9113 §6.2",
            "HEADERS",
            steps![get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.2/2",
            "RFC 9113 §6.2",
            "padded HEADERS",
            steps![get(1).padded(6)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.2/3",
            "RFC 9113 §6.2",
            "HEADERS with priority",
            steps![get(1).prioritized(0, false, 256)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.3/1",
            "RFC 9113 §6.3",
            "PRIORITY of weight 1",
            steps![Frame::priority(1, 0, false, 1), get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.3/2",
            "RFC 9113 §6.3",
            "PRIORITY of weight 256",
            steps![Frame::priority(1, 0, false, 256), get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.3/3",
            "RFC 9113 §6.3",
            "PRIORITY with a dependency",
            steps![
                Frame::priority(1, 0, false, 256),
                Frame::priority(3, 1, false, 256),
                get(1)
            ],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.3/4",
            "RFC 9113 §6.3",
            "PRIORITY that is exclusive",
            steps![Frame::priority(1, 0, true, 256), get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.3/5",
            "RFC 9113 §6.3",
            "PRIORITY for an idle stream leaves lower ones idle",
            steps![Frame::priority(7, 0, false, 256), get(5)],
            Answered(5, 200),
        ),
        Case::new(
            "generic/3.4/1",
            "RFC 9113 §6.4",
            "RST_STREAM",
            steps![post(1), Frame::reset(1, code::CANCEL)],
            Nothing,
        ),
        Case::new(
            "generic/3.5/1",
            "RFC 9113 §6.5",
            "SETTINGS",
            steps![Frame::settings(&[
                (0x1, 0),
                (0x2, 0),
                (0x3, 100),
                (0x4, 65535),
                (0x5, 16384)
            ])],
            Acknowledged(2),
        ),
        Case::new(
            "generic/3.7/1",
            "RFC 9113 §6.7",
            "PING",
            steps![Frame::ping(*b"h2 ping!")],
            Pong(*b"h2 ping!"),
        ),
        Case::new(
            "generic/3.8/1",
            "RFC 9113 §6.8",
            "GOAWAY",
            steps![Frame::go_away(0, code::NO_ERROR)],
            Closed,
        ),
        Case::new(
            "generic/3.9/1",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE for the connection",
            steps![Frame::window_update(0, 1), Frame::ping(*b"12345678")],
            Pong(*b"12345678"),
        ),
        Case::new(
            "generic/3.9/2",
            "RFC 9113 §6.9",
            "WINDOW_UPDATE for a stream",
            steps![
                post(1),
                Frame::window_update(1, 1),
                Frame::data(1, *b"").end_stream()
            ],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.10/1",
            "RFC 9113 §6.10",
            "CONTINUATION",
            steps![
                Frame::headers(1, first.clone()).end_stream().unfinished(),
                Frame::continuation(1, second.clone()),
                Frame::continuation(1, third.clone()).end_headers()
            ],
            Answered(1, 200),
        ),
        Case::new(
            "generic/3.10/2",
            "RFC 9113 §6.10",
            "several CONTINUATION, one of them empty",
            steps![
                Frame::headers(1, first).end_stream().unfinished(),
                Frame::continuation(1, second),
                Frame::continuation(1, Block::new()),
                Frame::continuation(1, third).end_headers()
            ],
            Answered(1, 200),
        ),
    ]
}

fn exchanges() -> Vec<Case> {
    vec![
        Case::new(
            "generic/4/1",
            "RFC 9113 §8.1",
            "GET",
            steps![get(1)],
            Answered(1, 200),
        ),
        Case::new(
            "generic/4/2",
            "RFC 9113 §8.1",
            "HEAD",
            steps![Frame::headers(1, Block::request("HEAD", "/")).end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "generic/4/3",
            "RFC 9113 §8.1",
            "POST",
            steps![post(1), Frame::data(1, *b"test").end_stream()],
            Answered(1, 200),
        ),
        Case::new(
            "generic/4/4",
            "RFC 9113 §8.1",
            "POST with trailers",
            steps![
                post(1),
                Frame::data(1, *b"test"),
                Frame::headers(1, Block::new().field("x-test", "ok")).end_stream()
            ],
            Answered(1, 200),
        ),
    ]
}

/// Representations of a header field, each after the fields of a request.
fn blocks() -> Vec<Case> {
    let after = |id, section, name, field: &[&[u8]]| {
        let block = Block::get("/").raw(field.concat());
        Case::new(
            id,
            section,
            name,
            steps![Frame::headers(1, block).end_stream()],
            Answered(1, 200),
        )
    };
    let before = |id, name, update: &[u8]| {
        let block = Block::new().raw(update).raw(Block::get("/").0);
        Case::new(
            id,
            "RFC 7541 §6.3",
            name,
            steps![Frame::headers(1, block).end_stream()],
            Answered(1, 200),
        )
    };
    let key = b"\x0acustom-key".as_slice();
    let value = b"\x0ccustom-value".as_slice();
    vec![
        after(
            "generic/5/1",
            "RFC 7541 §6.1",
            "an indexed field",
            &[b"\xba"],
        ),
        after(
            "generic/5/2",
            "RFC 7541 §6.2.1",
            "indexing, known name",
            &[b"\x7a", value],
        ),
        after(
            "generic/5/3",
            "RFC 7541 §6.2.1",
            "indexing, known name, Huffman",
            &[b"\x7a", NO_CACHE],
        ),
        after(
            "generic/5/4",
            "RFC 7541 §6.2.1",
            "indexing, new name",
            &[b"\x40", key, value],
        ),
        after(
            "generic/5/5",
            "RFC 7541 §6.2.1",
            "indexing, new name, Huffman",
            &[b"\x40", CUSTOM_KEY, CUSTOM_VALUE],
        ),
        after(
            "generic/5/6",
            "RFC 7541 §6.2.2",
            "not indexed, known name",
            &[b"\x0f\x2b", value],
        ),
        after(
            "generic/5/7",
            "RFC 7541 §6.2.2",
            "not indexed, known name, Huffman",
            &[b"\x0f\x2b", NO_CACHE],
        ),
        after(
            "generic/5/8",
            "RFC 7541 §6.2.2",
            "not indexed, new name",
            &[b"\x00", key, value],
        ),
        after(
            "generic/5/9",
            "RFC 7541 §6.2.2",
            "not indexed, new name, Huffman",
            &[b"\x00", CUSTOM_KEY, CUSTOM_VALUE],
        ),
        after(
            "generic/5/10",
            "RFC 7541 §6.2.3",
            "never indexed, known name",
            &[b"\x1f\x2b", value],
        ),
        after(
            "generic/5/11",
            "RFC 7541 §6.2.3",
            "never indexed, known name, Huffman",
            &[b"\x1f\x2b", NO_CACHE],
        ),
        after(
            "generic/5/12",
            "RFC 7541 §6.2.3",
            "never indexed, new name",
            &[b"\x10", key, value],
        ),
        after(
            "generic/5/13",
            "RFC 7541 §6.2.3",
            "never indexed, new name, Huffman",
            &[b"\x10", CUSTOM_KEY, CUSTOM_VALUE],
        ),
        before("generic/5/14", "an update of the table's size", b"\x20"),
        before(
            "generic/5/15",
            "several updates of the table's size",
            b"\x20\x3f\xe1\x1f",
        ),
    ]
}
