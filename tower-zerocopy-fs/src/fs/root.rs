//! Opening names beneath a root.
//!
//! On Linux the root is a descriptor and every name is resolved by `openat2(2)` with `RESOLVE_BENEATH` and
//! `RESOLVE_NO_MAGICLINKS`: the kernel itself refuses to leave the root, whatever is renamed meanwhile. Where the call
//! is missing (before Linux 5.6) or forbidden by a seccomp filter, [`walk`](linux::walk) does the same component by
//! component with `O_NOFOLLOW`. Elsewhere [`portable`] checks each component and the canonical path, which is right for
//! a tree that nobody hostile is writing to at the same time.
//!
//! Nothing but regular files and directories is ever opened for reading: a fifo or a device answers to `O_PATH` first.

use std::{fs::File, io, path::PathBuf};

use super::policy::Symlinks;

/// A directory and how names below it are resolved.
#[derive(Debug)]
pub(crate) struct Root {
    /// The descriptor stands for it on Linux.
    #[cfg(any(not(target_os = "linux"), test))]
    path: PathBuf,
    symlinks: Symlinks,
    #[cfg(target_os = "linux")]
    dir: std::os::fd::OwnedFd,
}

/// What a name turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    File(File),
    Directory,
    /// A fifo, socket or device.
    Special,
}

/// True for the errors that say "there is no such file for you" rather than "something is wrong here".
pub(crate) fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    if matches!(
        error.kind(),
        NotFound | NotADirectory | PermissionDenied | InvalidFilename | InvalidInput
    ) {
        return true;
    }
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let errno = Errno::from_io_error(error);
        // Too many links, a link that leaves the root, an unopenable device.
        matches!(
            errno,
            Some(Errno::LOOP | Errno::XDEV | Errno::NXIO | Errno::NODEV | Errno::NAMETOOLONG)
        )
    }
    #[cfg(not(unix))]
    false
}

#[cfg(target_os = "linux")]
impl Root {
    /// Opens the root. Its own path may hold links of every kind.
    pub(crate) fn open(path: PathBuf, symlinks: Symlinks) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let dir = rustix::fs::open(
            &path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Self {
            #[cfg(test)]
            path,
            symlinks,
            dir,
        })
    }

    /// Resolves `name`, which is empty for the root itself.
    pub(crate) fn find(&self, name: &str) -> io::Result<Found> {
        linux::find(self, name)
    }

    /// The names in the directory `name`, at most `limit`, in the system's order.
    pub(crate) fn names(&self, name: &str, limit: usize) -> io::Result<Vec<String>> {
        use rustix::fs::{Dir, OFlags};
        let fd = linux::at(
            self,
            name,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        )?;
        let mut names = Vec::new();
        for entry in Dir::new(fd)? {
            if let Ok(name) = entry?.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
            if names.len() >= limit {
                break;
            }
        }
        Ok(names)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs::File,
        io,
        os::fd::{AsFd, BorrowedFd, OwnedFd},
        sync::atomic::{AtomicBool, Ordering},
    };

    use rustix::{
        fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat},
        io::Errno,
    };

    use super::{Found, Root, Symlinks};

    /// Set once `openat2` has shown that it is not to be had.
    static NO_OPENAT2: AtomicBool = AtomicBool::new(false);

    /// As many links as the kernel follows (path_resolution(7)).
    const MAX_LINKS: usize = 40;

    /// A rename during resolution makes the kernel ask for another try.
    const TRIES: usize = 8;

    pub(super) fn find(root: &Root, name: &str) -> io::Result<Found> {
        let probe = at(root, name, OFlags::PATH | OFlags::CLOEXEC)?;
        match FileType::from_raw_mode(fstat(&probe)?.st_mode) {
            FileType::Directory => Ok(Found::Directory),
            FileType::RegularFile => {
                // O_NONBLOCK and O_NOCTTY for whoever puts a fifo or a terminal in its place between the two calls.
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                let fd = at(root, name, flags)?;
                match FileType::from_raw_mode(fstat(&fd)?.st_mode) {
                    FileType::RegularFile => Ok(Found::File(File::from(fd))),
                    FileType::Directory => Ok(Found::Directory),
                    _ => Ok(Found::Special),
                }
            }
            _ => Ok(Found::Special),
        }
    }

    pub(super) fn at(root: &Root, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let name = if name.is_empty() { "." } else { name };
        if root.symlinks == Symlinks::Follow {
            return Ok(openat(&root.dir, name, flags, Mode::empty())?);
        }
        if !NO_OPENAT2.load(Ordering::Relaxed) {
            let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            if root.symlinks == Symlinks::Deny {
                resolve |= ResolveFlags::NO_SYMLINKS;
            }
            for _ in 0..TRIES {
                match openat2(&root.dir, name, flags, Mode::empty(), resolve) {
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    // A seccomp filter that does not know the call answers EPERM; a real denial is EACCES.
                    Err(Errno::NOSYS | Errno::PERM) => {
                        NO_OPENAT2.store(true, Ordering::Relaxed);
                        break;
                    }
                    other => return Ok(other?),
                }
            }
        }
        walk(root.dir.as_fd(), name, flags, root.symlinks)
    }

    /// `openat2` by hand: one `O_NOFOLLOW` open a component, links read and walked themselves, `..` (which only links can
    /// bring in) undone by a stack of the directories passed, so that it can never climb above the root.
    pub(super) fn walk(
        root: BorrowedFd<'_>,
        name: &str,
        flags: OFlags,
        symlinks: Symlinks,
    ) -> io::Result<OwnedFd> {
        let mut passed: Vec<OwnedFd> = Vec::new();
        let mut todo: Vec<Vec<u8>> = components(name.as_bytes());
        let mut links = 0;
        while let Some(component) = todo.pop() {
            if component == b".." {
                passed.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            let dir = passed.last().map_or(root, OwnedFd::as_fd);
            let found = openat(
                dir,
                component.as_slice(),
                OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            match FileType::from_raw_mode(fstat(&found)?.st_mode) {
                FileType::Symlink => {
                    links += 1;
                    if symlinks == Symlinks::Deny || links > MAX_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(&found, "", Vec::new())?.into_bytes();
                    if target.starts_with(b"/") {
                        return Err(Errno::XDEV.into());
                    }
                    todo.append(&mut components(&target));
                }
                FileType::Directory => passed.push(found),
                _ if !todo.is_empty() => return Err(Errno::NOTDIR.into()),
                _ => {
                    return Ok(openat(
                        dir,
                        component.as_slice(),
                        flags | OFlags::NOFOLLOW,
                        Mode::empty(),
                    )?);
                }
            }
        }
        let dir = passed.last().map_or(root, OwnedFd::as_fd);
        Ok(openat(dir, ".", flags, Mode::empty())?)
    }

    /// The components of a path, the first one last.
    fn components(path: &[u8]) -> Vec<Vec<u8>> {
        path.split(|&b| b == b'/')
            .filter(|c| !c.is_empty() && *c != b".")
            .rev()
            .map(<[u8]>::to_vec)
            .collect()
    }

    #[cfg(test)]
    mod tests {
        use std::{io::Read, os::unix::fs::symlink};

        use super::*;

        /// Both resolutions against one tree: they must agree on each name and policy.
        #[test]
        fn the_walk_agrees_with_the_kernel() {
            let tree = tempfile::tempdir().unwrap();
            let path = tree.path().join("root");
            std::fs::create_dir_all(path.join("d/e")).unwrap();
            std::fs::write(tree.path().join("secret"), "secret").unwrap();
            std::fs::write(path.join("f"), "f").unwrap();
            std::fs::write(path.join("d/e/g"), "g").unwrap();
            for (target, link) in [
                ("f", "inside"),
                ("d", "dir"),
                ("../f", "d/up"),
                ("../../secret", "d/out"),
                ("../secret", "out"),
                ("/etc/passwd", "absolute"),
                ("loop", "loop"),
                ("inside", "chain"),
                ("missing", "dangling"),
                ("..", "parent"),
                ("../d/../d/e/./g", "d/zigzag"),
            ] {
                symlink(target, path.join(link)).unwrap();
            }
            let names = [
                "",
                "f",
                "d",
                "d/e",
                "d/e/g",
                "d/../f",
                "..",
                "../secret",
                "inside",
                "dir/e/g",
                "d/up",
                "d/out",
                "out",
                "absolute",
                "loop",
                "chain",
                "dangling",
                "parent",
                "parent/secret",
                "d/zigzag",
                "f/x",
                "none",
                "d//e",
            ];
            for symlinks in [Symlinks::Deny, Symlinks::Beneath] {
                let root = Root::open(path.clone(), symlinks).unwrap();
                for name in names {
                    let read = |fd: io::Result<OwnedFd>| -> Result<String, Option<i32>> {
                        let mut file = File::from(fd.map_err(|e| e.raw_os_error())?);
                        if file.metadata().unwrap().is_dir() {
                            return Ok("directory".to_owned());
                        }
                        let mut text = String::new();
                        file.read_to_string(&mut text).unwrap();
                        assert_ne!(text, "secret", "{name} left the root");
                        Ok(text)
                    };
                    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                    let by_kernel = read(at(&root, name, flags));
                    let by_walk = read(walk(
                        root.dir.as_fd(),
                        if name.is_empty() { "." } else { name },
                        flags,
                        symlinks,
                    ));
                    assert_eq!(by_kernel, by_walk, "{name:?} under {symlinks:?}");
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Root {
    pub(crate) fn open(path: PathBuf, symlinks: Symlinks) -> io::Result<Self> {
        if !std::fs::metadata(&path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path, symlinks })
    }

    pub(crate) fn find(&self, name: &str) -> io::Result<Found> {
        let path = portable::locate(self, name)?;
        let kind = std::fs::metadata(&path)?;
        if kind.is_dir() {
            return Ok(Found::Directory);
        }
        if !kind.is_file() {
            return Ok(Found::Special);
        }
        let file = File::open(&path)?;
        // What was opened counts, not what was looked at before.
        Ok(if file.metadata()?.is_file() {
            Found::File(file)
        } else {
            Found::Special
        })
    }

    pub(crate) fn names(&self, name: &str, limit: usize) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(portable::locate(self, name)?)?.take(limit) {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }
}

#[cfg(any(not(target_os = "linux"), test))]
mod portable {
    use std::{
        io,
        path::{Path, PathBuf},
    };

    use super::{Root, Symlinks};

    pub(super) fn locate(root: &Root, name: &str) -> io::Result<PathBuf> {
        let mut path = root.path.clone();
        for component in name.split('/').filter(|c| !c.is_empty() && *c != ".") {
            let ordinary = matches!(
                Path::new(component)
                    .components()
                    .collect::<Vec<_>>()
                    .as_slice(),
                [std::path::Component::Normal(_)]
            );
            if !ordinary {
                return Err(io::ErrorKind::NotFound.into());
            }
            path.push(component);
            if root.symlinks == Symlinks::Deny && std::fs::symlink_metadata(&path)?.is_symlink() {
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        if root.symlinks == Symlinks::Beneath
            && !path.canonicalize()?.starts_with(root.path.canonicalize()?)
        {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(path)
    }

    #[cfg(all(test, unix))]
    mod tests {
        use super::*;

        #[test]
        fn the_portable_tier_stays_below_the_root() {
            let tree = tempfile::tempdir().unwrap();
            let path = tree.path().join("root");
            std::fs::create_dir_all(path.join("d")).unwrap();
            std::fs::write(tree.path().join("secret"), "").unwrap();
            std::fs::write(path.join("d/f"), "").unwrap();
            std::os::unix::fs::symlink("../secret", path.join("out")).unwrap();
            std::os::unix::fs::symlink("d/f", path.join("in")).unwrap();
            for (policy, name, expected) in [
                (Symlinks::Beneath, "d/f", true),
                (Symlinks::Beneath, "in", true),
                (Symlinks::Beneath, "out", false),
                (Symlinks::Beneath, "../secret", false),
                (Symlinks::Deny, "d/f", true),
                (Symlinks::Deny, "in", false),
                (Symlinks::Follow, "out", true),
                (Symlinks::Follow, "..", false),
            ] {
                let root = Root::open(path.clone(), policy).unwrap();
                assert_eq!(
                    locate(&root, name).is_ok(),
                    expected,
                    "{name} under {policy:?}"
                );
            }
        }
    }
}
