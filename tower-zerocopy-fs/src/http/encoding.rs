//! `Accept-Encoding` (RFC 9110 §12.5.3): which of the encodings at hand a client likes best.

use ::http::{HeaderMap, HeaderValue, header};

/// The codings for which files with the usual suffix are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// All codings, the one preferred at equal weight first.
    pub(crate) const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    pub(crate) fn header_value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }

    fn of_name(name: &[u8]) -> Option<Self> {
        // x-gzip is the same coding (§8.4.1.3).
        [
            (&b"br"[..], Self::Brotli),
            (b"zstd", Self::Zstd),
            (b"gzip", Self::Gzip),
            (b"x-gzip", Self::Gzip),
        ]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, coding)| coding)
    }
}

/// The available coding with the highest weight, or `None` for the identity.
///
/// The identity is the last resort even where the client refuses it and nothing else is at hand: §12.5.3 prefers that
/// to an error.
pub(crate) fn negotiate(headers: &HeaderMap, available: impl Fn(Coding) -> bool) -> Option<Coding> {
    if !headers.contains_key(header::ACCEPT_ENCODING) {
        return None;
    }
    let mut weights = [None; Coding::ALL.len()];
    let (mut identity, mut any) = (None, None);
    for field in headers.get_all(header::ACCEPT_ENCODING) {
        for item in field.as_bytes().split(|&b| b == b',') {
            let mut pieces = item.split(|&b| b == b';').map(<[u8]>::trim_ascii);
            let name = pieces.next().unwrap_or_default();
            let Some(weight) = weight_of(pieces) else {
                continue;
            };
            if name == b"*" {
                any = Some(weight);
            } else if name.eq_ignore_ascii_case(b"identity") {
                identity = Some(weight);
            } else if let Some(coding) = Coding::of_name(name) {
                weights[coding as usize] = Some(weight);
            }
        }
    }
    // `*` stands for what is not named. The identity that is neither named nor refused is acceptable, but any coding
    // the client took the trouble to name is preferred to it.
    let identity = identity.unwrap_or(0);
    let mut best: Option<(u16, Coding)> = None;
    for coding in Coding::ALL {
        let weight = weights[coding as usize].or(any).unwrap_or(0);
        if weight > 0
            && weight >= identity
            && best.is_none_or(|(w, _)| weight > w)
            && available(coding)
        {
            best = Some((weight, coding));
        }
    }
    best.map(|(_, coding)| coding)
}

/// The weight in thousandths, 1000 where none is given, `None` where it is malformed.
fn weight_of<'a>(mut parameters: impl Iterator<Item = &'a [u8]>) -> Option<u16> {
    let Some(parameter) = parameters.next() else {
        return Some(1000);
    };
    let text = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut thousandths = 0u16;
    for place in 0..3 {
        thousandths = thousandths * 10 + fraction.get(place).map_or(0, |b| u16::from(b - b'0'));
    }
    match whole {
        b"0" => Some(thousandths),
        b"1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_available_coding_wins() {
        use Coding::{Brotli, Gzip, Zstd};
        let all = [Brotli, Zstd, Gzip];
        type Case<'a> = (&'a str, &'a [Coding], Option<Coding>);
        let cases: &[Case<'_>] = &[
            ("gzip", &all, Some(Gzip)),
            ("x-gzip", &all, Some(Gzip)),
            ("GZip", &all, Some(Gzip)),
            ("gzip, br", &all, Some(Brotli)),
            ("gzip, br, zstd", &[Gzip, Zstd], Some(Zstd)),
            ("gzip;q=1.0, br;q=0.9", &all, Some(Gzip)),
            ("gzip;q=0.5, br;q=0.501", &all, Some(Brotli)),
            ("br;q=0, gzip;q=0.1", &all, Some(Gzip)),
            ("br;q=0", &all, None),
            ("br;q=0.000", &all, None),
            ("*", &[Gzip], Some(Gzip)),
            ("*;q=0", &all, None),
            ("br;q=0, *", &[Brotli, Gzip], Some(Gzip)),
            ("*;q=0.1, gzip", &all, Some(Gzip)),
            ("identity", &all, None),
            ("identity;q=0", &all, None),
            ("identity;q=0.5, br;q=0.4", &all, None),
            ("identity;q=0.5, br;q=0.6", &all, Some(Brotli)),
            ("identity;q=0, gzip;q=0.1", &all, Some(Gzip)),
            ("deflate, compress", &all, None),
            ("gzip;q=2", &all, None),
            ("gzip;q=1.001", &all, None),
            ("gzip;q=0.1234", &all, None),
            ("gzip;level=9", &all, None),
            ("gzip ; q=0.5", &all, Some(Gzip)),
            ("br", &[], None),
            ("", &all, None),
            (",,gzip,", &all, Some(Gzip)),
        ];
        for (field, available, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, field.parse().unwrap());
            assert_eq!(
                negotiate(&headers, |c| available.contains(&c)),
                *expected,
                "{field:?}"
            );
        }
        assert_eq!(negotiate(&HeaderMap::new(), |_| true), None);
    }
}
