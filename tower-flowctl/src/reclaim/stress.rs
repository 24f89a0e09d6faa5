//! Everything at once, in orders that nobody chose: connections come, ask and go, while others make room, reclaim, replace the
//! limits, give up keeping the time, and drain. At the end nothing is left of any of them.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::poll;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    task::{JoinHandle, yield_now},
    time::timeout,
};

use super::{make_room, table::Order};
use crate::admission::{Admission, AdmittedStream, Class, Limits};

/// Longer than anything here takes, however busy the machine is.
const HANG: Duration = Duration::from_secs(60);

const CONNECTIONS: u64 = 300;

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A connection and its client, until both have gone.
async fn connect(admission: Admission, seed: u64) {
    let mut random = Random::new(seed);
    let (io, mut client) = duplex(8);
    let mut reservation = admission.core().enter(random.below(2) as usize);
    let ip = [127, 0, 0, random.below(4) as u8].into();
    reservation.name(Some(ip), &admission.limits()).unwrap();
    // Some leave before they have a connection.
    if random.below(10) == 0 {
        return;
    }
    let place = reservation.take(None, &Default::default());
    let mut stream = AdmittedStream::new(io, Vec::new(), place, &admission.limits());
    let connection = stream.connection();
    let mut moods = Random::new(seed ^ u64::MAX);
    let server = tokio::spawn(async move {
        connection.established();
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte).await {
            let request = connection.begin();
            if moods.below(3) == 0 {
                yield_now().await;
            }
            let written = stream.write_all(&byte).await;
            drop(request);
            if written.is_err() {
                break;
            }
        }
    });
    for _ in 0..random.below(20) {
        if random.below(2) == 0 {
            yield_now().await;
            continue;
        }
        if client.write_all(b"x").await.is_err() || client.read_u8().await.is_err() {
            break;
        }
    }
    // A third waits until it is told to go: who is not told waits for ever.
    if random.below(3) == 0 {
        let _ = client.read_to_end(&mut Vec::new()).await;
    }
    drop(client);
    server.await.unwrap();
}

/// Drops a future at whichever wait it is in after so many polls.
async fn give_up<T>(future: impl Future<Output = T>, polls: u64) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if poll!(future.as_mut()).is_ready() {
            return;
        }
        yield_now().await;
    }
}

/// One of those who want something of the connections.
async fn meddle(admission: Admission, seed: u64, stop: Arc<AtomicBool>) {
    let mut random = Random::new(seed);
    let mut maintenance: Option<JoinHandle<()>> = None;
    while !stop.load(Relaxed) {
        match random.below(8) {
            0 => drop(make_room(admission.core())),
            1 => {
                let count = random.below(9) as usize;
                admission.reclaim(count, Duration::ZERO).await;
            }
            2 => {
                give_up(admission.reclaim(100, Duration::ZERO), random.below(4)).await;
            }
            3 => {
                let idle = Duration::from_millis(1 + random.below(300));
                let limits = Limits::none().idle(idle).close_grace(HANG);
                admission.set_limits(limits).unwrap();
            }
            4 => drop(admission.snapshot()),
            5 => {
                let all = admission.connections();
                if let Some(some) = all.get(random.below(CONNECTIONS) as usize) {
                    some.close();
                }
            }
            6 => {
                maintenance.get_or_insert_with(|| tokio::spawn(admission.maintain()));
            }
            _ => {
                if let Some(task) = maintenance.take() {
                    task.abort();
                }
            }
        }
        yield_now().await;
    }
    if let Some(task) = maintenance {
        task.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_left_of_connections_whatever_happens_to_them() {
    for seed in 0..10 {
        println!("seed {seed}");
        let admission = Admission::builder()
            .limits(Limits::none().close_grace(HANG))
            .class(Class::new("management").reserve(3))
            .build()
            .unwrap();
        admission.ensure_maintained();
        let stop = Arc::new(AtomicBool::new(false));
        let meddlers: Vec<_> = (0..3)
            .map(|number| meddle(admission.clone(), 1000 * seed + number, Arc::clone(&stop)))
            .map(tokio::spawn)
            .collect();
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|number| connect(admission.clone(), (seed << 32) + number))
            .map(tokio::spawn)
            .collect();
        // Some have come by now, and some come still.
        for _ in 0..10 {
            yield_now().await;
        }
        // Given up at each of its waits, it leaves the rest to the next.
        for polls in 0..4 {
            give_up(admission.drain(Duration::MAX), polls).await;
        }
        for client in clients {
            timeout(HANG, client).await.expect("an end").unwrap();
        }
        let drain = timeout(HANG, admission.drain(Duration::MAX));
        assert!(drain.await.expect("an end").cut.is_empty());
        stop.store(true, Relaxed);
        for meddler in meddlers {
            timeout(HANG, meddler).await.expect("an end").unwrap();
        }
        let core = admission.core();
        assert_eq!(core.open(), 0);
        for class in &core.classes {
            assert_eq!((class.open(), class.leaving()), (0, 0), "{class:?}");
        }
        assert!(core.addresses.is_empty());
        assert_eq!(core.table().iter().count(), 0);
        for order in [Order::Activity, Order::Check] {
            assert_eq!(core.table().first(order), None, "{order:?}");
        }
        // Whoever kept the time has been stopped a hundred times: somebody does.
        let now = core.clock.now();
        let goes_on = async {
            while core.clock.now() == now {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(HANG, goes_on).await.expect("that time goes on");
    }
}
