//! What RFC 9113 and RFC 7541 ask of a server, case by case, in raw frames.
//!
//! A case says what the RFC asks for. What h2, the protocol below hyper, does otherwise stands beside it with the
//! reason, so that neither a server of ours nor a new h2 can change it unnoticed. The cases `generic/…`, `http2/…`
//! and `hpack/…` check what the cases of those numbers in h2spec check; the others are beyond it.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

#[path = "../raw/mod.rs"]
mod raw;

mod case;
mod control;
mod extensions;
mod frames;
mod generic;
mod hpack;
mod messages;
mod priorities;
mod run;
mod states;

use std::collections::BTreeSet;

use self::{
    case::{Case, Verdict},
    raw::Server,
    run::run,
};

fn cases() -> Vec<Case> {
    [
        generic::cases(),
        hpack::cases(),
        frames::cases(),
        states::cases(),
        control::cases(),
        messages::cases(),
        extensions::cases(),
        priorities::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How many cases each section of h2spec has.
const H2SPEC: [(&str, usize); 49] = [
    ("generic/1", 1),
    ("generic/2", 5),
    ("generic/3.1", 3),
    ("generic/3.2", 3),
    ("generic/3.3", 5),
    ("generic/3.4", 1),
    ("generic/3.5", 1),
    ("generic/3.7", 1),
    ("generic/3.8", 1),
    ("generic/3.9", 2),
    ("generic/3.10", 2),
    ("generic/4", 4),
    ("generic/5", 15),
    ("hpack/2.3.3", 2),
    ("hpack/4.2", 1),
    ("hpack/5.2", 3),
    ("hpack/6.1", 1),
    ("hpack/6.3", 1),
    ("http2/3.5", 2),
    ("http2/4.1", 3),
    ("http2/4.2", 3),
    ("http2/4.3", 3),
    ("http2/5.1", 13),
    ("http2/5.1.1", 2),
    ("http2/5.1.2", 1),
    ("http2/5.3.1", 2),
    ("http2/5.4.1", 2),
    ("http2/5.5", 2),
    ("http2/6.1", 3),
    ("http2/6.2", 4),
    ("http2/6.3", 2),
    ("http2/6.4", 3),
    ("http2/6.5", 3),
    ("http2/6.5.2", 5),
    ("http2/6.5.3", 2),
    ("http2/6.7", 4),
    ("http2/6.8", 1),
    ("http2/6.9", 3),
    ("http2/6.9.1", 3),
    ("http2/6.9.2", 3),
    ("http2/6.10", 6),
    ("http2/7", 2),
    ("http2/8.1", 1),
    ("http2/8.1.2", 1),
    ("http2/8.1.2.1", 4),
    ("http2/8.1.2.2", 2),
    ("http2/8.1.2.3", 7),
    ("http2/8.1.2.6", 2),
    ("http2/8.2", 1),
];

#[test]
fn every_case_of_h2spec_is_here_once() {
    let cases = cases();
    let ids: Vec<&str> = cases.iter().map(|case| case.id).collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "two cases have one number");
    for (section, count) in H2SPEC {
        for number in 1..=count {
            let id = format!("{section}/{number}");
            assert!(unique.contains(id.as_str()), "{id} is missing");
        }
    }
    // The 146 cases that h2spec runs, and the one it runs with --strict.
    assert_eq!(H2SPEC.iter().map(|(_, count)| count).sum::<usize>(), 147);
}

#[tokio::test(start_paused = true)]
async fn every_server_does_what_the_rfcs_ask() {
    let mut failures = Vec::new();
    for server in Server::ALL {
        let (mut exact, mut allowed, mut wrong) = (0, 0, 0);
        for case in cases() {
            let (expected, verdict) = case.expected(server);
            match verdict {
                None => exact += 1,
                Some(Verdict::Allowed(_)) => allowed += 1,
                Some(Verdict::Wrong(_)) => wrong += 1,
            }
            if let Some(verdict) = verdict {
                println!("{server:?}: {}: {expected:?}, {verdict:?}", case.id);
            }
            let (outcome, seen) = run(&case, server, expected).await;
            if outcome != *expected {
                failures.push(format!(
                    "{server:?}: {} ({}, {}): expected {expected:?}, not {outcome:?}, from {seen:?}",
                    case.id, case.section, case.name
                ));
            }
        }
        println!(
            "{server:?}: {exact} as asked, {allowed} otherwise as allowed, {wrong} otherwise by h2's choice"
        );
    }
    assert!(
        failures.is_empty(),
        "{} cases:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
