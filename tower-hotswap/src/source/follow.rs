//! Publishes what a source reads.

use std::sync::Arc;

use tokio::{sync::watch, task::JoinHandle};

use super::{Content, Source, SourceError};
use crate::{ContentHash, Handle, Recipe, SwapError};

/// A task that follows a source. Dropping it ends that.
#[derive(Debug)]
pub struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Send + Sync + 'static> Handle<T> {
    /// Publishes what `source` reads, made into values by `recipe`, until the follower is dropped.
    ///
    /// A content that is current already is passed over. One that comes while a canary runs waits for its end, unless a
    /// newer one comes. Whatever is refused is told as [`Event::Rejected`](crate::Event::Rejected).
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn follow<S>(&self, source: S, recipe: Recipe<T>) -> Follower
    where
        S: Source + 'static,
    {
        let tables = self.store().changes();
        let following = Following {
            handle: self.clone(),
            source,
            recipe,
            tables,
        };
        Follower(tokio::spawn(following.run()))
    }
}

struct Following<T, S> {
    handle: Handle<T>,
    source: S,
    recipe: Recipe<T>,
    tables: watch::Receiver<u64>,
}

impl<T: Send + Sync + 'static, S: Source> Following<T, S> {
    async fn run(mut self) {
        let mut waiting = None;
        loop {
            let content = match waiting.take() {
                None => self.source.next().await,
                Some(content) => tokio::select! {
                    newer = self.source.next() => newer.or_else(|error| {
                        self.report(error);
                        Ok(content)
                    }),
                    changed = self.tables.changed() => match changed {
                        Ok(()) => Ok(content),
                        Err(_) => Err(SourceError::Ended),
                    },
                },
            };
            match content {
                Ok(content) => waiting = self.publish(content).await,
                Err(SourceError::Ended) => return,
                Err(error) => self.report(error),
            }
        }
    }

    /// Gives a content back that has to wait for the end of a canary.
    async fn publish(&mut self, content: Content) -> Option<Content> {
        self.tables.mark_unchanged();
        let current = self.handle.current();
        if ContentHash::of(&content.bytes) == current.version.hash() {
            return None;
        }
        let draft = self.recipe.draft(&content.bytes, &current.version, None);
        let published = self
            .handle
            .publish(draft.origin(content.origin.clone()))
            .await;
        matches!(published, Err(SwapError::CanaryRunning { .. })).then_some(content)
    }

    fn report(&self, error: SourceError) {
        let error = SwapError::Source(Arc::new(error));
        self.handle.reject("source".into(), &error);
    }
}
