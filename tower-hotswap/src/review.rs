//! Builds a draft and puts it to the checks, within a time limit and safe from panics.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::{
    BoxError, Check, Draft, Snapshot, Stage, SwapError, error::panic_message, store::Store,
};

/// The checks of a handle.
#[derive(Debug)]
pub(crate) struct Review<T> {
    pub(crate) checks: Vec<Check<T>>,
    pub(crate) limit: Duration,
}

impl<T: Send + Sync + 'static> Review<T> {
    /// A snapshot that passed everything.
    pub(crate) async fn pass(
        &self,
        store: &Store<T>,
        draft: Draft<T>,
    ) -> Result<Arc<Snapshot<T>>, SwapError> {
        let value = self.run(Stage::Build, spawn_blocking(draft.build)).await?;
        let id = store.next_id(draft.description.version.hash());
        let candidate = Arc::new(draft.description.snapshot(id, value));
        for check in &self.checks {
            let current = store.table().primary.snapshot().clone();
            let work = check.run(current, candidate.clone());
            let stage = Stage::Check(check.name().to_owned());
            self.run(stage, tokio::spawn(work)).await?;
        }
        Ok(candidate)
    }

    async fn run<R>(
        &self,
        stage: Stage,
        task: JoinHandle<Result<R, BoxError>>,
    ) -> Result<R, SwapError> {
        match timeout(self.limit, Aborting(task)).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(SwapError::Rejected {
                stage,
                source: error.into(),
            }),
            Ok(Err(error)) => Err(ended(stage, error)),
            Err(_) => Err(SwapError::TimedOut {
                stage,
                limit: self.limit,
            }),
        }
    }
}

fn ended(stage: Stage, error: JoinError) -> SwapError {
    match error.try_into_panic() {
        Ok(payload) => SwapError::Panicked {
            stage,
            message: panic_message(&*payload),
        },
        // The runtime is shutting down.
        Err(error) => SwapError::Rejected {
            stage,
            source: Arc::new(error),
        },
    }
}

/// A task that is given up with its handle. A blocking one that runs already cannot be.
struct Aborting<R>(JoinHandle<R>);

impl<R> Future for Aborting<R> {
    type Output = Result<R, JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

impl<R> Drop for Aborting<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
