//! The README's example of admission is this code, word for word.
#![cfg(all(feature = "admission", feature = "axum"))]

use axum::Router;
use tower_flowctl::admission::{Admission, CountRequests, Limits};

#[allow(dead_code, reason = "it is only compiled: it serves without an end")]
async fn serve(app: Router) -> Result<(), Box<dyn std::error::Error>> {
    // The example:
    let admission = Admission::builder()
        .limits(Limits::new().total(50_000).per_address(100))
        .build()?;
    let listener = admission.listener(tokio::net::TcpListener::bind("[::]:8080").await?);
    axum::serve(listener, CountRequests::new(app)).await?;
    // Its end.
    Ok(())
}

/// The lines between two, without what they are indented by.
fn between(text: &str, first: &str, last: &str) -> String {
    let (_, rest) = text.split_once(first).expect(first);
    let (lines, _) = rest.split_once(last).expect(last);
    let lines = lines
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[test]
fn the_example_of_admission_compiles() {
    let readme = include_str!("../README.md");
    let (_, section) = readme
        .split_once("## Admission in an axum app\n")
        .expect("the section");
    let (_, block) = section.split_once("```rust\n").expect("an example");
    let (shown, _) = block.split_once("```\n").expect("its end");
    let compiled = between(
        include_str!("readme.rs"),
        "    // The example:\n",
        "    // Its end.\n",
    );
    assert_eq!(shown.trim(), compiled);
    assert!(shown.lines().count() <= 10, "{shown}");
}
