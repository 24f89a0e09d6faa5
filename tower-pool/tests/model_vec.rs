//! `PooledBuf` does what a `Vec<u8>` does.
#![cfg(not(pool_loom))]

use std::io::Write;

use bytes::{Buf, BufMut};
use proptest::prelude::*;
use tower_pool::Pool;

#[derive(Debug, Clone)]
enum Step {
    Extend(usize, u8),
    Write(usize, u8),
    Put(usize, u8),
    Reserve(usize),
    Advance(usize),
    Truncate(usize),
    Fill(u8),
    Clear,
    Again,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..300, any::<u8>()).prop_map(|(n, b)| Step::Extend(n, b)),
        (0usize..300, any::<u8>()).prop_map(|(n, b)| Step::Write(n, b)),
        (0usize..300, any::<u8>()).prop_map(|(n, b)| Step::Put(n, b)),
        (0usize..2000).prop_map(Step::Reserve),
        (0usize..300).prop_map(Step::Advance),
        (0usize..1000).prop_map(Step::Truncate),
        any::<u8>().prop_map(Step::Fill),
        Just(Step::Clear),
        Just(Step::Again),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_buffer_equals_a_vec(steps in prop::collection::vec(step(), 1..60)) {
        let pool = Pool::builder().classes([64, 256, 1024]).limit(1 << 20).build().unwrap();
        let mut buffer = pool.try_acquire(1).unwrap();
        let mut model: Vec<u8> = Vec::new();
        for step in steps {
            match step.clone() {
                Step::Extend(n, b) => {
                    buffer.extend_from_slice(&vec![b; n]).unwrap();
                    model.extend(vec![b; n]);
                }
                Step::Write(n, b) => {
                    buffer.write_all(&vec![b; n]).unwrap();
                    model.extend(vec![b; n]);
                }
                Step::Put(n, b) => {
                    let n = n.min(buffer.remaining_mut());
                    buffer.put_slice(&vec![b; n]);
                    model.extend(vec![b; n]);
                }
                Step::Reserve(n) => {
                    buffer.reserve(n).unwrap();
                    prop_assert!(buffer.remaining_mut() >= n);
                }
                Step::Advance(n) => {
                    let n = n.min(model.len());
                    buffer.advance(n);
                    model.drain(..n);
                }
                Step::Truncate(n) => {
                    buffer.truncate(n);
                    model.truncate(n);
                }
                Step::Fill(b) => {
                    buffer.fill(b);
                    model.fill(b);
                }
                Step::Clear => {
                    buffer.clear();
                    model.clear();
                }
                Step::Again => {
                    drop(buffer);
                    buffer = pool.try_acquire(1).unwrap();
                    model.clear();
                }
            }
            prop_assert_eq!(&buffer[..], &model[..], "after {:?}", step);
            prop_assert_eq!(buffer.remaining(), model.len());
        }
        let frozen = buffer.freeze();
        prop_assert_eq!(&frozen[..], &model[..]);
        drop(frozen);
        let stats = pool.stats();
        prop_assert_eq!(stats.in_use, 0);
        prop_assert_eq!(stats.idle_bytes(), stats.allocated);
    }
}
