//! Header blocks that cannot be decoded.

use crate::{
    case::{Case, Outcome::*, Verdict::*, steps},
    generic::CUSTOM_KEY,
    raw::{Block, Frame, code},
};

/// Why h2 answers none of them by COMPRESSION_ERROR.
pub(crate) const ONE_CODE: &str =
    "h2 closes the connection as asked, but reports all faults of a block as PROTOCOL_ERROR";

pub(crate) fn cases() -> Vec<Case> {
    let after = |fault: &[&[u8]]| Block::get("/").raw(fault.concat());
    let table: [(_, _, _, Block); 8] = [
        (
            "hpack/2.3.3/1",
            "RFC 7541 §2.3.3",
            "an indexed field beyond both tables",
            after(&[b"\xc6"]),
        ),
        (
            "hpack/2.3.3/2",
            "RFC 7541 §2.3.3",
            "a name beyond both tables",
            after(&[b"\x7f\x07\x05value"]),
        ),
        (
            "hpack/4.2/1",
            "RFC 7541 §4.2",
            "an update of the table's size at the block's end",
            after(&[b"\x3f\xe1\x1f"]),
        ),
        (
            "hpack/5.2/1",
            "RFC 7541 §5.2",
            "Huffman padding of more than 7 bits",
            after(&[b"\x00", CUSTOM_KEY, b"\x87\xa8\xeb\x10\x64\x9c\xbf\xff"]),
        ),
        (
            "hpack/5.2/2",
            "RFC 7541 §5.2",
            "Huffman padding by zeros",
            // "test", which leaves four bits.
            after(&[b"\x00", CUSTOM_KEY, b"\x83\x49\x50\x90"]),
        ),
        (
            "hpack/5.2/3",
            "RFC 7541 §5.2",
            "the symbol EOS in a Huffman string",
            after(&[
                b"\x00",
                CUSTOM_KEY,
                b"\x8a\xa8\xeb\x10\x64\x9c\xbf\xff\xff\xff\x97",
            ]),
        ),
        (
            "hpack/6.1/1",
            "RFC 7541 §6.1",
            "the index 0",
            after(&[b"\x80"]),
        ),
        (
            "hpack/6.3/1",
            "RFC 7541 §6.3",
            "a table larger than SETTINGS_HEADER_TABLE_SIZE",
            Block::new().raw(b"\x3f\xe2\x1f").raw(Block::get("/").0),
        ),
    ];
    table
        .into_iter()
        .map(|(id, section, name, block)| {
            Case::new(
                id,
                section,
                name,
                steps![Frame::headers(1, block).end_stream()],
                ConnectionError(code::COMPRESSION_ERROR),
            )
            .h2(ConnectionError(code::PROTOCOL_ERROR), Wrong(ONE_CODE))
        })
        .collect()
}
