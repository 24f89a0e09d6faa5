//! Whether memory of this process has been read, by its page tables.
//!
//! `/proc/self/pagemap` (Documentation/admin-guide/mm/pagemap.rst) has eight bytes a page, of which bit 63 says that the
//! page is present. A page of a fresh mapping is absent until somebody reads it, be it a layer or the kernel on a
//! layer's behalf; `sendfile(2)` from the file behind a mapping touches the mapping nowhere. Every process may
//! read these bits about itself.

use std::{fs::File, io, sync::OnceLock};

use crate::{fs::file::read_exact_at, region::Mapping};

const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

static PAGEMAP: OnceLock<Option<File>> = OnceLock::new();

/// True if reads can be told on this system: tried once on a page that is read and one that is not.
pub(crate) fn available() -> bool {
    pagemap().is_some()
}

/// True if any page of `mapping` was read since it was made, or if that cannot be told.
pub(crate) fn was_read(mapping: &Mapping) -> bool {
    match pagemap() {
        Some(pagemap) => scan(pagemap, mapping).unwrap_or(true),
        None => true,
    }
}

fn pagemap() -> Option<&'static File> {
    PAGEMAP
        .get_or_init(|| {
            let pagemap = File::open("/proc/self/pagemap").ok()?;
            let page = rustix::param::page_size();
            let untouched = Mapping::window(2 * page).ok()?;
            let touched = Mapping::window(2 * page).ok()?;
            let zero = std::hint::black_box(touched.as_ref())[page];
            let tells =
                zero == 0 && !scan(&pagemap, &untouched).ok()? && scan(&pagemap, &touched).ok()?;
            tells.then_some(pagemap)
        })
        .as_ref()
}

fn scan(pagemap: &File, mapping: &Mapping) -> io::Result<bool> {
    const ENTRY: usize = size_of::<u64>();
    let page = rustix::param::page_size();
    let mut buffer = [0u8; 512 * ENTRY];
    let mut pages = mapping.len().div_ceil(page);
    let mut offset = (mapping.address() / page * ENTRY) as u64;
    while pages > 0 {
        let now = pages.min(512);
        let entries = &mut buffer[..now * ENTRY];
        read_exact_at(pagemap, entries, offset)?;
        let (entries, _) = entries.as_chunks::<ENTRY>();
        if entries
            .iter()
            .any(|e| u64::from_ne_bytes(*e) & (PRESENT | SWAPPED) != 0)
        {
            return Ok(true);
        }
        pages -= now;
        offset += (now * ENTRY) as u64;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_byte_read_anywhere_shows() {
        assert!(
            available(),
            "no /proc/self/pagemap here: windows stay off on this system"
        );
        let len = 4 << 20;
        for at in [0, 4095, 4096, len / 2, len - 1] {
            let mapping = Mapping::window(len).unwrap();
            assert!(!was_read(&mapping));
            assert_eq!(std::hint::black_box(mapping.as_ref())[at], 0);
            assert!(was_read(&mapping), "read at {at}");
        }
    }

    #[test]
    fn a_read_by_the_kernel_shows() {
        let mapping = Mapping::window(1 << 16).unwrap();
        // /dev/null does not look at what is written to it; a pipe does.
        let (_reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, &mapping.as_ref()[..100]).unwrap();
        assert!(was_read(&mapping));
    }
}
