//! Taking connections back: those past a deadline, and under pressure the longest idle.
//!
//! # The order
//! When descriptors run short ([`descriptors`](crate::descriptors)), connections are closed **longest idle first**: the
//! one whose last byte is furthest back, or, over HTTP/2 with its PINGs, whose last response is. It is the one least likely to
//! be used again soon, and closing it costs its client the least: most clients expect an old keep-alive connection to be gone, and repeat the request on a new one. Closing the
//! newest first ("LIFO") would hit the clients that are in the middle of loading a page and would keep the abandoned ones.
//! nginx's `ngx_drain_connections` and h2o's `soft-connection-limit` take the oldest, too. A stack is the right order
//! somewhere else, for requests that wait under overload ([`limit`](crate::limit)): there the newest has the
//! client that still waits.
//!
//! # Which, and how many
//! | pressure | silent for at least | at a time |
//! |---|---|---|
//! | up to [`high`](crate::descriptors::DescriptorGuard::high) | – | – |
//! | over it for the debounce | [`reclaim_after`](crate::admission::Limits::reclaim_after), falling to 250 ms as use grows to [`critical`](crate::descriptors::DescriptorGuard::critical) | down to [`low`](crate::descriptors::DescriptorGuard::low) |
//! | over `critical` | 250 ms | down to `low` |
//! | no descriptor for a newcomer | any, but a second before the first request | down to `low`, 1 to 32 at once |
//! | and nobody idle | 200 ms before the first request | the same, and HTTP/1 responses end their connections for a second |
//!
//! Pressure also shortens the handshake's and the header's deadlines, to a half over `high` and to a quarter over
//! `critical`. A fixed "idle for 30 s" alone would be helpless against a burst that fills the table in ten seconds, and
//! needlessly severe when one idle connection had to go.
//!
//! Never closed are connections with a request: long polls, streams, downloads, upgraded ones, and over HTTP/2 responses that wait
//! for their client's windows; those whose requests
//! nobody counts (see [`CountRequests`](crate::admission::CountRequests)); and those in the middle of a request's head,
//! which have their own deadline. Nor does a class lose connections that are within its reserve, since their places would not
//! be for others.
//!
//! # How
//! Gracefully. The stream reports an end of file to hyper, in the connection's own task, and only if by then still nothing
//! has come in. Hyper then closes in order. A request that raced in is answered; its HTTP/1 response says
//! `Connection: close`. What has not ended after [`close_grace`](crate::admission::Limits::close_grace) though it is idle
//! is reset. Whoever [lingers](crate::admission::Limits::linger) is idle, and ends at once.
//!
//! A few at a time. To end a connection costs its runtime some twenty microseconds, and an active one that becomes ready
//! behind ten thousand others would wait for all of them. So 4 go every millisecond, 8 under high and 32 under critical
//! pressure, whether they are reclaimed or past a deadline. Only a newcomer has its 32 at once.
//!
//! # Cost
//! A byte costs a stamp in the connection's own memory. Connections are found through intrusive lists that are put right when
//! somebody comes by, so nothing ever walks the whole table: each connection is looked at once in every
//! shortest deadline (5 s by default), and reclaiming costs as many steps as connections are closed, plus one for each
//! that was active since it was last looked at, and for each that its class keeps.

mod deadline;
#[cfg(test)]
mod many;
#[cfg(test)]
mod stress;
mod sweep;
mod table;

pub(crate) use deadline::Deadlines;
pub(crate) use sweep::{Relief, check, make_room, recheck, reclaim_in_turns, relief};
pub(crate) use table::Table;
