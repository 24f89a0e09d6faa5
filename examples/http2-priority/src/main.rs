//! Response priority, seen in a browser.
//!
//! ```text
//! cargo run --release -p http2-priority
//! ```
//! Two servers on this machine, each behind a link of 20 Mbit/s: `axum::serve` as it is, and tower-flowctl's `serve`. Open
//! the page of either and start it: ten large downloads in the background, and an urgent one half a second later. The page
//! draws when each began and ended. With `#start` behind the address it starts by itself.
//!
//! The certificate is made at the start and signed by nobody; the browser asks once for each server whether that is fine. For
//! other bandwidths give megabits a second as the argument.
#![forbid(unsafe_code)]

mod link;
mod page;
mod tls;

use std::{error::Error, net::Ipv4Addr};

use tower_flowctl::http2::{PriorityLayer, PriorityOverride};

use crate::{link::Rate, tls::TlsListener};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let rate = match std::env::args().nth(1) {
        Some(megabits) => Rate::megabits(megabits.parse()?),
        None => Rate::megabits(20.0),
    };
    let plain = TlsListener::bind((Ipv4Addr::LOCALHOST, 8443).into(), rate).await?;
    let ours = TlsListener::bind((Ipv4Addr::LOCALHOST, 8444).into(), rate).await?;
    println!("axum::serve:   https://localhost:8443/");
    println!("tower-flowctl: https://localhost:8444/");

    let app = page::app("axum::serve", "8444");
    let plain = tokio::spawn(axum::serve(plain, app).into_future());

    // What the browser says counts; of what it says nothing about, the server knows something.
    let rules = PriorityLayer::new()
        .content_type("text/css", PriorityOverride::new().urgency(1))
        .content_type("image/*", PriorityOverride::new().incremental(true));
    let app = page::app("tower-flowctl", "8443").layer(rules);
    tower_flowctl::serve(ours, app).run_until(plain).await;
    Ok(())
}
