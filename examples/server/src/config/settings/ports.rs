//! Where to listen, and with which secrets.

use super::Setting;

pub(crate) const LISTEN: Setting = Setting::fixed(
    "listen",
    "ADDRESS:PORT",
    "127.0.0.1:3000",
    "Where to listen; port 0 picks a free one.\nThe default is reachable from this machine only",
);

pub(crate) const TLS_LISTEN: Setting = Setting::fixed(
    "tls-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3443",
    "Where to listen for TLS",
);

pub(crate) const ADMIN_LISTEN: Setting = Setting::fixed(
    "admin-listen",
    "ADDRESS:PORT|off",
    "127.0.0.1:3001",
    "Where the dashboard, the metrics and the admin API listen",
);

pub(crate) const ADMIN_TOKEN: Setting = Setting::fixed(
    "admin-token",
    "TOKEN|random",
    "random",
    "What a change through the admin API must bear;\na random one is printed at the start",
);

pub(crate) const TLS_CERTIFICATE: Setting = Setting::live(
    "tls-certificate",
    "FILE|self-signed",
    "self-signed",
    "The certificate chain, as PEM",
);

pub(crate) const TLS_KEY: Setting = Setting::live(
    "tls-key",
    "FILE|self-signed",
    "self-signed",
    "The certificate's private key, as PEM",
);

pub(crate) const TLS_TICKET_KEYS: Setting = Setting::fixed(
    "tls-ticket-keys",
    "FILE|random",
    "random",
    "The keys of session tickets, one of 64 hex digits a line;\nservers that share them resume each other's sessions",
);

pub(crate) const TLS_EARLY_DATA: Setting = Setting::fixed(
    "tls-early-data",
    "SIZE|off",
    "off",
    "Bytes of a returning client's first request that are taken\nbefore the handshake ends (0-RTT), such as 16KiB",
);
