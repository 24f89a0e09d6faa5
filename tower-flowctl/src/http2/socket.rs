//! How much the kernel holds unsent, and when it sends what does not fill a segment.

use std::any::Any;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

/// Finds the socket below a stream.
#[cfg(unix)]
pub(crate) type SocketOf<Io> = fn(&Io) -> Option<BorrowedFd<'_>>;

/// Whether a mark of `new` bytes is worth a system call when the socket has `old`.
pub(crate) fn differs(old: usize, new: usize) -> bool {
    4 * old.abs_diff(new) > old
}

/// The stream itself, where it is one of tokio's.
#[cfg(unix)]
pub(crate) fn of_tokio<Io: 'static>(io: &Io) -> Option<BorrowedFd<'_>> {
    let io: &dyn Any = io;
    if let Some(tcp) = io.downcast_ref::<tokio::net::TcpStream>() {
        return Some(tcp.as_fd());
    }
    None
}

/// Sets `TCP_NOTSENT_LOWAT`: beyond so many unsent bytes the socket asks to wait (tcp(7)).
///
/// What cannot be set is left: a socket of another family has no such queue, and one that is gone needs none.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn hold_unsent(socket: BorrowedFd<'_>, bytes: usize) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    // An error leaves the system's own value, which is right, if less prompt.
    let _ = socket2::SockRef::from(&socket).set_tcp_notsent_lowat(bytes);
}

/// There is no such option.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn hold_unsent(_: BorrowedFd<'_>, _: usize) {}

/// Sets `TCP_NODELAY`: what does not fill a segment does not wait for the client to acknowledge the one before (tcp(7)).
///
/// Where it cannot be set, it waits.
#[cfg(unix)]
pub(crate) fn send_at_once(socket: BorrowedFd<'_>) {
    let _ = socket2::SockRef::from(&socket).set_tcp_nodelay(true);
}

/// Sets `TCP_CORK`: what does not fill a segment waits for more, for 200 ms at most, and goes when this is unset (tcp(7)).
///
/// Where it cannot be set, segments go as they are.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn keep_partial_segments(socket: BorrowedFd<'_>, keep: bool) {
    let _ = socket2::SockRef::from(&socket).set_tcp_cork(keep);
}

/// Other systems have no such option, or one that keeps the last segment, too.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn keep_partial_segments(_: BorrowedFd<'_>, _: bool) {}
