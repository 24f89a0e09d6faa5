//! Every response belongs to the stream its request came on, whatever else the client sends.
#![cfg(feature = "serve")]
#![forbid(unsafe_code)]

mod raw;

use axum::{Router, extract::Request, http::StatusCode};
use proptest::prelude::*;
use raw::{Block, Frame, Memory, Peer, flag, frame, kind};
use tokio::io::AsyncWriteExt;
use tower_flowctl::{
    http2::{PriorityLayer, PriorityListener, ReceiveBudget, StreamPriority},
    serve::Http2Tuning,
};

/// What a client does on a stream of its own.
#[derive(Clone, Debug)]
struct Stream {
    fault: Fault,
    /// Bytes of padding on HEADERS.
    padding: Option<u8>,
    /// A dependency in HEADERS, on the stream before or (a stream error) on itself.
    depends: Option<bool>,
    /// Where the block is cut into CONTINUATION frames, in thousandths.
    cuts: Vec<u16>,
    /// Length of a field that makes the block long.
    long: usize,
    before: Vec<Noise>,
    after: Vec<Noise>,
    /// Stream numbers left out before it.
    skip: u32,
    trailers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// A field name in upper case (RFC 9113 §8.2.1), for which h2 closes the connection.
    UpperCase,
    /// No `:path`.
    NoPath,
    /// A pseudo-header behind a field.
    LatePseudo,
    /// `connection` has no place in HTTP/2.
    Connection,
    /// Content-length that the body does not have.
    WrongLength,
    /// A field like ours.
    Spoof,
}

#[derive(Clone, Copy, Debug)]
enum Noise {
    Priority(u32, u32),
    Update(u32),
    Ping,
    Reset,
    Unknown,
    Window,
    EmptySettings,
}

fn noise() -> impl Strategy<Value = Noise> {
    prop_oneof![
        (0u32..40, 0u32..40).prop_map(|(a, b)| Noise::Priority(2 * a + 1, 2 * b)),
        (0u32..40).prop_map(|n| Noise::Update(2 * n + 1)),
        Just(Noise::Ping),
        Just(Noise::Reset),
        Just(Noise::Unknown),
        Just(Noise::Window),
        Just(Noise::EmptySettings),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    let fault = prop_oneof![
        60 => Just(Fault::None),
        1 => Just(Fault::UpperCase),
        6 => Just(Fault::NoPath),
        6 => Just(Fault::LatePseudo),
        6 => Just(Fault::Connection),
        6 => Just(Fault::WrongLength),
        10 => Just(Fault::Spoof),
    ];
    let long = prop_oneof![4 => Just(0usize), 1 => 100usize..3_000, 1 => 15_800usize..16_300];
    (
        fault,
        prop::option::weighted(0.3, any::<u8>()),
        prop::option::weighted(0.3, prop::bool::weighted(0.9)),
        prop::collection::vec(0u16..=1000, 0..4),
        long,
        prop::collection::vec(noise(), 0..3),
        prop::collection::vec(noise(), 0..3),
        0u32..3,
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(fault, padding, depends, mut cuts, long, before, after, skip, trailers)| {
                cuts.sort_unstable();
                Stream {
                    fault,
                    padding,
                    depends,
                    cuts,
                    long,
                    before,
                    after,
                    skip,
                    trailers,
                }
            },
        )
}

fn field(block: &mut Vec<u8>, name: &str, value: &str) {
    *block = Block(std::mem::take(block)).field(name, value).0;
}

fn write_noise(noise: Noise, id: u32, out: &mut Vec<u8>) {
    out.extend(match noise {
        Noise::Priority(stream, parent) if stream != parent => {
            let payload = [&parent.to_be_bytes()[..], &[7]].concat();
            frame(kind::PRIORITY, 0, stream, &payload)
        }
        Noise::Priority(..) => Vec::new(),
        Noise::Update(stream) => {
            let payload = [&stream.to_be_bytes()[..], b"u=1, i"].concat();
            frame(kind::PRIORITY_UPDATE, 0, 0, &payload)
        }
        Noise::Ping => frame(kind::PING, 0, 0, b"12345678"),
        Noise::Reset => frame(kind::RST_STREAM, 0, id, &8u32.to_be_bytes()),
        Noise::Unknown => frame(0xbe, 0xff, id, b"what is this"),
        Noise::Window => frame(kind::WINDOW_UPDATE, 0, id, &1u32.to_be_bytes()),
        Noise::EmptySettings => frame(kind::SETTINGS, 0, 0, b""),
    });
}

/// Writes a stream's frames, and says whether its request must be answered with its own number.
fn write(stream: &Stream, id: u32, out: &mut Vec<u8>) -> bool {
    for &noise in &stream.before {
        // Nothing may come for a stream that is idle, but PRIORITY and PRIORITY_UPDATE.
        if !matches!(noise, Noise::Reset | Noise::Window) {
            write_noise(noise, id, out);
        }
    }
    let path = format!("/{id}");
    let mut block = vec![];
    block.push(if stream.trailers { 0x83 } else { 0x82 });
    block.push(0x86);
    if stream.fault != Fault::NoPath {
        field(&mut block, ":path", &path);
    }
    if stream.fault == Fault::LatePseudo {
        field(&mut block, "a", "b");
    }
    field(&mut block, ":authority", "test");
    match stream.fault {
        Fault::UpperCase => field(&mut block, "Upper", "case"),
        Fault::Connection => field(&mut block, "connection", "close"),
        Fault::WrongLength => field(&mut block, "content-length", "5"),
        Fault::Spoof => {
            field(
                &mut block,
                "strict-transport-security",
                "00112233445566770000000000000000000b",
            );
        }
        _ => {}
    }
    // Into the dynamic table.
    block.extend([0x40, 1, b'x', 2, b'y', b'0' + (id % 10) as u8]);
    if stream.long > 0 {
        block.extend([0, 4]);
        block.extend(b"long");
        block.push(0x7f);
        let mut rest = stream.long.max(127) - 127;
        while rest >= 128 {
            block.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        block.push(rest as u8);
        block.extend(std::iter::repeat_n(b'z', stream.long.max(127)));
    }
    let mut cuts: Vec<usize> = stream
        .cuts
        .iter()
        .map(|cut| block.len() * usize::from(*cut) / 1000)
        .collect();
    cuts.push(block.len());
    let mut payload = Vec::new();
    let mut flags = 0;
    if let Some(padding) = stream.padding {
        flags |= flag::PADDED;
        payload.push(padding);
    }
    if let Some(right) = stream.depends {
        flags |= flag::PRIORITY;
        let parent = if right { id.saturating_sub(2) } else { id };
        payload.extend(parent.to_be_bytes());
        payload.push(200);
    }
    payload.extend(&block[..cuts[0]]);
    payload.extend(std::iter::repeat_n(
        0,
        usize::from(stream.padding.unwrap_or(0)),
    ));
    if payload.len() > 16_384 {
        return false;
    }
    if !stream.trailers {
        flags |= flag::END_STREAM;
    }
    if cuts.len() == 1 {
        flags |= flag::END_HEADERS;
    }
    out.extend(frame(kind::HEADERS, flags, id, &payload));
    for (n, pair) in cuts.windows(2).enumerate() {
        let flags = if n + 2 == cuts.len() {
            flag::END_HEADERS
        } else {
            0
        };
        out.extend(frame(
            kind::CONTINUATION,
            flags,
            id,
            &block[pair[0]..pair[1]],
        ));
    }
    // A request that h2 refuses before it looks at the stream leaves that idle: what else came on it would be an error of
    // the connection.
    let opens = matches!(stream.fault, Fault::None | Fault::Spoof) && stream.depends != Some(false);
    if stream.trailers && opens {
        out.extend(frame(kind::DATA, 0, id, b"body"));
        let mut block = Vec::new();
        field(&mut block, "trailer", "t");
        out.extend(frame(
            kind::HEADERS,
            flag::END_STREAM | flag::END_HEADERS,
            id,
            &block,
        ));
    }
    let mut reset = false;
    for &noise in &stream.after {
        if opens || !matches!(noise, Noise::Reset | Noise::Window) {
            reset |= matches!(noise, Noise::Reset);
            write_noise(noise, id, out);
        }
    }
    opens && !reset && stream.long < 15_000
}

/// Answers with the path, and with the number of the stream if that is known.
async fn echo(priority: Option<StreamPriority>, request: Request) -> (StatusCode, String) {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    // Whatever the client sent stays, and ours is gone.
    for value in request.headers().get_all("strict-transport-security") {
        assert_eq!(value, "00112233445566770000000000000000000b");
    }
    let _ = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    match priority {
        Some(priority) => (StatusCode::OK, format!("{path} {}", priority.id())),
        None => (StatusCode::OK, format!("{path} unknown")),
    }
}

async fn play(
    layered: bool,
    budget: Option<u64>,
    streams: Vec<Stream>,
    pieces: Vec<u16>,
) -> Result<(), TestCaseError> {
    let (listener, dial) = Memory::bind();
    let app = Router::new().fallback(echo);
    if layered {
        let app = app.layer(PriorityLayer::new());
        tokio::spawn(axum::serve(PriorityListener::new(listener), app).into_future());
    } else {
        // Few streams at once, so that some are refused.
        let tuning = Http2Tuning::default().max_concurrent_streams(4);
        let server = tower_flowctl::serve(listener, app).tuning(tuning);
        let server = match budget {
            Some(bytes) => server.receive_budget(ReceiveBudget::new(bytes)),
            None => server,
        };
        tokio::spawn(server.run());
    }
    let mut peer = Peer::new(dial.connect_with(64 << 20)).await;
    let mut bytes = frame(kind::SETTINGS, flag::ACK, 0, b"");
    let mut certain = Vec::new();
    let mut id = 1;
    for stream in &streams {
        id += 2 * stream.skip;
        if write(stream, id, &mut bytes) {
            certain.push(id);
        }
        id += 2;
    }
    bytes.extend(frame(kind::PING, 0, 0, b"the end!"));
    let mut pieces = pieces.into_iter().cycle();
    let mut rest = &bytes[..];
    let mut refused = Vec::new();
    let mut answers = std::collections::BTreeMap::<u32, Vec<u8>>::new();
    let mut ended = Vec::new();
    let mut done = false;
    let mut last = |Frame {
                        kind,
                        flags,
                        stream,
                        payload,
                    }: Frame| match kind {
        kind::DATA | kind::HEADERS => {
            if kind == kind::DATA {
                answers.entry(stream).or_default().extend(payload);
            }
            if flags & flag::END_STREAM != 0 {
                ended.push(stream);
            }
            false
        }
        kind::RST_STREAM => {
            refused.push(stream);
            false
        }
        kind::PING => flags & flag::ACK != 0 && payload == b"the end!",
        _ => false,
    };
    while !rest.is_empty() {
        let length = usize::from(pieces.next().unwrap_or(1000)).clamp(1, rest.len());
        if peer.io.write_all(&rest[..length]).await.is_err() {
            break;
        }
        rest = &rest[length..];
        tokio::task::yield_now().await;
    }
    // After the last PING what is open still has to be answered: the second one finds it idle.
    let mut quiet = 0;
    while quiet < 2 {
        match tokio::time::timeout(std::time::Duration::from_secs(1), peer.next()).await {
            Ok(Some(frame)) => done |= last(frame),
            Ok(None) => break,
            Err(_) => quiet += 1,
        }
    }
    for (stream, answer) in &answers {
        let answer = String::from_utf8_lossy(answer);
        let (path, number) = answer.split_once(' ').unwrap_or(("", ""));
        prop_assert_eq!(
            path,
            stream.to_string(),
            "the answer came to another request"
        );
        prop_assert!(
            number == path || number == "unknown",
            "stream {} was taken for {}",
            path,
            number
        );
    }
    if done {
        for stream in certain {
            let answered = answers
                .get(&stream)
                .map(|answer| String::from_utf8_lossy(answer).into_owned());
            let expected = format!("{stream} {stream}");
            prop_assert!(
                answered.as_ref() == Some(&expected) || refused.contains(&stream),
                "stream {} was answered by {:?}",
                stream,
                answered
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn requests_are_never_mistaken(
        layered in any::<bool>(),
        budget in prop::option::of(0u64..1 << 20),
        streams in prop::collection::vec(stream(), 1..60),
        pieces in prop::collection::vec(prop_oneof![1u16..20, 20u16..9000], 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(layered, budget, streams, pieces))?;
    }
}
