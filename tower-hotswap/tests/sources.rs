//! Every way in which a file changes, with a bad content in the middle of each.
#![cfg(all(feature = "notify", not(hotswap_loom)))]

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::broadcast::Receiver;
use tower_hotswap::{
    BoxError, Canary, Draft, Event, Handle, Recipe, Version,
    source::{FileSource, Follower, Source},
};

fn version(number: &str) -> Version {
    Version::parse(number, number.as_bytes()).unwrap()
}

/// The contents of these tests are `value = <number>;`, so that a beginning is no whole.
fn parse(text: &[u8]) -> Result<u32, BoxError> {
    let text = std::str::from_utf8(text)?;
    let value = text
        .trim()
        .strip_prefix("value = ")
        .and_then(|rest| rest.strip_suffix(';'));
    Ok(value
        .ok_or_else(|| format!("`{text}` is no value"))?
        .parse()?)
}

fn text(value: u32) -> String {
    format!("value = {value};\n")
}

struct World {
    folder: tempfile::TempDir,
    handle: Handle<u32>,
    events: Receiver<Event>,
    _follower: Follower,
}

impl World {
    /// Follows `app/value`, which `prepare` makes with the value 1.
    async fn new(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        prepare(folder.path());
        let source = FileSource::new(folder.path().join("app/value")).unwrap();
        Self::following(folder, source).await
    }

    async fn following(folder: tempfile::TempDir, source: FileSource) -> Self {
        let handle = Handle::builder(0, version("1.0.0")).build();
        let events = handle.events();
        // What is told by the system has to do; looking again and again is tested apart.
        let source = source.poll_every(Duration::from_secs(3600));
        let follower = handle.follow(source, Recipe::new(parse));
        let mut world = Self {
            folder,
            handle,
            events,
            _follower: follower,
        };
        world.published(1).await;
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What happens next, drainage apart.
    async fn event(&mut self) -> Event {
        loop {
            let event = tokio::time::timeout(Duration::from_secs(20), self.events.recv());
            match event.await.expect("something happens").unwrap() {
                Event::Drained(_) => {}
                event => return event,
            }
        }
    }

    async fn published(&mut self, value: u32) {
        let event = self.event().await;
        assert!(
            matches!(event, Event::Published(_)),
            "{value} was expected: {event:?}"
        );
        assert_eq!(*self.handle.current().value(), value);
    }

    async fn rejected(&mut self, reason: &str) {
        let before = self.handle.current().id;
        let event = self.event().await;
        let Event::Rejected { error, .. } = &event else {
            panic!("`{reason}` was expected: {event:?}");
        };
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(self.handle.current().id, before);
    }
}

fn plain(folder: &Path) {
    fs::write(folder.join("app/value"), text(1)).unwrap();
}

#[tokio::test]
async fn written_in_place_in_two_halves() {
    use std::io::Write;
    let mut world = World::new(plain).await;
    let halves = |value: u32| {
        let text = text(value).into_bytes();
        let (first, second) = text.split_at(9);
        (first.to_owned(), second.to_owned())
    };
    // The halves farther apart than the source waits: the first is refused.
    let (first, second) = halves(2);
    let mut file = fs::File::create(world.path("app/value")).unwrap();
    file.write_all(&first).unwrap();
    world.rejected("is no value").await;
    file.write_all(&second).unwrap();
    world.published(2).await;
    // At once: only the whole is seen.
    let (first, second) = halves(3);
    let mut file = fs::File::create(world.path("app/value")).unwrap();
    file.write_all(&first).unwrap();
    file.flush().unwrap();
    file.write_all(&second).unwrap();
    drop(file);
    world.published(3).await;
}

#[tokio::test]
async fn renamed_over() {
    let mut world = World::new(plain).await;
    let replace = |world: &World, text: &str| {
        fs::write(world.path("app/.value.new"), text).unwrap();
        fs::rename(world.path("app/.value.new"), world.path("app/value")).unwrap();
    };
    replace(&world, &text(2));
    world.published(2).await;
    replace(&world, "bad");
    world.rejected("`bad` is no value").await;
    replace(&world, &text(3));
    world.published(3).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_switched_as_a_config_map_does() {
    use std::os::unix::fs::symlink;
    // value -> ..data/value, ..data -> ..<generation>
    let generation = |folder: &Path, name: &str, text: &str| {
        fs::create_dir(folder.join("app").join(name)).unwrap();
        fs::write(folder.join("app").join(name).join("value"), text).unwrap();
        symlink(name, folder.join("app/..data_tmp")).unwrap();
        fs::rename(folder.join("app/..data_tmp"), folder.join("app/..data")).unwrap();
    };
    let mut world = World::new(|folder| {
        generation(folder, "..1", &text(1));
        symlink("..data/value", folder.join("app/value")).unwrap();
    })
    .await;
    generation(world.folder.path(), "..2", &text(2));
    fs::remove_dir_all(world.path("app/..1")).unwrap();
    world.published(2).await;
    generation(world.folder.path(), "..3", "bad");
    fs::remove_dir_all(world.path("app/..2")).unwrap();
    world.rejected("is no value").await;
    generation(world.folder.path(), "..4", &text(4));
    world.published(4).await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_behind_a_link_into_another_folder() {
    let mut world = World::new(|folder| {
        fs::create_dir(folder.join("elsewhere")).unwrap();
        fs::write(folder.join("elsewhere/real"), text(1)).unwrap();
        std::os::unix::fs::symlink("../elsewhere/real", folder.join("app/value")).unwrap();
    })
    .await;
    fs::write(world.path("elsewhere/real"), text(2)).unwrap();
    world.published(2).await;
    fs::write(world.path("elsewhere/real"), "bad").unwrap();
    world.rejected("is no value").await;
    fs::write(world.path("elsewhere/real"), text(3)).unwrap();
    world.published(3).await;
}

#[tokio::test]
async fn deleted_and_made_anew() {
    let mut world = World::new(plain).await;
    fs::remove_file(world.path("app/value")).unwrap();
    world.rejected("cannot be read").await;
    fs::write(world.path("app/value"), "bad").unwrap();
    world.rejected("is no value").await;
    fs::write(world.path("app/value"), text(2)).unwrap();
    world.published(2).await;
}

#[cfg(unix)]
#[tokio::test]
async fn permission_lost() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mut world = World::new(plain).await;
    let path = world.path("app/value");
    if rustix::process::geteuid().is_root() {
        eprintln!(
            "!!! root may read everything: a link to itself stands in for a file that may not be read"
        );
        fs::remove_file(&path).unwrap();
        symlink("value", &path).unwrap();
        world.rejected("cannot be read").await;
        fs::remove_file(&path).unwrap();
    } else {
        let permit = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        permit(0o000);
        world.rejected("cannot be read").await;
        permit(0o600);
    }
    fs::write(&path, "bad").unwrap();
    world.rejected("is no value").await;
    fs::write(&path, text(2)).unwrap();
    world.published(2).await;
}

#[tokio::test]
async fn the_folder_replaced() {
    let mut world = World::new(plain).await;
    let replace = |world: &World, text: &str| {
        fs::create_dir(world.path("next")).unwrap();
        fs::write(world.path("next/value"), text).unwrap();
        fs::rename(world.path("app"), world.path("old")).unwrap();
        fs::rename(world.path("next"), world.path("app")).unwrap();
        fs::remove_dir_all(world.path("old")).unwrap();
    };
    replace(&world, &text(2));
    world.published(2).await;
    replace(&world, "bad");
    world.rejected("is no value").await;
    // The folder that is there now is the one that is watched.
    fs::write(world.path("app/value"), text(3)).unwrap();
    world.published(3).await;
    fs::remove_dir_all(world.path("app")).unwrap();
    world.rejected("cannot be read").await;
    fs::create_dir(world.path("app")).unwrap();
    fs::write(world.path("app/value"), text(4)).unwrap();
    world.published(4).await;
}

#[tokio::test]
async fn a_folder_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("1.part", "value =");
    write("2.part", " 1;");
    write("3.other", "not this");
    write(".4.part", "nor this");
    let recipe = Recipe::new(|text| {
        parse(
            text.iter()
                .filter(|byte| **byte != b'\n')
                .copied()
                .collect::<Vec<_>>()
                .as_slice(),
        )
    });
    let handle = Handle::builder(0, version("1.0.0")).build();
    let mut changes = handle.changes();
    let source = FileSource::folder(folder.path(), "part").unwrap();
    let _follower = handle.follow(source.poll_every(Duration::from_secs(3600)), recipe);
    assert_eq!(*changes.next().await.unwrap().value(), 1);
    let mut events = handle.events();
    write("2.part", " x;");
    while !matches!(events.recv().await.unwrap(), Event::Rejected { .. }) {}
    assert_eq!(*handle.current().value(), 1);
    write("2.part", " 12");
    write("5.part", "3;");
    assert_eq!(*changes.next().await.unwrap().value(), 123);
    fs::remove_file(folder.path().join("5.part")).unwrap();
    write("2.part", " 4;");
    assert_eq!(*changes.next().await.unwrap().value(), 4);
}

#[tokio::test]
async fn what_is_read_is_bounded_and_regular() {
    let mut world = World::new(plain).await;
    let source = FileSource::new(world.path("app/value")).unwrap().limit(20);
    let recipe = Recipe::new(parse);
    let handle = Handle::builder(0, version("1.0.0")).build();
    world.events = handle.events();
    world.handle = handle.clone();
    world._follower = handle.follow(source.poll_every(Duration::from_secs(3600)), recipe);
    world.published(1).await;
    fs::write(world.path("app/value"), " ".repeat(21)).unwrap();
    world.rejected("larger than the limit of 20 bytes").await;
    fs::remove_file(world.path("app/value")).unwrap();
    fs::create_dir(world.path("app/value")).unwrap();
    world.rejected("is not a regular file").await;
}

#[tokio::test]
async fn a_source_can_be_asked_by_hand_and_polls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("value");
    fs::write(&path, text(1)).unwrap();
    let mut source = FileSource::new(&path)
        .unwrap()
        .poll_every(Duration::from_millis(1));
    assert_eq!(source.next().await.unwrap().bytes, text(1).as_bytes());
    fs::write(&path, text(2)).unwrap();
    assert_eq!(source.next().await.unwrap().bytes, text(2).as_bytes());
}

#[tokio::test]
async fn a_content_that_comes_during_a_canary_waits_for_its_end() {
    let mut world = World::new(plain).await;
    let staged = world
        .handle
        .stage(Draft::new(version("2.0.0"), 7))
        .await
        .unwrap();
    world
        .handle
        .canary(staged.id, Canary::percent(1.0).unwrap())
        .unwrap();
    fs::write(world.path("app/value"), text(2)).unwrap();
    assert!(matches!(world.event().await, Event::Staged(_)));
    assert!(matches!(world.event().await, Event::CanaryStarted(_)));
    world.rejected("promote or abort it first").await;
    world.handle.abort().unwrap();
    assert!(matches!(world.event().await, Event::Aborted(_)));
    world.published(2).await;
}

#[tokio::test]
async fn the_same_content_is_not_published_again() {
    let mut world = World::new(plain).await;
    for _ in 0..3 {
        fs::write(world.path("app/value"), text(1)).unwrap();
    }
    fs::write(world.path("app/other"), "noise").unwrap();
    fs::write(world.path("app/value"), text(2)).unwrap();
    world.published(2).await;
    let published = world.handle.history().len();
    assert_eq!(published, 3, "the first value, 1 and 2");
}
