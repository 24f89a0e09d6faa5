//! Which addresses stand for which bytes of which file.
//!
//! A body hands out `Bytes` over memory that it registers here with the file that the memory stands for. The stream
//! adapter at the other end of hyper gets slices to write, asks [`find`] about the large ones, and sends the file's
//! bytes in place of the memory's where it knows them.
//!
//! Why an address is proof enough: an entry lives exactly as long as its memory (removed before that is freed), and no
//! two live pieces of memory overlap. So a slice that is alive during the look-up and lies within a registered range is a
//! slice of that very memory, and its offset says which bytes of the file it means.

use std::{
    fs::File,
    io,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use super::{
    delivery::Delivery,
    slots::{Content, Slots},
};
use crate::fs::original::Original;

/// Slices shorter than this are copied: below it one write of header and body together wins.
pub(crate) const SENDFILE_FROM: usize = 16 * 1024;

#[cfg(not(zerocopy_loom))]
static REGIONS: Slots<Region> = Slots::new();

#[cfg(zerocopy_loom)]
loom::lazy_static! {
    static ref REGIONS: Slots<Region> = Slots::new();
}

/// Adapters alive in this process. Without any, proving windows would be wasted work.
static ADAPTERS: AtomicUsize = AtomicUsize::new(0);

/// Counts a stream adapter for as long as it lives.
#[derive(Debug)]
pub(crate) struct Adapter(());

impl Adapter {
    pub(crate) fn new() -> Self {
        ADAPTERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    pub(crate) fn any() -> bool {
        ADAPTERS.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        ADAPTERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A range of addresses and the bytes it stands for.
#[derive(Debug)]
pub(crate) struct Region {
    start: usize,
    len: usize,
    memory: Memory,
    /// The file that `memory` stands for or is a copy of, and the offset of the first byte in it. Without one only the
    /// memory is sent.
    original: Option<(Arc<Original>, u64)>,
    /// Kept where a body wants to know what became of its bytes.
    delivery: Option<Arc<Delivery>>,
}

/// What is in the memory of a region.
#[derive(Debug)]
pub(crate) enum Memory {
    /// Zeros; only the original has the content.
    Window,
    /// The content, of a memory file that the kernel can send from too.
    Sealed(File),
    /// The content, on the heap.
    Heap,
}

impl Region {
    /// Where the kernel is to take `count` bytes from in place of those at `address`: a file and an offset in it, or
    /// `None` if the memory is to be written.
    ///
    /// A copy's original is preferred to the copy while it is unchanged and in the page cache. The bytes are the
    /// same, and the page cache has them in larger pieces than a memory file, which saves the kernel a third of its
    /// work; what is not so is sent from the copy, so that the response is right and no worker waits for a disk.
    ///
    /// # Errors
    /// If a window's file is no longer what it was.
    pub(crate) fn source(&self, address: usize, count: usize) -> io::Result<Option<(&File, u64)>> {
        let at = (address - self.start) as u64;
        if let Some((original, offset)) = &self.original {
            let offset = offset + at;
            if self.is_window() {
                original.version.check(&original.file)?;
                return Ok(Some((&original.file, offset)));
            }
            if original.is_cached(offset, count as u64) && original.is_unchanged() {
                return Ok(Some((&original.file, offset)));
            }
        }
        match &self.memory {
            Memory::Sealed(memory) => Ok(Some((memory, at))),
            Memory::Heap => Ok(None),
            Memory::Window => Err(io::Error::other("a window stands for no file")),
        }
    }

    /// True if only the original has the content.
    pub(crate) fn is_window(&self) -> bool {
        matches!(self.memory, Memory::Window)
    }

    /// Notes that the adapter was asked to send `slice`.
    pub(crate) fn note_offered(&self, slice: &[u8]) {
        if let Some(delivery) = &self.delivery
            && slice.as_ptr() as usize == self.start
            && slice.len() == self.len
        {
            delivery.note_offered();
        }
    }

    /// Notes that `bytes` of it were sent.
    pub(crate) fn note_sent(&self, bytes: usize) {
        if let Some(delivery) = &self.delivery {
            delivery.note_sent(bytes as u64, self.len as u64);
        }
    }
}

/// The registered region that holds all of `slice`, where it is to be sent in the slice's place.
pub(crate) fn find(slice: &[u8]) -> Option<Arc<Region>> {
    REGIONS.find(slice.as_ptr() as usize, slice.len(), SENDFILE_FROM)
}

/// Registered bytes. The entry goes before the bytes do, since `Drop::drop` runs before the fields'.
#[derive(Debug)]
struct Registered<M>
where
    M: Deref<Target: AsRef<[u8]>>,
{
    bytes: M,
    delivery: Option<Arc<Delivery>>,
}

impl<M> AsRef<[u8]> for Registered<M>
where
    M: Deref<Target: AsRef<[u8]>>,
{
    fn as_ref(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

impl<M> Drop for Registered<M>
where
    M: Deref<Target: AsRef<[u8]>>,
{
    fn drop(&mut self) {
        REGIONS.remove((*self.bytes).as_ref().as_ptr() as usize);
        if let Some(delivery) = &self.delivery {
            delivery.note_dropped();
        }
    }
}

/// Shares `bytes`, which are what `memory` says and stand for those of `original` from an offset on. `M` points to them:
/// moving it must not move them.
///
/// Whoever keeps a clone of a mapping may look at its page tables after the bytes are gone.
pub(crate) fn publish<M>(
    bytes: M,
    memory: Memory,
    original: Option<(Arc<Original>, u64)>,
    delivery: Option<Arc<Delivery>>,
) -> Bytes
where
    M: Deref<Target: AsRef<[u8]>> + Send + 'static,
{
    let slice = (*bytes).as_ref();
    let (start, len) = (slice.as_ptr() as usize, slice.len());
    let region = Arc::new(Region {
        start,
        len,
        memory,
        original,
        delivery: delivery.clone(),
    });
    let content = match region.is_window() {
        true => Content::Elsewhere,
        false => Content::There,
    };
    REGIONS.insert(start, len, content, region);
    Bytes::from_owner(Registered { bytes, delivery })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Mapping;

    fn region(len: usize) -> (Bytes, Arc<Delivery>) {
        let mapping = Arc::new(Mapping::window(len).unwrap());
        let delivery = Arc::new(Delivery::default());
        let original = Original::new(File::open("/dev/null").unwrap()).unwrap();
        let original = Some((Arc::new(original), 100));
        let bytes = publish(
            mapping,
            Memory::Window,
            original,
            Some(Arc::clone(&delivery)),
        );
        (bytes, delivery)
    }

    /// Where in its file the adapter would begin.
    fn offset(slice: &[u8]) -> u64 {
        let region = find(slice).unwrap();
        let source = region.source(slice.as_ptr() as usize, slice.len());
        source.unwrap().unwrap().1
    }

    #[test]
    fn slices_are_found_by_their_address_as_long_as_they_live() {
        let (bytes, delivery) = region(1 << 16);
        let piece = bytes.slice(5..4000);
        let found = find(&piece).unwrap();
        assert_eq!(offset(&piece), 105);
        found.note_offered(&piece);
        assert!(!delivery.offered(), "a piece is not the whole");
        found.note_offered(&bytes);
        assert!(delivery.offered());
        assert!(find(b"elsewhere").is_none());
        assert!(find(&vec![0; 1 << 16]).is_none());
        drop(bytes);
        assert!(!delivery.dropped() && find(&piece).is_some());
        drop(piece);
        assert!(delivery.dropped());
    }

    /// Threads register, find, and drop at once; each must find its own region and nobody else's.
    #[test]
    fn concurrent_regions_never_mix() {
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                scope.spawn(move || {
                    let null = Original::new(File::open("/dev/null").unwrap()).unwrap();
                    let null = Arc::new(null);
                    for round in 0..500u64 {
                        let mapping =
                            Arc::new(Mapping::window(4096 * (1 + round as usize % 3)).unwrap());
                        let start = (thread << 32) | round;
                        let original = Some((Arc::clone(&null), start));
                        let bytes = publish(mapping, Memory::Window, original, None);
                        let other = bytes.slice(1..4096);
                        assert_eq!(offset(&bytes), start);
                        drop(bytes);
                        assert_eq!(offset(&other), start + 1);
                    }
                });
            }
        });
    }
}
