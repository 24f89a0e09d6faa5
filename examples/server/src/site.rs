//! The built-in site: what `/site/` serves until a folder is given, written out so that there are real files for
//! tower-zerocopy-fs to send.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Name and content of each page.
const PAGES: [(&str, &str); 7] = [
    ("index.html", include_str!("site/index.html")),
    (
        "tower-trie-router.txt",
        include_str!("../../../tower-trie-router/README.md"),
    ),
    (
        "tower-zerocopy-fs.txt",
        include_str!("../../../tower-zerocopy-fs/README.md"),
    ),
    (
        "tower-pool.txt",
        include_str!("../../../tower-pool/README.md"),
    ),
    (
        "tower-flowctl.txt",
        include_str!("../../../tower-flowctl/README.md"),
    ),
    ("server.txt", include_str!("../README.md")),
    ("server.toml.txt", include_str!("../server.toml")),
];

/// The size of `sample.bin`, which is there for ranges and for `sendfile`.
const SAMPLE: u64 = 4 << 20;

/// Writes the site into a folder.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, content) in PAGES {
        fs::write(folder.join(name), content)?;
    }
    // Each eight bytes say where they are, so that a range shows whether it is the right one.
    let mut sample = BufWriter::new(File::create(folder.join("sample.bin"))?);
    for offset in (0..SAMPLE).step_by(8) {
        sample.write_all(&offset.to_be_bytes())?;
    }
    sample.flush()
}
