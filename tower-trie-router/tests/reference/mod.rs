//! What the trie has to do, in the plainest way there is: split the path at
//! its slashes, compare it with every pattern, take the best by the documented
//! order. It shares no code with the crate.
// Each test binary compiles this file for itself and uses its part of it.
#![allow(dead_code)]

use std::cmp::Reverse;

/// A part of a segment.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Text(String),
    Param {
        name: String,
        constraint: Option<String>,
        catch_all: bool,
    },
}

/// What stands between two slashes.
pub(crate) type Segment = Vec<Part>;

/// A pattern and all that it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) source: String,
    pub(crate) expansions: Vec<Expansion>,
}

/// One of the segment lists that a pattern stands for.
#[derive(Debug, Clone)]
pub(crate) struct Expansion {
    pub(crate) segments: Vec<Segment>,
    ranks: Vec<Rank>,
}

/// Names and values from left to right.
pub(crate) type Params = Vec<(String, String)>;

/// The pattern that matches `path` and goes before all others that do, and
/// the values of its parameters.
pub(crate) fn find<'a>(patterns: &'a [Pattern], path: &str) -> Option<(&'a str, Params)> {
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let mut best: Option<(&[Rank], &str, Params)> = None;
    for pattern in patterns {
        for Expansion { segments, ranks } in &pattern.expansions {
            let Some(params) = match_path(segments, &path) else {
                continue;
            };
            if best.as_ref().is_none_or(|(best, ..)| &**ranks < *best) {
                best = Some((ranks, &pattern.source, params));
            }
        }
    }
    best.map(|(_, source, params)| (source, params))
}

/// Whether no order separates the two patterns: it does not go by the text of
/// a constraint.
pub(crate) fn conflict(a: &Pattern, b: &Pattern) -> bool {
    let same = |a: &Rank, b: &Rank| match (a, b) {
        (Rank::Dynamic(a, x, _), Rank::Dynamic(b, y, _)) => (a, x) == (b, y),
        _ => a == b,
    };
    let same = |a: &Expansion, b: &Expansion| {
        let mut pairs = a.ranks.iter().zip(&b.ranks);
        a.ranks.len() == b.ranks.len() && pairs.all(|(a, b)| same(a, b))
    };
    let mut pairs = a
        .expansions
        .iter()
        .flat_map(|a| b.expansions.iter().map(move |b| (a, b)));
    pairs.any(|(a, b)| same(a, b))
}

fn match_path(segments: &[Segment], path: &[&str]) -> Option<Params> {
    let Some((segment, segments)) = segments.split_first() else {
        return path.is_empty().then(Vec::new);
    };
    if is_catch_all(segment) {
        return match_text(segment, &path.join("/"));
    }
    let (text, path) = path.split_first()?;
    let mut params = match_text(segment, text)?;
    params.extend(match_path(segments, path)?);
    Some(params)
}

fn match_text(segment: &Segment, text: &str) -> Option<Params> {
    let values = split(segment, text)?;
    let params = segment.iter().filter_map(|part| match part {
        Part::Text(_) => None,
        Part::Param {
            name, constraint, ..
        } => Some((name, constraint)),
    });
    params
        .zip(values)
        .map(|((name, constraint), value)| {
            let accepted = constraint.as_ref().is_none_or(|it| accepts(it, value));
            accepted.then(|| (name.clone(), value.to_owned()))
        })
        .collect()
}

/// The values that the literals leave for the parameters: each at least one
/// character, the first as long as can be, then the second, and so on.
fn split<'a>(parts: &[Part], text: &'a str) -> Option<Vec<&'a str>> {
    match parts.split_first() {
        None => text.is_empty().then(Vec::new),
        Some((Part::Text(literal), parts)) => split(parts, text.strip_prefix(&**literal)?),
        Some((Part::Param { .. }, parts)) => {
            let ends = (1..=text.len()).rev();
            let mut ends = ends.filter(|end| text.is_char_boundary(*end));
            ends.find_map(|end| {
                let mut values = vec![&text[..end]];
                values.extend(split(parts, &text[end..])?);
                Some(values)
            })
        }
    }
}

/// The built-in constraints from narrow to wide.
const TYPED: &[&str] = &[
    "bool", "uuid", "u8", "i8", "u16", "i16", "u32", "i32", "usize", "u64", "isize", "i64", "u128",
    "i128", "digit", "f32", "f64", "hex", "lower", "upper", "alpha", "alnum",
];

/// The constraints that the tests register.
pub(crate) const CUSTOM: &[&str] = &["even", "short"];

/// What a constraint of the tests accepts.
pub(crate) fn accepts(constraint: &str, text: &str) -> bool {
    match constraint {
        "bool" => matches!(text, "true" | "false"),
        "uuid" => {
            let groups = text.split('-').map(str::len);
            groups.eq([8, 4, 4, 4, 12]) && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
        }
        "u8" => text.parse::<u8>().is_ok(),
        "i8" => text.parse::<i8>().is_ok(),
        "u16" => text.parse::<u16>().is_ok(),
        "i16" => text.parse::<i16>().is_ok(),
        "u32" => text.parse::<u32>().is_ok(),
        "i32" => text.parse::<i32>().is_ok(),
        "usize" => text.parse::<usize>().is_ok(),
        "u64" => text.parse::<u64>().is_ok(),
        "isize" => text.parse::<isize>().is_ok(),
        "i64" => text.parse::<i64>().is_ok(),
        "u128" => text.parse::<u128>().is_ok(),
        "i128" => text.parse::<i128>().is_ok(),
        "f32" => text.parse::<f32>().is_ok(),
        "f64" => text.parse::<f64>().is_ok(),
        "digit" => text.chars().all(|c| c.is_ascii_digit()),
        "hex" => text.chars().all(|c| c.is_ascii_hexdigit()),
        "lower" => text.chars().all(|c| c.is_ascii_lowercase()),
        "upper" => text.chars().all(|c| c.is_ascii_uppercase()),
        "alpha" => text.chars().all(|c| c.is_ascii_alphabetic()),
        "alnum" => text.chars().all(|c| c.is_ascii_alphanumeric()),
        // Registered by the tests.
        "even" => text.len().is_multiple_of(2),
        "short" => text.len() <= 2,
        // The regular expressions of the tests.
        "[a-b]+" => text.chars().all(|c| matches!(c, 'a' | 'b')),
        "[0-9]{2}" => text.len() == 2 && text.chars().all(|c| c.is_ascii_digit()),
        "a|.*b" => text == "a" || text.ends_with('b'),
        _ => panic!("the reference does not know the constraint `{constraint}`"),
    }
}

/// The place of a segment in the order: less goes first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Static(String),
    Dynamic(Kind, Literals, Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    WithLiteralOrConstraint,
    Plain,
    CatchAll,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Literals {
    prefix: Reverse<usize>,
    is_catch_all: bool,
    suffix: Reverse<usize>,
    bytes: Reverse<usize>,
    params: Reverse<usize>,
    constraints: Vec<usize>,
    /// What stands before, between and behind the parameters.
    texts: Vec<String>,
}

fn rank(segment: &Segment) -> Rank {
    let mut texts = vec![String::new()];
    let mut constraints = Vec::new();
    for part in segment {
        match part {
            Part::Text(text) => texts.last_mut().unwrap().push_str(text),
            Part::Param { constraint, .. } => {
                texts.push(String::new());
                constraints.push(constraint.as_deref());
            }
        }
    }
    if constraints.is_empty() {
        return Rank::Static(texts.remove(0));
    }
    let bytes = texts.iter().map(String::len).sum();
    let bare = bytes == 0 && constraints == [None];
    let kind = match (bare, is_catch_all(segment)) {
        (false, _) => Kind::WithLiteralOrConstraint,
        (true, false) => Kind::Plain,
        (true, true) => Kind::CatchAll,
    };
    let literals = Literals {
        prefix: Reverse(texts[0].len()),
        is_catch_all: is_catch_all(segment),
        suffix: Reverse(texts[texts.len() - 1].len()),
        bytes: Reverse(bytes),
        params: Reverse(constraints.len()),
        constraints: constraints.iter().map(|it| constraint_rank(*it)).collect(),
        texts,
    };
    let texts = constraints.into_iter().flatten();
    Rank::Dynamic(kind, literals, texts.map(str::to_owned).collect())
}

/// Built-in before registered before regular expression before none.
fn constraint_rank(constraint: Option<&str>) -> usize {
    match constraint {
        Some(text) => TYPED
            .iter()
            .position(|typed| *typed == text)
            .unwrap_or(if CUSTOM.contains(&text) { 1_000 } else { 1_001 }),
        None => 1_002,
    }
}

fn is_catch_all(segment: &Segment) -> bool {
    let is_catch_all = |part: &Part| matches!(part, Part::Param { catch_all, .. } if *catch_all);
    segment.iter().any(is_catch_all)
}

/// Reads a pattern that is known to be right.
pub(crate) fn parse(source: &str) -> Pattern {
    let mut segments: Vec<Segment> = Vec::new();
    let mut optional = 0;
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        let mut text = |c: char| match segments.last_mut().unwrap().last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => segments.last_mut().unwrap().push(Part::Text(c.into())),
        };
        match (c, chars.peek()) {
            ('/', _) => segments.push(Segment::new()),
            ('{', Some('{')) | ('}', Some('}')) => text(chars.next().unwrap()),
            ('{', _) => {
                let mut inside = String::new();
                let mut depth = 1;
                while depth > 0 {
                    let c = chars.next().unwrap();
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    inside.push(c);
                }
                inside.pop();
                let (name, constraint) = match inside.split_once(':') {
                    Some((name, constraint)) => (name, Some(constraint.to_owned())),
                    None => (&*inside, None),
                };
                let catch_all = name.starts_with('*');
                optional += usize::from(name.ends_with('?'));
                let name = name.trim_start_matches('*').trim_end_matches('?').into();
                segments.last_mut().unwrap().push(Part::Param {
                    name,
                    constraint,
                    catch_all,
                });
            }
            _ => text(c),
        }
    }
    let required = segments.len() - optional;
    let mut expansions = Vec::new();
    for length in required..=segments.len() {
        let expansion = segments[..length].to_vec();
        if length == 0 {
            expansions.push(vec![Segment::new()]);
            continue;
        }
        if length < segments.len() && is_catch_all(&segments[length]) {
            expansions.push([&expansion[..], &[Segment::new()]].concat());
        }
        expansions.push(expansion);
    }
    let expansion = |segments: Vec<Segment>| Expansion {
        ranks: segments.iter().map(rank).collect(),
        segments,
    };
    Pattern {
        source: source.to_owned(),
        expansions: expansions.into_iter().map(expansion).collect(),
    }
}
