//! The C library's heap.

/// Asks the C library to give the pages of its heap that nothing lies in back to the kernel, wherever in the heap
/// they are; says whether it found any, which may have been given back before. Only glibc can, by malloc_trim(3).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn release_free_pages() -> bool {
    unsafe extern "C" {
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: the signature is that of malloc.h; the function takes no pointer, may be called at any time from any
    // thread (MT-Safe by its manual), and leaves everything allocated as it is.
    unsafe { malloc_trim(0) != 0 }
}

/// Elsewhere freeing is all there is.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn release_free_pages() -> bool {
    false
}
