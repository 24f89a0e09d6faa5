//! The fuzz targets' properties on a fixed stream of inputs, so that every run of the tests tries them.

use tower_zerocopy_fs::fuzzing;

/// Inputs made of pieces the grammars know, which reach far more than random bytes do.
fn inputs(pieces: &[&str], count: u64) -> impl Iterator<Item = String> {
    let pieces: Vec<String> = pieces.iter().map(|p| (*p).to_owned()).collect();
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(move |_| {
        (0..next() % 12)
            .map(|_| pieces[next() as usize % pieces.len()].as_str())
            .collect()
    })
}

#[test]
fn ranges() {
    let pieces = [
        "bytes=",
        "bytes",
        "-",
        ",",
        "0",
        "1",
        "9",
        "18446744073709551615",
        " ",
        "=",
        ";",
        "x",
        "\t",
    ];
    for (i, input) in inputs(&pieces, 200_000).enumerate() {
        for len in [0, 1, i as u64 % 23, u64::MAX] {
            fuzzing::range(input.as_bytes(), len);
        }
    }
}

#[test]
fn paths() {
    let pieces = [
        "/",
        "a",
        ".",
        "..",
        "%2e",
        "%2F",
        "%5c",
        "\\",
        "%00",
        "%",
        "%c0%ae",
        "%e2%82%ac",
        "*",
        "**",
        "?",
        ":",
    ];
    for input in inputs(&pieces, 200_000) {
        fuzzing::path(&input);
    }
}

#[test]
fn fields() {
    let pieces = [
        "\n",
        "\u{0}",
        "\u{1}",
        "\u{2}",
        "\u{3}",
        "\u{4}",
        "\u{5}",
        "\"a\"",
        "W/",
        "\"",
        ",",
        "*",
        " ",
        ";q=",
        "0.",
        "1",
        "gzip",
        "br",
        "identity",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    for input in inputs(&pieces, 200_000) {
        fuzzing::fields(input.as_bytes());
    }
}
