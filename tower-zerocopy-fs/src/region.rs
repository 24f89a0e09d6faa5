//! Memory mappings: the only module with `unsafe`.
//!
//! Two kinds exist, and of both every byte stays what it is for as long as the mapping lives:
//!
//! - [`Mapping::sealed`] maps a memory file that carries `F_SEAL_WRITE`, `F_SEAL_SHRINK` and `F_SEAL_GROW`. The kernel
//!   lets nobody change such a file or its length, in this process or another, and `F_SEAL_SEAL` lets nobody take
//!   the seals off. So reads neither race with writes nor raise `SIGBUS`.
//! - [`Mapping::window`] maps anonymous read-only memory: zeros that nobody can write to.
//!
//! That makes `&[u8]` over them sound. A mapping over an ordinary file would not be, and there is none here.
#![allow(unsafe_code)]

use std::{ffi::c_void, fs::File, io, ptr::NonNull, ptr::null_mut};

use rustix::{
    fs::{SealFlags, fcntl_get_seals},
    mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap},
};

/// A private read-only mapping of which no byte ever changes.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is read-only and unchanging (see the module's head) and owned by this value alone, so it may be read
// and unmapped from any thread.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Mapping {}

const SEALS: SealFlags = SealFlags::WRITE
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::SEAL);

impl Mapping {
    /// Maps `len` bytes from the start of `file`, which must be sealed and at least that long.
    ///
    /// # Errors
    /// `InvalidInput` where a seal is missing or the file is too short; what `mmap(2)` fails with.
    pub(crate) fn sealed(file: &File, len: usize) -> io::Result<Self> {
        if !fcntl_get_seals(file)?.contains(SEALS) || file.metadata()?.len() < len as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "only a fully sealed memory file of sufficient length can be mapped",
            ));
        }
        // SAFETY: a null hint lets the kernel choose free address space, so no memory of anybody else is replaced.
        let start = unsafe { mmap(null_mut(), len, ProtFlags::READ, MapFlags::PRIVATE, file, 0) }?;
        Self::new(start, len)
    }

    /// Maps `len` bytes of zeros without a page behind them.
    ///
    /// # Errors
    /// What `mmap(2)` fails with.
    pub(crate) fn window(len: usize) -> io::Result<Self> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: as in `sealed`.
        let start = unsafe { mmap_anonymous(null_mut(), len, ProtFlags::READ, flags) }?;
        let mapping = Self::new(start, len)?;
        // One page a fault, so that a reader shows exactly where it read. Kernels without huge pages refuse; fine.
        // SAFETY: the range is the mapping just made, and the advice changes no content.
        let _ = unsafe { madvise(start, len, Advice::LinuxNoHugepage) };
        Ok(mapping)
    }

    fn new(start: *mut c_void, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// The address of the first byte.
    pub(crate) fn address(&self) -> usize {
        self.start.as_ptr() as usize
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `start` is the beginning of a live mapping of at least `len` readable bytes, unmapped only on drop;
        // their content never changes (see the module's head); `len` came from a successful mmap and so is below
        // `isize::MAX`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the range mmap returned, unmapped once; `&mut self` proves that no borrow of it is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, fcntl_add_seals, memfd_create};

    use super::*;

    fn memory_file(len: u64) -> File {
        let file = File::from(
            memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap(),
        );
        file.set_len(len).unwrap();
        file
    }

    #[test]
    fn only_sealed_files_of_sufficient_length_are_mapped() {
        let file = memory_file(10);
        assert!(Mapping::sealed(&file, 10).is_err());
        fcntl_add_seals(
            &file,
            SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
        )
        .unwrap();
        assert!(
            Mapping::sealed(&file, 10).is_err(),
            "the seals could still be added to"
        );
        fcntl_add_seals(&file, SealFlags::SEAL).unwrap();
        assert!(Mapping::sealed(&file, 11).is_err());
        assert_eq!(Mapping::sealed(&file, 10).unwrap().as_ref(), [0; 10]);
        assert!(file.set_len(1).is_err());
    }

    #[test]
    fn a_window_is_zeros() {
        let window = Mapping::window(1 << 20).unwrap();
        assert!(window.as_ref().iter().all(|&b| b == 0));
        assert_eq!(window.as_ref().as_ptr() as usize, window.address());
        assert_eq!(window.len(), 1 << 20);
    }
}
