use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    super::frame::{HEAD, Head},
    *,
};

/// A window as h2 keeps it (`FlowControl` in `proto/streams/flow_control.rs`): what the peer may still send, and
/// what it could be told it may send.
#[derive(Clone, Copy, Debug)]
struct Hyper {
    window: i64,
    available: i64,
}

impl Hyper {
    fn new(size: i64) -> Self {
        Self {
            window: size,
            available: size,
        }
    }

    fn received(&mut self, bytes: i64) {
        self.window -= bytes;
        self.available -= bytes;
        assert!(self.window >= 0, "h2 would close the connection");
    }

    /// What was read, and the increment it is announced by, if it is.
    fn released(&mut self, bytes: i64) -> Option<u32> {
        self.available += bytes;
        let unclaimed = self.available - self.window;
        (unclaimed > 0 && unclaimed >= self.window / 2).then(|| {
            self.window = self.available;
            unclaimed as u32
        })
    }
}

/// A connection: a client, ours, and hyper.
struct Model {
    ours: Windows,
    hyper: Hyper,
    streams: BTreeMap<u32, (Hyper, i64)>,
    client: BTreeMap<u32, i64>,
    next: u32,
    ping: bool,
}

const STREAM: u32 = 1 << 20;
const CONNECTION: u32 = 4 << 20;

impl Model {
    fn new(budget: &ReceiveBudget) -> Self {
        let mut ours = Windows::new(budget.clone(), STREAM, CONNECTION);
        assert_eq!(ours.advertise(2 * STREAM), BASE as u32);
        ours.hyper_grows(0, 2 * CONNECTION - BASE as u32);
        ours.confirmed();
        Self {
            ours,
            hyper: Hyper::new(2 * i64::from(CONNECTION)),
            streams: BTreeMap::new(),
            client: BTreeMap::from([(0, BASE)]),
            next: 1,
            ping: false,
        }
    }

    fn pick(&self, which: u8) -> Option<u32> {
        let streams: Vec<u32> = self.streams.keys().copied().collect();
        streams
            .get(usize::from(which) % streams.len().max(1))
            .copied()
    }

    fn step(&mut self, what: u8, which: u8, amount: u32) {
        let stream = self.pick(which);
        match (what, stream) {
            (0, _) if self.streams.len() < 8 => {
                let size = 2 * i64::from(STREAM);
                self.ours.opened(self.next);
                if !amount.is_multiple_of(4) {
                    assert!(self.ours.govern(self.next));
                } else {
                    self.ours.leave_to_hyper(self.next);
                }
                self.streams.insert(self.next, (Hyper::new(size), 0));
                self.client.insert(self.next, BASE);
                self.next += 2;
            }
            (1..=4, Some(stream)) => {
                let open = self.client[&0].min(self.client[&stream]);
                let length = open.min(i64::from(amount).min(16_384));
                if length <= 0 {
                    return;
                }
                let padding = length.min(i64::from(amount % 7));
                for window in [0, stream] {
                    *self.client.get_mut(&window).unwrap() -= length;
                }
                let told = self.ours.received(stream, length as u32, padding as u32);
                assert_eq!(told, Ok(()));
                self.hyper.received(length);
                let (hyper, held) = self.streams.get_mut(&stream).unwrap();
                hyper.received(length);
                *held += length - padding;
                self.release(stream, padding);
            }
            (5..=8, Some(stream)) => self.read(stream, i64::from(amount)),
            (9, Some(stream)) => {
                let (_, held) = self.streams.remove(&stream).unwrap();
                self.client.remove(&stream);
                self.ours.over(stream);
                if let Some(increment) = self.hyper.released(held) {
                    self.ours.hyper_grows(0, increment);
                }
            }
            (10, _) if self.ping => {
                self.ping = false;
                self.ours.answered();
            }
            _ => {}
        }
        self.write();
    }

    fn read(&mut self, stream: u32, most: i64) {
        let (_, held) = self.streams.get_mut(&stream).unwrap();
        let bytes = most.min(*held);
        *held -= bytes;
        self.ours.read(stream, bytes as usize);
        self.release(stream, bytes);
    }

    fn release(&mut self, stream: u32, bytes: i64) {
        let (hyper, _) = self.streams.get_mut(&stream).unwrap();
        if let Some(increment) = hyper.released(bytes) {
            self.ours.hyper_grows(stream, increment);
        }
        if let Some(increment) = self.hyper.released(bytes) {
            self.ours.hyper_grows(0, increment);
        }
    }

    fn write(&mut self) {
        let mut out = Vec::new();
        if self.ours.is_due() {
            self.ours.write(&mut out);
        }
        let mut rest = &out[..];
        while let Some(head) = Head::parse(rest) {
            let payload = &rest[HEAD..HEAD + head.length];
            match (head.kind, payload.first_chunk::<4>()) {
                (kind::WINDOW_UPDATE, Some(increment)) => {
                    let increment = i64::from(u32::from_be_bytes(*increment));
                    assert!(increment > 0);
                    *self.client.get_mut(&head.stream).unwrap() += increment;
                }
                (kind::PING, _) => self.ping = true,
                other => panic!("{other:?}"),
            }
            rest = &rest[HEAD + head.length..];
        }
        let Window { open, held, .. } = self.ours.connection;
        assert_eq!(open, self.client[&0]);
        assert_eq!(self.ours.charged as i64, (open + held - BASE).max(0));
    }
}

proptest! {
    #[test]
    fn no_more_is_promised_than_there_is_and_nobody_is_forgotten(
        budget in 0u64..8 << 20,
        steps in prop::collection::vec((0usize..3, 0u8..11, any::<u8>(), 0u32..40_000), 0..2_000),
    ) {
        let budget = ReceiveBudget::new(budget);
        let mut connections: Vec<Model> = (0..3).map(|_| Model::new(&budget)).collect();
        for (connection, what, which, amount) in steps {
            connections[connection].step(what, which, amount);
            let charged: u64 = connections.iter().map(|model| model.ours.charged).sum();
            prop_assert_eq!(budget.promised(), charged);
            prop_assert!(charged <= budget.total());
        }
        // Once all is read, every client may go on.
        for model in &mut connections {
            let streams: Vec<u32> = model.streams.keys().copied().collect();
            for &stream in &streams {
                model.read(stream, i64::MAX);
            }
            model.write();
            for stream in streams {
                prop_assert!(model.client[&stream] > 0, "stream {} stands still", stream);
                prop_assert!(model.client[&0] > 0, "the connection stands still");
            }
        }
        drop(connections);
        prop_assert_eq!(budget.promised(), 0);
    }
}
