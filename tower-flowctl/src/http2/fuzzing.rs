//! See [`crate::fuzzing`].

use super::{
    Http2Config, PriorityOverride, ReceiveBudget,
    connection::Connection,
    frame::{Dependency, PREFACE},
    identity::{FIELD_VALUE, Prefix},
    inbound::{Inbound, Step},
    outbound::Outbound,
    priority::Priority,
    scheduler::{Answer, Handle, Scheduler},
    windows::Windows,
};

pub(crate) fn frames(data: &[u8]) {
    let Some((&piece, frames)) = data.split_first() else {
        return;
    };
    let stream = [PREFACE.as_slice(), frames].concat();
    let (whole, told) = pass(&stream, stream.len());
    assert_eq!(
        pass(&stream, usize::from(piece).max(1)),
        (whole.clone(), told)
    );
    let grown = whole.len() - stream.len();
    assert_eq!(grown % (3 + FIELD_VALUE), 0, "something else was added");

    let sent = |piece: usize| {
        let mut outbound = Outbound::default();
        let mut bytes = std::collections::BTreeMap::<u32, u64>::new();
        for piece in frames.chunks(piece) {
            outbound.passed(&[piece], piece.len(), &mut |event| {
                if let super::frame::Event::Sent { stream, length, .. } = event {
                    *bytes.entry(stream).or_default() += u64::from(length);
                }
            });
        }
        (bytes, outbound.is_between_frames())
    };
    assert_eq!(sent(usize::from(piece).max(1)), sent(frames.len().max(1)));
}

/// What goes on, and what is told, when the bytes come in pieces of a size. A connection listens, and must take all of it.
fn pass(bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<String>) {
    let prefix = Prefix::new(7);
    let config = Http2Config::default();
    let budget = ReceiveBudget::new(1 << 20);
    let windows = Windows::new(budget.clone(), 1 << 20, 1 << 20);
    let connection = Connection::with_windows(config.clone(), Some(windows));
    let mut inbound = Inbound::default();
    let mut told = Vec::new();
    let mut out = Vec::new();
    let mut held: Vec<u8> = Vec::new();
    for piece in bytes.chunks(piece) {
        held.extend_from_slice(piece);
        let mut at = 0;
        while at < held.len() {
            let mut state = connection.lock();
            let step = inbound.step(&held[at..], &mut |event| {
                told.push(format!("{event:?}"));
                state.on(&config, event);
            });
            if let Some(windows) = &mut state.windows {
                windows.write(&mut Vec::new());
            }
            drop(state);
            match step {
                Step::Pass(length) => {
                    assert!(length > 0 && length <= held.len() - at);
                    out.extend_from_slice(&held[at..at + length]);
                    at += length;
                }
                Step::Name(named) => {
                    let slot = connection.lock().scheduler.opened(named.stream());
                    let frame = &held[at..at + named.length()];
                    named.write(&prefix, slot, frame, &mut out);
                    at += named.length();
                }
                Step::Drop(length) => at += length,
                Step::More => break,
            }
        }
        held.drain(..at);
    }
    out.extend_from_slice(&held);
    drop(connection);
    assert_eq!(budget.promised(), 0, "a promise outlived its connection");
    (out, told)
}

pub(crate) fn priority(data: &[u8]) {
    if let Some(said) = PriorityOverride::parse(data) {
        let priority = said.or_priority(Priority::default());
        let again = PriorityOverride::parse(priority.to_string().as_bytes());
        let again = again.map(|again| again.or_priority(Priority::default()));
        assert_eq!(again, Some(priority));
    }
}

pub(crate) fn tree(data: &[u8]) {
    let mut scheduler = Scheduler::default();
    let mut open: Vec<Handle> = Vec::new();
    let mut granted = std::collections::BTreeMap::<u32, usize>::new();
    let mut newest = 1;
    for step in data.chunks_exact(4) {
        let &[what, which, value, weight] = step else {
            return;
        };
        let handle = open.get(usize::from(which) % open.len().max(1)).copied();
        let dependency = Dependency {
            parent: u32::from(value),
            weight: u16::from(weight) + 1,
            exclusive: what & 0x80 != 0,
        };
        match (what & 0x0f, handle) {
            (0 | 1, _) if open.len() < 100 => {
                let dependency = (what & 0x40 != 0).then_some(dependency);
                open.extend(scheduler.open(newest, dependency));
                newest += 2;
            }
            (2, Some(handle)) => {
                scheduler.close(handle.id);
                granted.remove(&handle.id);
                open.retain(|&other| other != handle);
            }
            (3, _) => scheduler.depends(u32::from(which), dependency),
            (4, _) => {
                let field = PriorityOverride::new().urgency(value & 7);
                scheduler.updated(u32::from(which), field.incremental(weight & 1 == 1));
            }
            (5, Some(handle)) => {
                let said = PriorityOverride::new().urgency(value & 7);
                scheduler.decided(handle, said, PriorityOverride::new());
            }
            (6, Some(handle)) => scheduler.window_grows(handle.id, u32::from(value) << 8),
            (7, _) => scheduler.window_grows(0, u32::from(value) << 8),
            (8, _) => scheduler.set_initial_window(u32::from(value) << 8),
            (9, Some(handle)) => scheduler.withdraw(handle),
            (10, Some(handle)) => {
                let held = granted.entry(handle.id).or_default();
                let sent = (*held).min(usize::from(value) << 8);
                *held -= sent;
                scheduler.sent(handle.id, sent);
            }
            (_, Some(handle)) => {
                let available = usize::from(value) << 8 | 1;
                match scheduler.request(handle, available) {
                    Answer::Grant(bytes) => {
                        assert!(bytes > 0 && bytes <= available);
                        *granted.entry(handle.id).or_default() += bytes;
                    }
                    Answer::Wait => {
                        assert_ne!(scheduler.next(), Some(handle.slot), "it is its turn");
                    }
                    Answer::Gone => panic!("an open stream is gone"),
                }
            }
            _ => {}
        }
        if let Some(slot) = scheduler.next() {
            assert!(open.iter().any(|handle| handle.slot == slot));
        }
    }
}
