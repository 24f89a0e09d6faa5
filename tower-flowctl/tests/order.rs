//! The order of bytes on a link of 20 Mbit/s, as the client sees it.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use std::time::Duration;

use raw::{Peer, Record, Server, app, flag, frame, get_block, kind};
use tokio::time::Instant;
use tower_flowctl::serve::Exec;

/// 20 Mbit/s.
const RATE: u64 = 2_500_000;
const MIB: usize = 1 << 20;
const OURS: Server = Server::Flowctl(Exec::Local);

/// How long 50 KB take when asked for half a second after so many responses of 1 MiB.
async fn urgent_after(server: Server, background: u32) -> Duration {
    let dial = server.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    for n in 0..background {
        peer.get(2 * n + 1, &format!("/bytes/{MIB}"), &[]).await;
    }
    let half = Instant::now() + Duration::from_millis(500);
    while tokio::time::timeout_at(half, peer.next()).await.is_ok() {}
    let urgent = 2 * background + 1;
    peer.get(urgent, "/bytes/51200", &[("priority", "u=0")])
        .await;
    let asked = Instant::now();
    let record = peer.finish(&[urgent]).await;
    record.ends[&urgent] - asked
}

#[tokio::test(start_paused = true)]
async fn an_urgent_response_takes_little_longer_than_alone() {
    for server in [OURS, Server::Layered] {
        let alone = urgent_after(server, 0).await;
        let among = urgent_after(server, 20).await;
        println!("{server:?}: alone {alone:?}, among 20 {among:?}");
        assert!(
            among.as_secs_f64() <= 1.3 * alone.as_secs_f64(),
            "{server:?}: {among:?} against {alone:?}"
        );
    }
    let plain = urgent_after(Server::Axum, 20).await;
    println!("plain hyper: among 20 {plain:?}");
    assert!(
        plain > Duration::from_millis(250),
        "the test shows no difference: {plain:?}"
    );
}

/// A full transport under TLS shows when it is flushed, not when it is written to.
#[tokio::test(start_paused = true)]
async fn little_is_before_an_urgent_response_where_tls_takes_writes_whole() {
    for server in [OURS, Server::Layered] {
        let dial = server.start(app());
        let mut peer = Peer::new(dial.connect_sealed_at(RATE)).await;
        for n in 0..20 {
            peer.get(2 * n + 1, &format!("/bytes/{MIB}"), &[]).await;
        }
        let mut before = Record::default();
        // For a while, since what may be on its way grows with what a transport takes that is never full.
        while before.data.iter().map(|(_, length)| length).sum::<usize>() < 4 * MIB {
            before.add(peer.next().await.unwrap());
        }
        peer.get(41, "/bytes/51200", &[("priority", "u=0")]).await;
        let after = peer.finish(&[41]).await;
        let others = after.data.iter().take_while(|(stream, _)| *stream != 41);
        let late: usize = others.map(|(_, length)| length).sum();
        assert!(
            late <= 16_384,
            "{server:?}: {late} bytes of others came before it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn responses_end_by_urgency_and_then_in_the_order_of_streams() {
    let urgencies = [3, 1, 7, 0, 3, 5, 1, 0, 6, 2];
    let mut expected: Vec<u32> = (0..urgencies.len() as u32).collect();
    expected.sort_by_key(|&n| urgencies[n as usize]);
    let expected: Vec<u32> = expected.into_iter().map(|n| 2 * n + 1).collect();
    for server in [OURS, Server::Layered] {
        let dial = server.start(app());
        let mut peer = Peer::new(dial.connect_at(RATE)).await;
        for (n, urgency) in urgencies.iter().enumerate() {
            let field = format!("u={urgency}");
            peer.get(2 * n as u32 + 1, "/bytes/262144", &[("priority", &field)])
                .await;
        }
        let record = peer.finish(&expected).await;
        assert_eq!(record.order, expected, "{server:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn incremental_responses_share_within_a_tenth() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    let streams = [1, 3, 5, 7];
    for stream in streams {
        peer.get(stream, "/bytes/500000", &[("priority", "u=4, i")])
            .await;
    }
    let record = peer.finish(&streams).await;
    for stream in streams {
        let share = record.share(stream, 1_000_000) as f64 / 250_000.0;
        assert!(
            (0.9..=1.1).contains(&share),
            "stream {stream} had {share} of its share"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_background_response_goes_on_under_an_endless_urgent_one() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    peer.get(1, "/bytes/10000000", &[("priority", "u=0")]).await;
    peer.get(3, "/bytes/10000000", &[("priority", "u=7")]).await;
    let record = peer.finish(&[1]).await;
    let background = record.share(3, usize::MAX);
    // One grant in sixteen is the bound; it costs the urgent one no more than that either.
    assert!(
        (10_000_000 / 20..=10_000_000 / 14).contains(&background),
        "{background} bytes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_priority_update_turns_the_wire_around_at_once() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    for stream in [1, 3, 5] {
        peer.get(stream, "/bytes/1000000", &[("priority", "u=3")])
            .await;
    }
    let mut before = Record::default();
    while before.data.iter().map(|(_, length)| length).sum::<usize>() < 300_000 {
        before.add(peer.next().await.unwrap());
    }
    assert!(
        before.share(1, usize::MAX) > 280_000,
        "the first stream is first"
    );
    peer.update(5, "u=0").await;
    let after = peer.finish(&[1, 3, 5]).await;
    let others = after.data.iter().take_while(|(stream, _)| *stream != 5);
    let late: usize = others.map(|(_, length)| length).sum();
    // What was granted before the frame came: two milliseconds, and one quantum.
    assert!(late <= 16_384, "{late} bytes of others came before it");
    assert_eq!(after.order, [5, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_update_before_its_request_counts() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    peer.update(5, "u=1").await;
    for stream in [1, 3, 5] {
        peer.get(stream, "/bytes/200000", &[("priority", "u=4")])
            .await;
    }
    assert_eq!(peer.finish(&[1, 3, 5]).await.order, [5, 1, 3]);
}

fn dependency(parent: u32, weight: u8, exclusive: bool) -> Vec<u8> {
    let word = parent | u32::from(exclusive) << 31;
    [&word.to_be_bytes()[..], &[weight]].concat()
}

/// A request as a client of RFC 7540 makes it.
async fn get_depending(peer: &mut Peer, stream: u32, path: &str, on: &[u8]) {
    let mut block = on.to_vec();
    block.extend(get_block(path, &[]));
    let flags = flag::END_STREAM | flag::END_HEADERS | flag::PRIORITY;
    peer.send(&frame(kind::HEADERS, flags, stream, &block))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_of_rfc_7540_moves_its_styles_above_its_scripts() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    let (script, style) = (1, 3);
    // The style sheet depends on the script: it gets nothing before that is done.
    get_depending(
        &mut peer,
        script,
        "/bytes/1000000",
        &dependency(0, 255, false),
    )
    .await;
    get_depending(
        &mut peer,
        style,
        "/bytes/1000000",
        &dependency(script, 255, false),
    )
    .await;
    let mut before = Record::default();
    while before.data.iter().map(|(_, length)| length).sum::<usize>() < 300_000 {
        before.add(peer.next().await.unwrap());
    }
    assert!(before.share(script, usize::MAX) > 270_000);
    // Now the other way round.
    peer.send(&frame(kind::PRIORITY, 0, style, &dependency(0, 255, false)))
        .await;
    peer.send(&frame(
        kind::PRIORITY,
        0,
        script,
        &dependency(style, 255, false),
    ))
    .await;
    let after = peer.finish(&[script, style]).await;
    assert_eq!(after.order, [style, script]);
    assert!(
        after.share(style, 500_000) > 450_000,
        "{}",
        after.share(style, 500_000)
    );
}

#[tokio::test(start_paused = true)]
async fn siblings_of_rfc_7540_share_by_weight() {
    let dial = OURS.start(app());
    let mut peer = Peer::new(dial.connect_at(RATE)).await;
    get_depending(&mut peer, 1, "/bytes/1000000", &dependency(0, 191, false)).await;
    get_depending(&mut peer, 3, "/bytes/1000000", &dependency(0, 63, false)).await;
    let record = peer.finish(&[1, 3]).await;
    let share = record.share(1, 800_000) as f64 / 600_000.0;
    assert!((0.9..=1.1).contains(&share), "{share}");
}
