//! The server as its users see it: the built program, started on a free port, spoken to over TCP.

mod client;
mod process;
mod raw_http2;

mod aborts;
mod admin;
mod configuration;
mod deploy;
mod durability;
mod early_data;
mod files;
mod grafana;
mod limits;
mod live;
mod orders;
mod paging;
mod pipelining;
mod problems;
mod protocols;
mod proxy;
mod reload;
mod reload_effects;
mod remote;
mod resources;
mod restart;
mod routes;
mod run_modes;
mod search;
mod shutdown;
mod snapshots;
mod soak;
mod systemd;
mod tls;
mod traces;
mod uploads;
mod waiting;
