//! Idle memory follows demand: the pool after a burst, by a paused clock and by the kernel's account.
#![cfg(not(pool_loom))]

use std::time::Duration;

use tower_pool::{
    ClassDemand, Demand, Maintenance, Pool, Pressure, PressureGauge, RetentionPolicy,
};

const MIB: usize = 1 << 20;

fn burst(pool: &Pool, buffers: usize) {
    let out: Vec<_> = (0..buffers)
        .map(|_| {
            let mut buffer = pool.try_acquire(MIB).unwrap();
            buffer.extend_from_slice(&vec![1; MIB]).unwrap();
            buffer
        })
        .collect();
    drop(out);
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_after_a_burst_at_least_nine_tenths_are_given_back() {
    let pool = Pool::builder().limit(64 * MIB).build().unwrap();
    let maintenance = Maintenance::new(pool.clone()).gauge(PressureGauge::off());
    let running = tokio::spawn(maintenance.run());
    burst(&pool, 64);
    assert_eq!(pool.stats().idle_bytes(), 64 * MIB);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let soon = pool.stats().idle_bytes();
    assert!(
        soon >= 32 * MIB,
        "a burst soon after would find only {soon} bytes"
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = pool.stats().allocated;
    assert!(later <= 64 * MIB / 10, "{later} bytes are retained");
    pool.close(Duration::ZERO).await.unwrap();
    running.await.unwrap();
}

/// The figure to keep down is what a burst leaves behind, the price is what the next one has to allocate again.
#[tokio::test(start_paused = true)]
async fn the_longer_it_is_quiet_the_less_is_retained_and_the_more_the_next_burst_misses() {
    const BURST: usize = 64;
    let mut before = BURST + 1;
    for (quiet, least, most) in [
        (10, 45, BURST),
        (30, 32, 48),
        (60, 16, 24),
        (120, 4, 8),
        (600, 0, 0),
        (3600, 0, 0),
    ] {
        let pool = Pool::new();
        let maintenance = Maintenance::new(pool.clone()).gauge(PressureGauge::off());
        let running = tokio::spawn(maintenance.run());
        burst(&pool, BURST);
        tokio::time::sleep(Duration::from_secs(quiet)).await;
        let retained = pool.stats().idle();
        let missed = pool.stats().misses();
        burst(&pool, BURST);
        let missed = pool.stats().misses() - missed;
        println!(
            "{quiet} s after a burst of {BURST} MiB: {retained} MiB retained, {missed} misses in the next"
        );
        assert!((least..=most).contains(&retained), "{quiet} s: {retained}");
        assert_eq!(missed as usize, BURST - retained, "{quiet} s");
        assert!(retained < before || retained == 0, "{quiet} s: {retained}");
        before = retained;
        pool.close(Duration::ZERO).await.unwrap();
        running.await.unwrap();
    }
}

/// Keeps one idle buffer of each class.
struct One;

impl RetentionPolicy for One {
    fn retain(&mut self, _: &Demand, keep: &mut [usize]) {
        keep.fill(1);
    }
}

#[test]
fn a_policy_decides_the_ceiling_caps_and_the_decision_is_shown() {
    let (send, shown) = std::sync::mpsc::channel();
    let pool = Pool::builder().idle_ceiling(MIB + 300_000).build().unwrap();
    let mut maintenance = Maintenance::new(pool.clone())
        .policy(One)
        .gauge(PressureGauge::off())
        .on_decision(move |decision| send.send(decision.clone()).unwrap());
    let out: Vec<_> = [1, 1, 70_000, MIB]
        .map(|size| pool.try_acquire(size).unwrap())
        .into();
    drop(out);
    let decision = maintenance.tick(Duration::from_secs(1));
    assert_eq!(shown.try_recv().unwrap(), decision);
    let idle: Vec<usize> = pool
        .stats()
        .classes
        .iter()
        .map(|class| class.idle)
        .collect();
    assert_eq!(idle, [1, 0, 0, 1, 1]);
    assert_eq!(decision.trimmed, 4 << 10);
    assert_eq!(decision.demand.pressure, Pressure::None);
    let large: &ClassDemand = &decision.demand.classes[4];
    assert_eq!((large.acquired, large.misses, large.peak()), (1, 1, 1));

    let mut tight = Maintenance::new({
        let pool = Pool::builder().idle_ceiling(2 * MIB).build().unwrap();
        burst(&pool, 3);
        pool
    });
    assert_eq!(
        tight.tick(Duration::from_secs(1)).demand.classes[4].idle,
        2,
        "a lane keeps no more than the ceiling"
    );
}
