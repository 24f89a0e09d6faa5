//! Which connections may come in (tower-flowctl).

use super::Setting;

pub(crate) const MAX_CONNECTIONS: Setting = Setting::live(
    "max-connections",
    "COUNT|unlimited",
    "unlimited",
    "Connections in total; descriptors are a limit anyway",
);

pub(crate) const MAX_PER_ADDRESS: Setting = Setting::live(
    "max-connections-per-address",
    "COUNT|unlimited",
    "256",
    "Connections of one client",
);

pub(crate) const MAX_PER_PREFIX: Setting = Setting::live(
    "max-connections-per-prefix",
    "COUNT|unlimited",
    "1024",
    "Connections of one network, /24 of IPv4 or /64 of IPv6",
);

pub(crate) const ACCEPT_RATE: Setting = Setting::live(
    "accept-rate",
    "COUNT|unlimited",
    "unlimited",
    "Connections accepted in a second",
);

pub(crate) const AT_LIMIT: Setting = Setting::live(
    "at-limit",
    "pause|unavailable|reset",
    "unavailable",
    "What becomes of a connection for which there is no room:\nit waits in the kernel's queue, is told 503, or is reset",
);

pub(crate) const HANDSHAKE_TIMEOUT: Setting = Setting::live(
    "handshake-timeout",
    "DURATION",
    "10s",
    "For a client to finish the TLS handshake",
);

pub(crate) const HEADER_TIMEOUT: Setting = Setting::live(
    "header-timeout",
    "DURATION",
    "20s",
    "For a client to send a request's head",
);

pub(crate) const IDLE_TIMEOUT: Setting = Setting::live(
    "idle-timeout",
    "DURATION",
    "75s",
    "For a connection to stay without a request",
);

pub(crate) const MIN_RATE: Setting = Setting::live(
    "min-rate",
    "BYTES|unlimited",
    "240",
    "The least that a client sends of a body, or takes of a\nresponse, in a second",
);

pub(crate) const HALF_CLOSED: Setting = Setting::fixed(
    "half-closed",
    "answer|cancel",
    "answer",
    "What becomes of an HTTP/1 request whose client sends no more\nwhile it is answered, or is gone: nobody knows which",
);

pub(crate) const UNSENT: Setting = Setting::live(
    "unsent",
    "SIZE|unlimited",
    "128KiB",
    "What the kernel holds of a response beyond what is on its\nway, for connections from then on",
);

pub(crate) const PROXY_PROTOCOL: Setting = Setting::fixed(
    "proxy-protocol",
    "NETWORKS|off",
    "off",
    "The proxies whose PROXY protocol header is believed,\nsuch as 10.0.0.0/8,127.0.0.1",
);
