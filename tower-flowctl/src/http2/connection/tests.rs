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
