//! Static files for axum and hyper: every corner of RFC 9110, and `sendfile(2)` under an unmodified hyper.
//!
//! [`ServeFiles`] is a tower service over a directory, to be used where tower-http's `ServeDir` is: under any listener,
//! over TLS and HTTP/2, on every system tokio runs on. Beneath a [`ZeroCopyStream`] (with axum: a `ZeroCopyListener`, feature
//! `axum`) its HTTP/1 responses in the clear leave by `sendfile(2)`, without a copy in user space.
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # async fn run() -> std::io::Result<()> {
//! use tower_zerocopy_fs::{ServeFiles, ZeroCopyListener};
//!
//! let app = axum::Router::new().fallback_service(ServeFiles::try_new("public")?);
//! let listener = tokio::net::TcpListener::bind("[::]:8080").await?;
//! axum::serve(ZeroCopyListener::new(listener), app).await
//! # }
//! ```
//!
//! # When `sendfile` is used
//! Hyper writes the body's own `Bytes` to its transport and never looks into them. The service hands out bytes at addresses
//! that stand for a piece of a file; the adapter recognises the addresses and has the kernel send the file.
//!
//! ```text
//!  ServeFiles ──Bytes──► layers ──Bytes──► hyper ──&[u8]──► ZeroCopyStream ──► socket
//!      │                                                          │
//!      └──── address ↦ (file, offset) ───── registry ─────────────┘ known: sendfile, else: write
//! ```
//!
//! | tier | for | what the bytes are | the kernel sends |
//! |---|---|---|---|
//! | heap | files up to 64 KiB | the content, cached | the file, from 16 KiB on; below that one `writev` with the header |
//! | sealed | up to 8 MiB, from the second request on | a mapping of a sealed memory file | the file, or the sealed copy |
//! | windows | ranges from 512 KiB on of all others | zeros that stand for the file | the file, but for its last 4 KiB |
//! | reads | what is left | pooled buffers | nothing |
//!
//! A cached file's bytes are right for everybody who looks at them. The adapter asks the kernel to send the file itself in
//! their place while it is unchanged and in the page cache, which holds it in larger pieces than a memory file and
//! costs the kernel a third less; otherwise the copy is sent.
//!
//! | connection | heap | sealed | large files |
//! |---|---|---|---|
//! | HTTP/1 in the clear on the adapter | `sendfile` | `sendfile` | windows |
//! | the same under a layer that compresses, reads, or keeps bodies | write | write | reads |
//! | HTTP/2, TLS, hyper's `pipeline_flush`, any other listener | write | write | reads |
//! | other systems than Linux | write | – | reads |
//!
//! Nothing has to be set for that: what passes through unseen is sent by the kernel, and what is looked at is right.
//!
//! # What layers see
//! A heap, sealed, or read tier's bytes are the content and stay it; layers may do with them what they like. *Windows*
//! are zeros, and so each response that would use them first finds out whether anybody looks. It sends 64 KiB of true
//! bytes in memory of their own, and goes on with windows only if the adapter received exactly these bytes, nobody kept
//! them, and the page tables of this process (`/proc/self/pagemap`) show that nobody read them. A digest, a logger,
//! a firewall, a cache, a sniffer of first bytes, TLS, compression: all are found out by it, having seen true bytes only,
//! and get true bytes for the rest. After each window of 2 MiB the same is asked about the window.
//!
//! What this cannot foresee is **a layer that lets the first 64 KiB pass and reads or keeps later ones**. It sees zeros in
//! at most one window; that response then fails (the connection is closed before its last 4 KiB, and what was sent
//! is right), a warning is traced (feature `tracing`), and the service makes no more windows. Under such a layer build the
//! service with [`Windows::Off`]. Where `/proc` is not mounted there are no windows.
//!
//! # Changing files
//! Replace files by `rename`, or delete them: responses under way go on with the version they began with. A file that is
//! truncated or written over in place makes the responses under way from the windows and reads tiers fail visibly: they
//! end short and the connection is closed. Responses from the heap and sealed tiers go on with their copy of the old
//! version. With `sendfile` (in every server) bytes already queued in the socket are the page cache's own, so that writing
//! over them in place, without truncating first, can still change them on their way; renaming cannot. Under
//! [`Windows::Off`] the kernel sends nothing but sealed copies, which nobody can change.
//!
//! # Security
//! The root is a descriptor, and names are resolved below it by `openat2(2)` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_MAGICLINKS`, or by a walk with `O_NOFOLLOW` where that is missing; no check and use can be raced. `..` in
//! any spelling, encoded slashes, backslashes, controls, and invalid UTF-8 name no file; broken escapes and NUL are 400.
//! Names that begin with a dot are hidden ([`Dotfiles`]), links may not leave the root ([`Symlinks`]), fifos and devices
//! are never opened. Redirects are relative and cannot become `//host`. Listings are off, and escaped if on. Ranges
//! that overlap are sent as one; too many, and more bytes than the file has, are ignored. Memory is bounded by the settings below.
//!
//! # Tuning
//! [`heap_cache`](ServeFiles::heap_cache) and [`sealed_cache`](ServeFiles::sealed_cache) bound the memory tiers,
//! [`open_files`](ServeFiles::open_files) the descriptors, [`revalidate_after`](ServeFiles::revalidate_after) how long a
//! name is believed. A cold page cache is looked for with `RWF_NOWAIT`, for large files in samples, and filled on
//! tokio's blocking pool. The adapter gives way after every 256 KiB, so that one download does not delay small requests.
//! [`Metrics`] shows which tier served what.
//!
//! # Platforms
//! | | paths | tiers | adapter |
//! |---|---|---|---|
//! | Linux 5.6 and later | `openat2` | all | `sendfile` |
//! | Linux before | component walk | all that the kernel has | `sendfile` |
//! | macOS, BSD, Windows | checked components and canonical path | heap, reads | writes and gives way |
//!
//! # Features
//! | feature | |
//! |---|---|
//! | `axum` | `ZeroCopyListener`, an `axum::serve::Listener` |
//! | `tracing` | a warning when windows are given up |
#![deny(unsafe_code)]
// Elsewhere the counters and settings of the tiers that need Linux are there, and nothing uses them.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod body;
mod fs;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod metrics;
mod net;
#[cfg(target_os = "linux")]
mod region;
mod service;

pub use self::{
    body::Body,
    fs::policy::{Dotfiles, Symlinks},
    metrics::{Metrics, Snapshot},
    net::{ZeroCopyConfig, ZeroCopyStream},
    service::{
        Disposition, EntityTags, Listing, NoFallback, ResponseFuture, ServeFile, ServeFiles,
        SetStatus, Windows,
    },
};
#[cfg(feature = "axum")]
pub use net::ZeroCopyListener;
