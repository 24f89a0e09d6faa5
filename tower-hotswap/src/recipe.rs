//! How a content becomes a value.

use std::{fmt, sync::Arc};

use crate::{BoxError, Draft, Version};

type Build<T> = dyn Fn(&[u8]) -> Result<T, BoxError> + Send + Sync;
type Number = dyn Fn(&[u8]) -> Option<semver::Version> + Send + Sync;

/// How a content, read from a file or sent to the admin router, becomes a value with a version.
pub struct Recipe<T> {
    build: Arc<Build<T>>,
    number: Arc<Number>,
    keep: bool,
}

impl<T> Recipe<T> {
    /// Builds values by `build`, which runs on a thread for blocking work, within the handle's time limit.
    ///
    /// The number of a content is the current one's with the next patch number.
    pub fn new(build: impl Fn(&[u8]) -> Result<T, BoxError> + Send + Sync + 'static) -> Self {
        Self {
            build: Arc::new(build),
            number: Arc::new(|_| None),
            keep: true,
        }
    }

    /// Takes the number from the content, if `number` finds one there.
    #[must_use]
    pub fn numbered(
        mut self,
        number: impl Fn(&[u8]) -> Option<semver::Version> + Send + Sync + 'static,
    ) -> Self {
        self.number = Arc::new(number);
        self
    }

    /// Does not keep the content with the snapshot, since it has secrets: there is nothing to compare later.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.keep = false;
        self
    }

    /// A draft of `content` to follow the version `current`, under `number` if that is given.
    pub fn draft(
        &self,
        content: &[u8],
        current: &Version,
        number: Option<semver::Version>,
    ) -> Draft<T>
    where
        T: 'static,
    {
        let number = number
            .or_else(|| (self.number)(content))
            .unwrap_or_else(|| {
                let semver::Version {
                    major,
                    minor,
                    patch,
                    ..
                } = *current.number();
                semver::Version::new(major, minor, patch.saturating_add(1))
            });
        let version = Version::new(number, content);
        let (build, content): (_, Arc<[u8]>) = (self.build.clone(), content.into());
        let kept = self.keep.then(|| content.clone());
        let draft = Draft::build(version, move || build(&content));
        match kept {
            Some(content) => draft.content(content),
            None => draft,
        }
    }
}

impl<T> Clone for Recipe<T> {
    fn clone(&self) -> Self {
        Self {
            build: self.build.clone(),
            number: self.number.clone(),
            keep: self.keep,
        }
    }
}

impl<T> fmt::Debug for Recipe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}
