//! From a request's body to the disk, through one pooled buffer.

use std::fs::File;
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf, BufMut, Bytes};
use http::StatusCode;
use http_body_util::BodyExt;
use tower_pool::PooledBuf;

use super::blocking;
use super::busy::Busy;
use crate::app::App;
use crate::problem::Problem;

/// What is written to the disk at once.
const PIECE: usize = 256 * 1024;

/// How many uploads are received at a time: as many as half of the pool has buffers for.
pub(crate) fn at_once(budget: usize) -> usize {
    (budget / 2 / PIECE).max(1)
}

/// How long a sender may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How long an upload waits for its turn and its buffer.
const BUDGET_WAIT: Duration = Duration::from_secs(5);

/// Appends a body to an upload, and returns how much of it is here then. What arrived before an error stays.
pub(super) async fn append(app: &App, id: &str, from: u64, body: Body) -> Result<u64, Problem> {
    let busy = app.uploads.begin(id, from, app.config.upload_quota)?;
    let room = async {
        let slot = app.uploads.slot().await;
        app.pool.acquire(PIECE).await.map(|buffer| (slot, buffer))
    };
    let Ok(Ok((_slot, buffer))) = tokio::time::timeout(BUDGET_WAIT, room).await else {
        let detail = "too many uploads are being received; try again";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(1));
    };
    let file = busy.open()?;
    let writer = Writer { file, buffer, busy };
    let (writer, received) = receive(writer, body).await?;
    let writer = writer.flush().await?;
    // Also when the body broke off: it may have done so behind the last byte of the file.
    let offset = blocking(move || writer.busy.finish()).await?;
    received.map(|()| offset)
}

/// An open upload. It moves to the blocking threads and back as one, so that nobody else can open the upload
/// while one of them still writes, even when the request is gone.
struct Writer {
    file: File,
    buffer: PooledBuf,
    busy: Busy,
}

impl Writer {
    async fn flush(mut self) -> Result<Self, Problem> {
        if self.buffer.is_empty() {
            return Ok(self);
        }
        blocking(move || {
            self.busy.write(&mut self.file, self.buffer.chunk())?;
            self.buffer.clear();
            Ok(self)
        })
        .await
    }
}

/// Reads the body to its end, or to what is wrong with it; the outer error is the disk's.
async fn receive(
    mut writer: Writer,
    mut body: Body,
) -> Result<(Writer, Result<(), Problem>), Problem> {
    loop {
        let mut data = match next(&mut body).await {
            Ok(Some(data)) => data,
            Ok(None) => return Ok((writer, Ok(()))),
            Err(problem) => return Ok((writer, Err(problem))),
        };
        if writer.busy.remaining() < (writer.buffer.len() + data.len()) as u64 {
            let detail = "the body goes beyond the Upload-Length that was announced";
            let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail);
            return Ok((writer, Err(problem)));
        }
        while !data.is_empty() {
            fill(&mut writer.buffer, &mut data);
            if writer.buffer.len() == PIECE {
                writer = writer.flush().await?;
            }
        }
    }
}

/// The next bytes of a body; `None` at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    let Ok(frame) = tokio::time::timeout(SILENCE, body.frame()).await else {
        let detail = "nothing arrived for 30 seconds";
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
    };
    match frame {
        None => Ok(None),
        // Trailers hold no bytes of the file.
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
        Some(Err(error)) => {
            let detail = format!("the body could not be read: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
    }
}

fn fill(buffer: &mut PooledBuf, data: &mut Bytes) {
    let length = data.len().min(PIECE - buffer.len());
    buffer.put(data.split_to(length));
}
