//! What is refused, and what the history keeps.
#![cfg(not(hotswap_loom))]

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_hotswap::{
    BoxError, Canary, Check, Draft, Event, Handle, Stage, SwapError, Version, checks,
};

fn version(number: &str) -> Version {
    Version::parse(number, number.as_bytes()).unwrap()
}

fn handle() -> Handle<u32> {
    Handle::builder(0, version("1.0.0")).schema(2).build()
}

fn stage(error: &SwapError) -> Option<&Stage> {
    match error {
        SwapError::Rejected { stage, .. }
        | SwapError::Panicked { stage, .. }
        | SwapError::TimedOut { stage, .. } => Some(stage),
        _ => None,
    }
}

#[tokio::test]
async fn whatever_goes_wrong_the_old_one_stays_and_the_reason_is_given() {
    type Break = fn() -> Draft<u32>;
    let draft = || Draft::new(version("1.1.0"), 1_u32);
    let good: Break = || Draft::new(version("1.1.0"), 1).schema(2);
    let check = |name: &'static str, run: fn() -> Result<(), BoxError>| {
        move || checks::by::<u32>(name, move |_, _| run())
    };
    let fine = check("fine", || Ok(()));
    type Case = (&'static str, Check<u32>, Draft<u32>, Stage, &'static str);
    let cases: Vec<Case> = vec![
        (
            "build fails",
            fine(),
            Draft::build(version("1.1.0"), || Err("line 7: no such key".into())),
            Stage::Build,
            "building it failed: line 7: no such key",
        ),
        (
            "build panics",
            fine(),
            Draft::build(version("1.1.0"), || panic!("route `{}` twice", "/x")),
            Stage::Build,
            "building it panicked: route `/x` twice",
        ),
        (
            "build hangs",
            fine(),
            Draft::build(version("1.1.0"), || {
                std::thread::sleep(Duration::from_secs(1));
                Ok(1)
            }),
            Stage::Build,
            "building it took longer than the limit of 100ms",
        ),
        (
            "check says no",
            check("rates", || Err("too low".into()))(),
            good(),
            Stage::Check("rates".into()),
            "the check `rates` failed: too low",
        ),
        (
            "check panics",
            check("rates", || panic!("oops"))(),
            good(),
            Stage::Check("rates".into()),
            "the check `rates` panicked: oops",
        ),
        (
            "check never ends",
            Check::new("slow", |_, _| std::future::pending()),
            good(),
            Stage::Check("slow".into()),
            "the check `slow` took longer than the limit of 100ms",
        ),
        (
            "another major version",
            checks::same_major(),
            Draft::new(version("2.0.0"), 1),
            Stage::Check("same major version".into()),
            "the candidate's major version is 2, the current one's 1",
        ),
        (
            "schema too new",
            checks::schema(1..=2),
            draft().schema(3),
            Stage::Check("schema".into()),
            "schema 3 is not within 1 and 2",
        ),
        (
            "no schema",
            checks::schema(1..=2),
            draft(),
            Stage::Check("schema".into()),
            "gives no schema",
        ),
    ];
    for (name, check, draft, wanted, text) in cases {
        // A panic that prints its backtrace takes its time.
        let hangs = text.contains("took longer");
        let limit = Duration::from_millis(if hangs { 100 } else { 60_000 });
        let handle = Handle::builder(0, version("1.0.0"))
            .check(check)
            .time_limit(limit)
            .build();
        let mut events = handle.events();
        let before = handle.current().id;
        let error = handle.publish(draft).await.unwrap_err();
        assert_eq!(stage(&error), Some(&wanted), "{name}");
        assert!(error.to_string().contains(text), "{name}: {error}");
        assert_eq!(handle.current().id, before, "{name}");
        assert_eq!(handle.history().len(), 1, "{name}");
        let Event::Rejected { error: told, .. } = events.recv().await.unwrap() else {
            panic!("{name}: another event");
        };
        assert_eq!(told, error, "{name}");
        assert!(
            handle.swap(1, version("1.0.1")).is_ok(),
            "{name}: it goes on"
        );
    }
}

#[tokio::test]
async fn a_stale_publisher_is_told_what_is_current() {
    let handle = handle();
    let seen = handle.current().id;
    handle.swap(1, version("1.1.0")).unwrap();
    let current = handle.current().id;
    let draft = Draft::new(version("1.2.0"), 2).expecting(seen);
    let conflict = SwapError::Conflict {
        expected: seen.into(),
        current,
    };
    assert_eq!(handle.publish(draft).await.unwrap_err(), conflict);
    assert_eq!(handle.rollback_expecting(seen, seen).unwrap_err(), conflict);
    assert_eq!(*handle.current().value(), 1);
    let draft = Draft::new(version("1.2.0"), 2).expecting(current);
    assert_eq!(handle.publish(draft).await.unwrap().replaced().id, current);
}

#[tokio::test]
async fn a_probe_asks_the_candidate() {
    type Answer = Response<Full<Bytes>>;
    #[derive(Clone)]
    struct Fixed(StatusCode);
    impl tower::Service<Request<()>> for Fixed {
        type Response = Answer;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Answer, Infallible>>;
        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<()>) -> Self::Future {
            let response = Response::builder().status(self.0).body(Full::default());
            std::future::ready(Ok(response.unwrap()))
        }
    }
    let probe = checks::probe(
        "health",
        || Request::get("/healthz").body(()).unwrap(),
        |status| status.is_success(),
    );
    let handle = Handle::builder(Fixed(StatusCode::OK), version("1.0.0"))
        .check(probe)
        .build();
    let draft = Draft::new(version("1.1.0"), Fixed(StatusCode::NOT_FOUND));
    let error = handle.publish(draft).await.unwrap_err().to_string();
    assert!(
        error.contains("GET /healthz was answered by 404"),
        "{error}"
    );
    let draft = Draft::new(version("1.1.0"), Fixed(StatusCode::NO_CONTENT));
    handle.publish(draft).await.unwrap();
}

#[test]
fn the_history_is_bounded_and_forgets_the_least_recently_used() {
    let handle = Handle::builder(0, version("1.0.0")).history(3).build();
    handle.swap(1, version("1.1.0")).unwrap();
    handle.swap(2, version("1.2.0")).unwrap();
    // A rollback is a use.
    handle.rollback(version("1.0.0")).unwrap();
    handle.swap(3, version("1.3.0")).unwrap();
    let kept: Vec<u32> = handle
        .history()
        .iter()
        .map(|snapshot| *snapshot.value())
        .collect();
    assert_eq!(kept, [3, 0, 2]);
    let gone = handle.rollback(version("1.1.0")).unwrap_err();
    assert_eq!(
        gone,
        SwapError::Unknown {
            selector: (version("1.1.0")).into()
        }
    );
    assert_eq!(*handle.current().value(), 3, "and nothing happened");
}

#[test]
fn a_history_of_one_has_what_is_current_alone() {
    let handle = Handle::builder(0, version("1.0.0")).history(1).build();
    let replaced = handle.swap(1, version("1.1.0")).unwrap().replaced().clone();
    assert_eq!(handle.history().len(), 1);
    assert!(matches!(
        handle.rollback(&replaced),
        Err(SwapError::Unknown { .. })
    ));
    assert_eq!(*handle.current().value(), 1);
}

#[tokio::test]
async fn what_is_in_service_is_never_forgotten() {
    let handle = Handle::builder(0, version("1.0.0")).history(1).build();
    let versions = |handle: &Handle<u32>| handle.history().len();
    for number in ["1.1.0", "1.2.0"] {
        handle.stage(Draft::new(version(number), 1)).await.unwrap();
        assert_eq!(versions(&handle), 2, "the last one that is staged is kept");
    }
    handle
        .canary(version("1.2.0"), Canary::percent(50.0).unwrap())
        .unwrap();
    handle.stage(Draft::new(version("1.3.0"), 3)).await.unwrap();
    assert_eq!(versions(&handle), 3, "two are in service");
    handle.abort().unwrap();
    assert_eq!(versions(&handle), 1);
    assert_eq!(*handle.current().value(), 0);
}

#[test]
fn a_text_selects_by_id_version_or_a_unique_prefix() {
    let handle = handle();
    handle.swap(1, version("1.1.0")).unwrap();
    let first = handle.history()[1].info().clone();
    let full = first.version.to_string();
    for text in [
        first.id.to_string(),
        full.clone(),
        first.version.short(),
        full[1..].to_owned(),
    ] {
        assert_eq!(handle.find(text.as_str()).unwrap().id, first.id, "{text}");
    }
    let few_digits = &full[..full.len() - 64 + 7];
    for text in [
        few_digits,
        "",
        "1.0.0",
        "v",
        "zzz",
        "v1.0.0+sha256.",
        "v1.0.0+sha256.0000000000000000",
    ] {
        let unknown = SwapError::Unknown {
            selector: text.into(),
        };
        assert_eq!(handle.find(text).unwrap_err(), unknown, "{text}");
    }
    // One version published twice is one content: the newest is meant.
    handle.swap(2, version("1.0.0")).unwrap();
    assert_eq!(*handle.find(full.as_str()).unwrap().value(), 2);
}

#[tokio::test]
async fn changes_show_the_newest_and_end_with_the_handle() {
    let handle = handle();
    let mut changes = handle.changes();
    handle.swap(1, version("1.1.0")).unwrap();
    handle.swap(2, version("1.2.0")).unwrap();
    assert_eq!(*changes.next().await.unwrap().value(), 2);
    handle
        .canary(version("1.1.0"), Canary::percent(1.0).unwrap())
        .unwrap();
    handle.rollback(version("1.0.0")).unwrap();
    assert_eq!(
        *changes.next().await.unwrap().value(),
        0,
        "a canary is no change"
    );
    drop(handle);
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn events_tell_what_happened_in_order() {
    let handle = handle();
    let mut events = handle.events();
    let staged = handle.stage(Draft::new(version("1.1.0"), 1)).await.unwrap();
    assert_eq!(
        *handle.current().value(),
        0,
        "a staged snapshot takes no requests"
    );
    handle
        .canary(staged.id, Canary::percent(10.0).unwrap())
        .unwrap();
    handle.promote().unwrap();
    handle.rollback(version("1.0.0")).unwrap();
    let mut names = Vec::new();
    while let Ok(event) = events.try_recv() {
        names.push(event.name());
    }
    let wanted = [
        "staged",
        "canary-started",
        "promoted",
        "drained",
        "rolled-back",
        "drained",
    ];
    assert_eq!(names, wanted);
}
