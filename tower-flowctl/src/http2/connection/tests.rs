use super::*;
use crate::http2::ReceiveBudget;

#[test]
fn streams_that_are_not_served_any_more_leave_nothing() {
    let config = Http2Config::default();
    let windows = Windows::new(ReceiveBudget::new(1 << 20), 1 << 20, 1 << 20);
    let connection = Connection::with_windows(config.clone(), Some(windows));
    let mut state = connection.lock();
    let mut open = |stream| {
        let event = Event::Opened {
            stream,
            dependency: None,
            end: false,
        };
        state.on(&config, event);
        if stream == 1 {
            state.on(&config, Event::GoAway { last: 1 });
        }
    };
    for n in 0..1_000 {
        open(2 * n + 1);
    }
    assert_eq!(state.scheduler.open_streams(), 1);
    assert_eq!(state.windows.as_ref().map(Windows::uploads), Some(1));
    assert!(state.abuse.is_none());
}

#[test]
fn who_sends_no_bytes_does_not_upload() {
    let config = Http2Config::default();
    let connection = Connection::new(config.clone());
    let mut state = connection.lock();
    for (length, padding, uploads) in [(0, 0, false), (8, 8, false), (9, 8, true), (0, 0, true)] {
        let event = Event::Received {
            stream: 1,
            length,
            padding,
            end: true,
        };
        state.on(&config, event);
        assert_eq!(state.uploads, uploads, "{length} with {padding} of padding");
    }
}
