//! Which addresses stand for which bytes of which file.
//!
//! A body hands out `Bytes` over a [`Mapping`] and registers the mapping here with the file it stands for. The stream
//! adapter at the other end of hyper gets slices to write, asks [`find`] about the large ones, and sends the file's
//! bytes in place of the memory's where it knows them.
//!
//! Why an address is proof enough: an entry lives exactly as long as its mapping (removed before it is unmapped), and no
//! two live mappings overlap. So a slice that is alive during the look-up and lies within a registered range is a
//! slice of that very mapping, and its offset says which bytes of the file it means.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use bytes::Bytes;

use crate::{fs::file::Version, region::Mapping};

/// Slices of sealed files shorter than this are copied: below it one write of header and body together wins.
pub(crate) const SENDFILE_FROM: usize = 16 * 1024;

static REGIONS: RwLock<BTreeMap<usize, Arc<Region>>> = RwLock::new(BTreeMap::new());

/// Regions with a version, which must be found whatever is left of them: their memory holds no content.
static WINDOWS: AtomicUsize = AtomicUsize::new(0);

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
    file: Arc<File>,
    offset: u64,
    /// The version the file must still be of; `None` for sealed files, which have one for ever.
    version: Option<Version>,
    /// Kept where a body wants to know what became of its bytes.
    delivery: Option<Arc<Delivery>>,
}

impl Region {
    /// The file, and the offset in it of the byte at `address`.
    pub(crate) fn source(&self, address: usize) -> (&File, u64) {
        (&self.file, self.offset + (address - self.start) as u64)
    }

    /// Fails if the file is no longer what it was.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.version
            .map_or(Ok(()), |version| version.check(&self.file))
    }

    /// Notes that the adapter was asked to send `slice`.
    pub(crate) fn note_offered(&self, slice: &[u8]) {
        if let Some(delivery) = &self.delivery
            && slice.as_ptr() as usize == self.start
            && slice.len() == self.len
        {
            delivery.offered.store(true, Ordering::Release);
        }
    }

    /// Notes that `bytes` of it were sent.
    pub(crate) fn note_sent(&self, bytes: usize) {
        if let Some(delivery) = &self.delivery {
            let before = delivery.sent.fetch_add(bytes as u64, Ordering::AcqRel);
            // Nobody waits for less than all of it.
            if before + bytes as u64 >= self.len as u64 {
                delivery.wake();
            }
        }
    }
}

/// What became of the bytes of one region.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    offered: AtomicBool,
    sent: AtomicU64,
    dropped: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Delivery {
    /// True once the adapter was asked to send all of it in one piece.
    pub(crate) fn offered(&self) -> bool {
        self.offered.load(Ordering::Acquire)
    }

    /// Bytes the adapter has sent by `sendfile(2)`.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// True once the last `Bytes` over the region is gone: nobody can read it any more.
    pub(crate) fn dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    /// Has `waker` woken at the next change. Look at the state after this call, not before.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(old) if old.will_wake(waker) => {}
            _ => *slot = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The registered region that holds all of `slice`, where it is to be sent in the slice's place.
pub(crate) fn find(slice: &[u8]) -> Option<Arc<Region>> {
    let short = slice.len() < SENDFILE_FROM;
    // A slice of a window that this thread holds was counted before it came here.
    if slice.is_empty() || (short && WINDOWS.load(Ordering::Acquire) == 0) {
        return None;
    }
    let address = slice.as_ptr() as usize;
    let regions = REGIONS.read().unwrap_or_else(PoisonError::into_inner);
    let (_, region) = regions.range(..=address).next_back()?;
    let end = address.checked_add(slice.len())?;
    let wanted = end <= region.start + region.len && (!short || region.version.is_some());
    wanted.then(|| Arc::clone(region))
}

/// A registered mapping. The entry goes before the mapping does, since `Drop::drop` runs before the fields'.
#[derive(Debug)]
struct Registered {
    mapping: Arc<Mapping>,
    delivery: Option<Arc<Delivery>>,
}

impl AsRef<[u8]> for Registered {
    fn as_ref(&self) -> &[u8] {
        (*self.mapping).as_ref()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let removed = REGIONS
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.mapping.address());
        if removed
            .as_ref()
            .is_some_and(|region| region.version.is_some())
        {
            WINDOWS.fetch_sub(1, Ordering::Release);
        }
        // Outside of the lock: this may close a file.
        drop(removed);
        if let Some(delivery) = &self.delivery {
            delivery.dropped.store(true, Ordering::Release);
            delivery.wake();
        }
    }
}

/// Bytes over all of `mapping`, which stands for the bytes of `file` from `offset` on.
///
/// Whoever keeps a clone of the mapping may look at its page tables after the bytes are gone.
pub(crate) fn publish(
    mapping: Arc<Mapping>,
    file: Arc<File>,
    offset: u64,
    version: Option<Version>,
    delivery: Option<Arc<Delivery>>,
) -> Bytes {
    let region = Arc::new(Region {
        start: mapping.address(),
        len: mapping.len(),
        file,
        offset,
        version,
        delivery: delivery.clone(),
    });
    if version.is_some() {
        WINDOWS.fetch_add(1, Ordering::Release);
    }
    REGIONS
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(region.start, region);
    Bytes::from_owner(Registered { mapping, delivery })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(len: usize) -> (Bytes, Arc<Delivery>) {
        let mapping = Arc::new(Mapping::window(len).unwrap());
        let delivery = Arc::new(Delivery::default());
        let file = Arc::new(File::open("/dev/null").unwrap());
        let version = Version::of(&file.metadata().unwrap());
        (
            publish(
                mapping,
                file,
                100,
                Some(version),
                Some(Arc::clone(&delivery)),
            ),
            delivery,
        )
    }

    #[test]
    fn slices_are_found_by_their_address_as_long_as_they_live() {
        let (bytes, delivery) = region(1 << 16);
        let piece = bytes.slice(5..4000);
        let found = find(&piece).unwrap();
        assert_eq!(found.source(piece.as_ptr() as usize).1, 105);
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
                    let null = Arc::new(File::open("/dev/null").unwrap());
                    let version = Some(Version::of(&null.metadata().unwrap()));
                    for round in 0..500u64 {
                        let mapping =
                            Arc::new(Mapping::window(4096 * (1 + round as usize % 3)).unwrap());
                        let offset = (thread << 32) | round;
                        let bytes = publish(mapping, Arc::clone(&null), offset, version, None);
                        let other = bytes.slice(1..4096);
                        let address = bytes.as_ptr() as usize;
                        assert_eq!(find(&bytes).unwrap().source(address).1, offset);
                        drop(bytes);
                        assert_eq!(find(&other).unwrap().source(address + 1).1, offset + 1);
                    }
                });
            }
        });
    }
}
