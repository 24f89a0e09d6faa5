//! The kernel's own word: what `strace` sees. Alone in its file, since it sees the whole process.
#![cfg(target_os = "linux")]

mod common;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use axum::Router;
use common::{Tree, content, counted, fetch_and_settle, serve};

const LEN: usize = 12 * 1024 * 1024;

/// Attaches strace to this very process while a file is fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strace_sees_the_sendfile_calls_that_are_counted() {
    let (tree, bytes) = (Tree::new(), content(LEN));
    tree.file("f", &bytes);
    let log = tree.path().join("strace.log");
    let attach = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=sendfile",
            "-p",
            &std::process::id().to_string(),
            "-o",
        ])
        .arg(&log)
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut strace) = attach else {
        eprintln!("strace is not installed: the counters are believed without it");
        return;
    };
    // It says so once it is attached, perhaps after a warning, or says why it cannot be and ends.
    let mut said = String::new();
    let mut stderr = BufReader::new(strace.stderr.take().unwrap());
    while !said.contains("attached") {
        if stderr.read_line(&mut said).unwrap() == 0 {
            strace.wait().unwrap();
            eprintln!(
                "strace may not attach here ({}): the counters are believed without it",
                said.trim()
            );
            return;
        }
    }
    let (files, metrics) = counted(&tree);
    let address = serve(Router::new().fallback_service(files), &metrics).await;
    let answer = fetch_and_settle(address, "/f", &[], "/none").await.unwrap();
    let id = rustix::process::Pid::from_child(&strace);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    strace.wait().unwrap();
    assert!(answer.body == bytes);
    let log = std::fs::read_to_string(log).unwrap();
    let (mut calls, mut sent) = (0, 0);
    for line in log.lines().filter(|line| line.contains("sendfile")) {
        if let Some(n) = line
            .rsplit("= ")
            .next()
            .and_then(|n| n.trim().parse::<u64>().ok())
        {
            calls += 1;
            sent += n;
        }
    }
    let counted = metrics.snapshot();
    assert_eq!(
        (calls, sent),
        (counted.sendfile_calls, counted.sendfile_bytes),
        "{log}"
    );
    assert_eq!(sent, (LEN - 4096) as u64);
}
