//! The server as its users see it: the built program, started on a free port, spoken to over TCP.

mod client;
mod process;

mod configuration;
mod limits;
mod orders;
mod paging;
mod problems;
mod protocols;
mod resources;
mod routes;
mod search;
mod shutdown;
