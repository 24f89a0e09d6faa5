//! Flow control for HTTP servers on [tower] and hyper, at both ends of a connection: which bytes leave first, and
//! which connections may come in.
//!
//! [tower]: https://docs.rs/tower
