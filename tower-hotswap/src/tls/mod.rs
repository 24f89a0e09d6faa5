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
//! 0-RTT (RFC 8446 §2.3) is off and cannot be turned on, so no request has to be refused by 425 (RFC 8470) either. What stands
//! in its way:
//!
//! - tokio-rustls's server hands out a stream when the handshake has ended, and by then early data has nothing left to
//!   save. Its feature `early-data` is for clients. It would take another stream here, which lets reads see
//!   `ServerConnection::early_data` before the client's `Finished`, and a layer that asks whether that came meanwhile.
//! - rustls accepts early data only from sessions in a cache: with a ticketer it never does, since a ticket can be sent
//!   twice. So it would work with [`HotTlsBuilder::session_cache`] alone, on the one machine that has the session.
//!
//! What it would save is one round trip of a resumed TLS 1.3 handshake, for safe methods.
//!
//! # What it saves
//! Under TLS 1.2 a resumed handshake is an order of magnitude cheaper for the server. Under TLS 1.3 the key exchange
//! stays; with an ECDSA certificate there is little left to save.

mod accept;
mod certificates;
mod config;
mod der;
mod error;
#[cfg(feature = "axum")]
mod listener;
mod sessions;
mod tickets;

pub use self::{
    accept::HandshakeInfo,
    certificates::{Certificates, CertificatesBuilder},
    config::{AlpnResumption, HotTls, HotTlsBuilder},
    error::TlsError,
    tickets::TicketKeys,
};
#[cfg(feature = "axum")]
pub use listener::{HotTlsListener, TlsConnectInfo};
