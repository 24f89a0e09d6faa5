use super::*;
use crate::admission::{Admission, CROWDED, Class, Place, TICK};

fn core() -> Arc<Core> {
    let limits = Limits::none().idle(Duration::from_secs(1));
    let admission = Admission::builder().limits(limits).build().unwrap();
    Arc::clone(admission.core())
}

/// A connection whose first request is still to come.
fn silent(core: &Arc<Core>) -> Place {
    let place = core.enter(0).take(None, &Default::default());
    place.shared().set_established();
    place
}

fn idle(core: &Arc<Core>) -> Place {
    let place = silent(core);
    place.shared().begin();
    place.shared().end();
    place
}

fn closing(places: &[Place]) -> Vec<bool> {
    places
        .iter()
        .map(|place| place.shared().is_closing())
        .collect()
}

async fn pass(core: &Core, ticks: u32) {
    tokio::time::advance(TICK * ticks).await;
    core.clock.advance();
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_a_few_and_leaves_the_rest_to_the_next_turn() {
    let core = core();
    let mut places: Vec<Place> = (0..10).map(|_| idle(&core)).collect();
    let deadlines = Deadlines::new(&core.limits.load(), 1.0);
    // Ten ticks may be little more than nine tenths of a second.
    pass(&core, 10).await;
    assert_eq!(check(&core, &deadlines, core.clock.now(), 4).ended, 0);
    pass(&core, 1).await;
    for (ended, more) in [(4, true), (4, true), (2, false)] {
        let checked = check(&core, &deadlines, core.clock.now(), 4);
        assert_eq!((checked.ended, checked.more), (ended, more));
        let count = closing(&places).iter().filter(|closing| **closing).count();
        assert_eq!(count, ended);
        // As their tasks do.
        places.retain(|place| !place.shared().is_closing());
    }
    assert!(places.is_empty());
}

/// A PING a tick, say.
#[tokio::test(start_paused = true)]
async fn bytes_between_requests_do_not_keep_http2_from_being_idle() {
    let core = core();
    let [pinging, kept] = [idle(&core), idle(&core)];
    pinging.shared().set_multiplexed();
    let deadlines = Deadlines::new(&core.limits.load(), 1.0);
    for _ in 0..11 {
        assert_eq!(check(&core, &deadlines, core.clock.now(), 4).ended, 0);
        pass(&core, 1).await;
        for place in [&pinging, &kept] {
            place.shared().on_read(17);
            place.shared().on_write(17);
        }
        // Over HTTP/1 they are requests.
        kept.shared().begin();
        kept.shared().end();
    }
    assert_eq!(check(&core, &deadlines, core.clock.now(), 4).ended, 1);
    assert_eq!(pinging.shared().reason(), Cut::Idle);
    assert!(!kept.shared().is_closing());
}

#[cfg(feature = "serve")]
#[tokio::test(start_paused = true)]
async fn http2_with_open_streams_is_not_ended() {
    use crate::http2::{Connection, Streams};

    let core = core();
    let place = idle(&core);
    let connection = place.shared();
    connection.set_multiplexed();
    let streams = Arc::new(Connection::new(Default::default()));
    streams.lock().scheduler.open(1, None);
    connection.follow(Streams::of_connection(&streams));
    let deadlines = Deadlines::new(&core.limits.load(), 1.0);
    for _ in 0..20 {
        pass(&core, 1).await;
        assert_eq!(check(&core, &deadlines, core.clock.now(), 4).ended, 0);
    }
    assert_eq!(make_room(&core), 0);
    connection.close(Cut::Asked);
    for _ in 0..200 {
        pass(&core, 1).await;
        check(&core, &deadlines, core.clock.now(), 4);
        assert!(!connection.may_close() && !connection.is_reset());
    }
    streams.lock().scheduler.close(1);
    assert!(connection.may_close());
    for _ in 0..200 {
        pass(&core, 1).await;
        check(&core, &deadlines, core.clock.now(), 4);
    }
    assert!(connection.is_reset());
}

#[tokio::test(start_paused = true)]
async fn a_reserve_is_not_taken_from_its_class() {
    let management = Class::new("management").reserve(2);
    let admission = Admission::builder().class(management).build().unwrap();
    let core = admission.core();
    let index = core.classes.len() - 1;
    assert_eq!(core.classes[index].class.name(), "management");
    let kept: Vec<Place> = (0..2)
        .map(|_| {
            let place = core.enter(index).take(None, &Default::default());
            place.shared().set_established();
            place.shared().begin();
            place.shared().end();
            place
        })
        .collect();
    pass(core, 1).await;
    let public = idle(core);
    assert_eq!(reclaim_in_turns(core, 3, Duration::ZERO).await, 1);
    assert!(public.shared().is_closing());
    assert_eq!(closing(&kept), [false, false]);
}

/// Whoever was kept for a reserve is the longest idle still when its class has grown beyond it.
#[tokio::test(start_paused = true)]
async fn those_that_were_kept_stay_in_their_order() {
    let management = Class::new("management").reserve(1);
    let admission = Admission::builder().class(management).build().unwrap();
    let core = admission.core();
    let management = || {
        let place = core.enter(1).take(None, &Default::default());
        place.shared().set_established();
        place.shared().begin();
        place.shared().end();
        place
    };
    let kept = management();
    pass(core, 1).await;
    let first = idle(core);
    pass(core, 1).await;
    let second = idle(core);
    pass(core, 10).await;
    let silence = Silence::of(Duration::ZERO);
    assert_eq!(reclaim(core, 1, silence), 1);
    assert!(first.shared().is_closing());
    let another = management();
    assert_eq!(reclaim(core, 1, silence), 1);
    assert!(kept.shared().is_closing(), "the longest idle");
    for place in [&second, &another] {
        assert!(!place.shared().is_closing());
    }
}

/// More are kept than are looked at under one lock, and others are idle behind them.
#[tokio::test(start_paused = true)]
async fn a_reserve_larger_than_a_batch_hides_nobody() {
    let reserve = 2 * BATCH as u32 + 7;
    let management = Class::new("management").reserve(reserve);
    let admission = Admission::builder().class(management).build().unwrap();
    let core = admission.core();
    let kept: Vec<Place> = (0..reserve)
        .map(|_| {
            let place = core.enter(1).take(None, &Default::default());
            place.shared().set_established();
            place.shared().begin();
            place.shared().end();
            place
        })
        .collect();
    pass(core, 1).await;
    let public = idle(core);
    pass(core, 1).await;
    for expected in [1, 0] {
        assert_eq!(reclaim(core, 3, Silence::of(Duration::ZERO)), expected);
    }
    assert!(public.shared().is_closing());
    assert!(kept.iter().all(|place| !place.shared().is_closing()));
}

/// However many newcomers ask for room meanwhile.
#[tokio::test(start_paused = true)]
async fn those_that_are_kept_are_met_twice_a_tick_at_most() {
    const RESERVE: u32 = 1000;
    let management = Class::new("management").reserve(RESERVE);
    let admission = Admission::builder().class(management).build().unwrap();
    let core = admission.core();
    let _kept: Vec<Place> = (0..RESERVE)
        .map(|_| {
            let place = core.enter(1).take(None, &Default::default());
            place.shared().set_established();
            place.shared().begin();
            place.shared().end();
            place
        })
        .collect();
    for _ in 0..3 {
        pass(core, 1).await;
        let before = core.table().touched();
        for _ in 0..100 {
            assert_eq!(make_room(core), 0);
        }
        let looks = core.table().touched() - before;
        // To look at one, and to move it twice.
        assert!(looks <= 2 * 20 * RESERVE as usize, "{looks} looks");
    }
}

/// Those that were told to end are open still when the next one is looked at.
#[tokio::test(start_paused = true)]
async fn a_reserve_is_not_taken_at_once_either() {
    let class = Class::new("default").reserve(2);
    let admission = Admission::builder().class(class).build().unwrap();
    let core = admission.core();
    let mut places: Vec<Place> = (0..8).map(|_| idle(core)).collect();
    pass(core, 1).await;
    let silence = Silence::of(Duration::ZERO);
    assert_eq!(reclaim(core, 8, silence), 6);
    assert_eq!(reclaim(core, 8, silence), 0);
    // As their tasks do.
    places.retain(|place| !place.shared().is_closing());
    assert_eq!(reclaim(core, 8, silence), 0);
    places.push(idle(core));
    pass(core, 1).await;
    assert_eq!(reclaim(core, 8, silence), 1);
}

#[tokio::test(start_paused = true)]
async fn newcomers_share_the_room_that_is_being_made() {
    let core = core();
    let mut places: Vec<Place> = (0..3).map(|_| idle(&core)).collect();
    // There are descriptors enough in this process, so that one is closed at a time.
    assert_eq!(make_room(&core), 1);
    assert_eq!(make_room(&core), 1);
    assert_eq!(closing(&places), [true, false, false]);
    places.remove(0);
    assert_eq!(make_room(&core), 1);
    assert_eq!(closing(&places), [true, false]);
    // One that does not end, since a request has come, is not waited for much longer.
    core.forget_promises();
    assert_eq!(make_room(&core), 1);
    assert_eq!(closing(&places), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn the_silent_are_spared_for_a_second_unless_all_are_silent() {
    let core = core();
    let places = [silent(&core)];
    pass(&core, 3).await;
    assert_eq!(make_room(&core), 0);
    assert!(core.is_crowded());
    pass(&core, 1).await;
    assert_eq!(make_room(&core), 1);
    assert_eq!(closing(&places), [true]);
    pass(&core, CROWDED).await;
    assert!(!core.is_crowded());
}

#[tokio::test(start_paused = true)]
async fn reclaim_in_turns_closes_as_many_as_were_asked_for() {
    let core = core();
    let places: Vec<Place> = (0..10).map(|_| idle(&core)).collect();
    assert_eq!(reclaim_in_turns(&core, 7, Duration::ZERO).await, 7);
    let closing = closing(&places);
    assert!(closing[..7].iter().all(|closing| *closing));
    assert!(closing[7..].iter().all(|closing| !*closing));
    assert_eq!(reclaim_in_turns(&core, 7, Duration::ZERO).await, 3);
}
