//! What must hold for every input of the parsers, shared by the fuzz targets and a deterministic test. No API.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::{
    condition::{self, Outcome, Validators},
    encoding::{self, Coding},
    glob, path,
    range::{self, Selection},
};

const PARTS: usize = 5;

/// Every selected range lies within the representation, and no set costs more than the whole.
pub fn range(field: &[u8], len: u64) {
    let inside = |r: &range::ByteRange| r.start < r.end && r.end <= len;
    match range::select(field, len, PARTS) {
        Selection::Whole => {}
        Selection::Single(one) => assert!(inside(&one)),
        Selection::Multiple(parts) => {
            assert!((2..=PARTS).contains(&parts.len()) && parts.iter().all(inside));
            assert!(parts.iter().map(range::ByteRange::len).sum::<u64>() <= len);
        }
        Selection::Unsatisfiable => assert!(len > 0),
    }
}

/// A name holds nothing that leads elsewhere, and reading is idempotent on names without escapes.
pub fn path(text: &str) {
    if let Ok(file) = path::parse(text) {
        let name: &str = &file.name;
        assert!(!name.starts_with('/') && !name.ends_with('/') && !name.contains("//"));
        assert!(!name.contains(['\0', '\\']) && name.split('/').all(|s| s != ".." && s != "."));
        if !name.contains('%') {
            let again = format!("/{name}");
            assert_eq!(
                path::parse(&again).map(|f| f.name.into_owned()),
                Ok(name.to_owned())
            );
        }
        let last = name.rsplit('/').next().unwrap_or_default();
        let reference = path::relative_reference(last);
        assert!(
            reference.starts_with("./")
                && reference.is_ascii()
                && !reference[2..].contains(['/', ':', '?', '#'])
        );
    }
    glob::matches(text, text);
    assert!(glob::matches("**", text));
}

/// Conditions and codings: any bytes in any of the fields, without a panic and within what was offered.
pub fn fields(input: &[u8]) {
    let names = [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
        header::ACCEPT_ENCODING,
    ];
    let mut headers = HeaderMap::new();
    for line in input.split(|&b| b == b'\n') {
        if let Some((&which, value)) = line.split_first()
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            let name: HeaderName = names[usize::from(which) % names.len()].clone();
            headers.append(name, value);
        }
    }
    let of = Validators {
        etag: Some(b"\"a\""),
        modified: Some(784_111_777),
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(800_000_000),
    };
    let outcome = condition::evaluate(&headers, || of);
    let conditional = names[..4].iter().any(|name| headers.contains_key(name));
    assert!(conditional || matches!(outcome, Outcome::Proceed | Outcome::ProceedWhole));
    assert!(headers.contains_key(header::IF_RANGE) || outcome != Outcome::ProceedWhole);
    assert_eq!(encoding::negotiate(&headers, |_| false), None);
    let gzip = encoding::negotiate(&headers, |coding| coding == Coding::Gzip);
    assert!(gzip.is_none_or(|coding| coding == Coding::Gzip));
}
