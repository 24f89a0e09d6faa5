//! TLS whose certificates change while it serves.
//!
//! ```text
//!  ClientHello ─► ALPN ─► configuration of that protocol ─► rustls
//!                          │ certificates: by SNI, from the snapshot of the moment
//!                          │ tickets: one list of keys for all, each ticket sealed to its protocol
//! ```
//!
//! Certificates are snapshots of a [`Handle`](crate::Handle), with everything that a handle does: checks, history, rollback. The
//! `ServerConfig`s stay when certificates change, and with them the ticket keys and cached sessions: no connection is
//! dropped, and old tickets resume. New full handshakes see the new certificate.
//!
//! # Resumption
//! rustls resumes a session only under the server name it was made for, and takes any ALPN protocol. By
//! [`AlpnResumption::Scoped`], which is the default, the protocol has to be the session's, too: a ticket is sealed with
//! its protocol as associated data and does not open under another, and each protocol has a cache of its own.
//! RFC 7301 permits both. The price of the stricter rule is one full handshake where a client changes protocols, such as a
//! browser that opens a WebSocket by HTTP/1.1 after a page by HTTP/2.
//!
//! Resumption does not show a certificate. After a key was compromised, [`HotTls::forget_sessions`].
//!
//! # Early data
//! 0-RTT (RFC 8446 §2.3) is off. [`HotTlsBuilder::early_data`] turns it on: a client that comes back sends its first request with
//! its ClientHello and has the answer one round trip earlier. Anybody who saw these bytes can send them again, so:
//!
//! - A session's early data is accepted once: sessions are in a cache then, and are taken out (RFC 8446 §8.1). Other
//!   machines do not have them, and refuse early data by a full handshake.
//! - Requests with methods that are not safe are answered by 425 until the handshake has ended, and clients send them again
//!   (RFC 8470 §5.2), by [`EarlyDataGuard`]: around `axum::serve`'s service by `EarlyDataMakeService`, around another one
//!   by [`EarlyDataLayer`].
//! - Who has no guard loses nothing but the round trip: early data waits for the handshake's end then.
//!
//! A replay to another process, or after a restart, finds no session. What is left is the answer to a safe request
//! being computed for nobody.
//!
//! # What it saves
//! Under TLS 1.2 a resumed handshake is an order of magnitude cheaper for the server. Under TLS 1.3 the key exchange
//! stays; with an ECDSA certificate there is little left to save.

mod accept;
mod certificates;
mod config;
mod der;
mod early;
mod error;
#[cfg(feature = "axum")]
mod listener;
mod sessions;
mod stream;
mod tickets;

pub use self::{
    accept::HandshakeInfo,
    certificates::{Certificates, CertificatesBuilder},
    config::{AlpnResumption, HotTls, HotTlsBuilder},
    early::{EarlyData, EarlyDataFuture, EarlyDataGuard, EarlyDataLayer},
    error::TlsError,
    stream::HotTlsStream,
    tickets::TicketKeys,
};
#[cfg(feature = "axum")]
pub use self::{
    early::{EarlyDataMakeFuture, EarlyDataMakeService},
    listener::{HotTlsListener, TlsConnectInfo},
};
