//! The knobs of HTTP/2.

use std::time::Duration;

use hyper_util::{rt::TokioTimer, server::conn::auto::Builder};

use crate::{http2::LIST_GROWTH, later::LONGEST};

/// Every setting of HTTP/2 that hyper has, with presets.
///
/// In the place of what is out of range hyper is told the nearest that is not; the field keeps what was set. The defaults are
/// hyper's, but for those whose documentation says otherwise. A stream's window of 1 MiB, which raw HTTP/2 (65,535 bytes) makes
/// worthwhile to set, is hyper's default already.
///
/// ```
/// use tower_flowctl::serve::Http2Tuning;
///
/// let tuning = Http2Tuning::default().max_concurrent_streams(100);
/// assert_eq!(tuning.stream_window, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2Tuning {
    /// Bytes a client may send on one stream before the handler reads them: 1 MiB. With
    /// 40 ms of round trip that allows 25 MB/s. From 1 byte to 2^31 - 1.
    pub stream_window: u32,
    /// Bytes a client may send on one connection before handlers read them: 1 MiB. From 65,535, which are the protocol's, to
    /// 2^31 - 1.
    pub connection_window: u32,
    /// Lets hyper estimate the bandwidth-delay product by PING and grow both windows up to 16 MiB; they then start at
    /// 65,535 bytes. Off.
    pub adaptive_window: bool,
    /// The largest frame taken from a client: 16 KiB, the least allowed (RFC 9113 §4.2); 2^24 - 1 bytes are the most. Larger
    /// frames save a little parsing and delay what comes after them.
    pub max_frame_size: u32,
    /// Streams a client may have open at once: 200. One at least.
    pub max_concurrent_streams: u32,
    /// The largest header list taken, in the bytes of RFC 9113 §6.5.2: 16 KiB.
    pub max_header_list_size: u32,
    /// Bytes of a response kept for one stream beyond what was sent: 400 KiB. From 1 KiB to 2^32 - 1.
    pub send_buffer: usize,
    /// Streams the client has reset and the server has not looked at yet, before the connection is closed: 20.
    pub max_pending_resets: usize,
    /// Streams reset for the client's own faults before the connection is closed: 1,024 (CVE-2025-8671).
    pub max_local_error_resets: usize,
    /// How often a silent client is asked by PING whether it is there, once a second at most; `None`, as by default, is never.
    pub keep_alive_interval: Option<Duration>,
    /// How long the answer to such a PING may take: 20 seconds.
    pub keep_alive_timeout: Duration,
}

impl Default for Http2Tuning {
    fn default() -> Self {
        Self {
            stream_window: 1 << 20,
            connection_window: 1 << 20,
            adaptive_window: false,
            max_frame_size: 16 << 10,
            max_concurrent_streams: 200,
            max_header_list_size: 16 << 10,
            send_buffer: 400 << 10,
            max_pending_resets: 20,
            max_local_error_resets: 1024,
            keep_alive_interval: None,
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}

impl Http2Tuning {
    /// For uploads over long fat networks: windows of 4 MiB a stream and 16 MiB a connection, 100 MB/s at 40 ms.
    /// A connection may then hold 16 MiB in memory.
    #[must_use]
    pub fn uploads() -> Self {
        Self {
            stream_window: 4 << 20,
            connection_window: 16 << 20,
            ..Self::default()
        }
    }

    /// For many connections in little memory: windows of 64 KiB, small send buffers, 32 streams.
    #[must_use]
    pub fn small() -> Self {
        Self {
            stream_window: 64 << 10,
            connection_window: 64 << 10,
            max_concurrent_streams: 32,
            send_buffer: 64 << 10,
            ..Self::default()
        }
    }

    /// Sets [`stream_window`](Self::stream_window).
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes;
        self
    }

    /// Sets [`connection_window`](Self::connection_window).
    #[must_use]
    pub fn connection_window(mut self, bytes: u32) -> Self {
        self.connection_window = bytes;
        self
    }

    /// Sets [`max_frame_size`](Self::max_frame_size).
    #[must_use]
    pub fn max_frame_size(mut self, bytes: u32) -> Self {
        self.max_frame_size = bytes;
        self
    }

    /// Sets [`max_concurrent_streams`](Self::max_concurrent_streams).
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = streams;
        self
    }

    /// Sets [`max_header_list_size`](Self::max_header_list_size).
    #[must_use]
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.max_header_list_size = bytes;
        self
    }

    /// Sets [`send_buffer`](Self::send_buffer).
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Sets [`keep_alive_interval`](Self::keep_alive_interval) and [`keep_alive_timeout`](Self::keep_alive_timeout).
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.keep_alive_interval = Some(interval);
        self.keep_alive_timeout = timeout;
        self
    }

    /// With each knob where h2 takes it.
    pub(super) fn in_range(self) -> Self {
        const WINDOW: u32 = i32::MAX as u32;
        Self {
            stream_window: self.stream_window.clamp(1, WINDOW),
            connection_window: self.connection_window.clamp(65_535, WINDOW),
            max_frame_size: self.max_frame_size.clamp(16_384, 16_777_215),
            max_concurrent_streams: self.max_concurrent_streams.max(1),
            send_buffer: self.send_buffer.clamp(1 << 10, u32::MAX as usize),
            keep_alive_interval: self
                .keep_alive_interval
                .map(|interval| interval.clamp(Duration::from_secs(1), LONGEST)),
            keep_alive_timeout: self.keep_alive_timeout.min(LONGEST),
            ..self
        }
    }

    pub(super) fn apply<E>(&self, builder: &mut Builder<E>) {
        let mut http2 = builder.http2();
        http2
            .timer(TokioTimer::new())
            .enable_connect_protocol()
            .max_frame_size(self.max_frame_size)
            .max_concurrent_streams(self.max_concurrent_streams)
            // The adapter takes as much off what clients are told, and adds a field of that size.
            .max_header_list_size(self.max_header_list_size.saturating_add(LIST_GROWTH))
            .max_send_buf_size(self.send_buffer)
            .max_pending_accept_reset_streams(self.max_pending_resets)
            .max_local_error_reset_streams(self.max_local_error_resets)
            .keep_alive_interval(self.keep_alive_interval)
            .keep_alive_timeout(self.keep_alive_timeout);
        // Each of these switches the other off.
        if self.adaptive_window {
            http2.adaptive_window(true);
        } else {
            http2
                .initial_stream_window_size(self.stream_window)
                .initial_connection_window_size(self.connection_window);
        }
    }
}
