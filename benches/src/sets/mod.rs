//! Route sets: patterns in our syntax, and look-ups whose right answers are known.

mod published;
mod random;
mod scale;

use crate::rng::Rng;

/// The names of all sets, in the order of the tables.
pub(crate) const NAMES: &[&str] = &[
    "matchit",
    "github",
    "matchit-random",
    "github-random",
    "matchit-catchall",
    "matchit-rest",
    "matchit-404",
    "scale-10",
    "scale-100",
    "scale-1000",
    "scale-10000",
    "scale-100000",
];

/// How many picks the random orders have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// 2,000 picks: for probes and trials.
    Quick,
    /// 20,000 picks: for results.
    Full,
}

impl Size {
    fn picks(self) -> usize {
        match self {
            Self::Quick => 2_000,
            Self::Full => 20_000,
        }
    }
}

/// Patterns, and paths to look up among them.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) patterns: Vec<String>,
    pub(crate) lookups: Vec<Lookup>,
}

/// A path with its right answer.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) path: String,
    /// The index of the pattern that must match, or none.
    pub(crate) route: Option<usize>,
    /// Names and values, from left to right.
    pub(crate) params: Vec<(String, String)>,
}

impl Set {
    /// The paths, side by side in one block of text, so that no router is charged for scattered input.
    pub(crate) fn paths(&self) -> Paths {
        let mut text = String::new();
        let mut ends = Vec::with_capacity(self.lookups.len());
        for lookup in &self.lookups {
            text.push_str(&lookup.path);
            ends.push(text.len());
        }
        Paths { text, ends }
    }
}

/// Owns the text of a set's paths.
#[derive(Debug)]
pub(crate) struct Paths {
    text: String,
    ends: Vec<usize>,
}

impl Paths {
    /// The paths in order.
    pub(crate) fn list(&self) -> Vec<&str> {
        let mut start = 0;
        let cut = |&end: &usize| {
            let path = &self.text[start..end];
            start = end;
            path
        };
        self.ends.iter().map(cut).collect()
    }

    /// The paths in order, for the rest of the process.
    pub(crate) fn leak(self) -> &'static [&'static str] {
        let own: &'static Self = Box::leak(Box::new(self));
        own.list().leak()
    }
}

/// Makes the set of that name; the same one every time.
pub(crate) fn make(name: &str, size: Size) -> Result<Set, String> {
    let Some(&name) = NAMES.iter().find(|known| **known == name) else {
        return Err(format!(
            "no set is called `{name}`; there are {}",
            NAMES.join(", ")
        ));
    };
    Ok(match name {
        "matchit" => published::matchit(name),
        "github" => published::github(name),
        "matchit-random" => random::shuffle(name, published::matchit(name).patterns, size),
        "github-random" => random::shuffle(name, published::github(name).patterns, size),
        "matchit-catchall" => published::matchit_catchall(name),
        "matchit-rest" => published::matchit_rest(name),
        "matchit-404" => published::matchit_404(name),
        _ => {
            let routes = name.trim_start_matches("scale-").parse();
            let routes = routes.map_err(|_| format!("`{name}` does not end in a number"))?;
            random::shuffle(name, scale::patterns(routes), size)
        }
    })
}

/// Whether the set's look-ups go round in a fixed order, short enough for a branch predictor to learn.
pub(crate) fn is_cyclic(name: &str) -> bool {
    name.starts_with("matchit") && name != "matchit-random" || name == "github"
}

/// Sorts the more specific of two patterns first: segment by segment, static, then parameter, then catch-all.
fn precedence(pattern: &str) -> Vec<u8> {
    let rank = |segment: &str| match segment.as_bytes() {
        [b'{', b'*', ..] => 2,
        [b'{', ..] => 1,
        _ => 0,
    };
    pattern.split('/').skip(1).map(rank).collect()
}

/// Whether `wide` matches whatever `narrow` does.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    // A parameter's own text is a segment that only a parameter or a catch-all takes.
    capture(wide, narrow).is_some()
}

/// The right answer by trying every pattern.
fn reference(patterns: &[String], path: &str) -> Lookup {
    let best = patterns
        .iter()
        .enumerate()
        .filter_map(|(route, pattern)| Some((precedence(pattern), route, capture(pattern, path)?)))
        .min();
    let (route, params) = match best {
        Some((_, route, params)) => (Some(route), params),
        None => (None, Vec::new()),
    };
    Lookup {
        path: path.to_owned(),
        route,
        params,
    }
}

/// The parameters of `path` under `pattern`, if it matches.
fn capture(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut params = Vec::new();
    let mut rest = Some(path.strip_prefix('/')?);
    for segment in pattern.split('/').skip(1) {
        let left = rest?;
        if let Some(name) = segment.strip_prefix("{*") {
            params.push((name.trim_end_matches('}').to_owned(), left.to_owned()));
            return (!left.is_empty()).then_some(params);
        }
        let (value, more) = match left.split_once('/') {
            Some((value, more)) => (value, Some(more)),
            None => (left, None),
        };
        if let Some(name) = segment.strip_prefix('{') {
            if value.is_empty() {
                return None;
            }
            params.push((name.trim_end_matches('}').to_owned(), value.to_owned()));
        } else if segment != value {
            return None;
        }
        rest = more;
    }
    rest.is_none().then_some(params)
}

/// A seed of its own for every set.
fn rng(name: &str) -> Rng {
    let seed = name.bytes().fold(0x0074_6F77_6572, |seed: u64, byte| {
        seed.wrapping_mul(0x0100_0000_01B3) ^ u64::from(byte)
    });
    Rng::new(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_are_the_references() {
        for name in NAMES {
            let set = make(name, Size::Quick).unwrap();
            if set.patterns.len() > 1_000 {
                continue;
            }
            for lookup in set.lookups.iter().take(400) {
                let right = reference(&set.patterns, &lookup.path);
                assert_eq!(lookup.route, right.route, "{name} {}", lookup.path);
                assert_eq!(lookup.params, right.params, "{name} {}", lookup.path);
            }
        }
    }

    #[test]
    fn sets_have_their_published_sizes() {
        let cases = [
            ("matchit", 130, 130),
            ("github", 315, 80),
            ("matchit-catchall", 131, 130),
            ("matchit-rest", 131, 130),
            ("matchit-404", 130, 130),
            ("scale-10", 10, 2_000),
            ("scale-10000", 10_000, 2_000),
        ];
        for (name, patterns, lookups) in cases {
            let set = make(name, Size::Quick).unwrap();
            assert_eq!(set.patterns.len(), patterns, "{name}");
            assert_eq!(set.lookups.len(), lookups, "{name}");
        }
    }

    #[test]
    fn sets_match_or_miss_as_their_names_say() {
        for name in NAMES {
            let set = make(name, Size::Quick).unwrap();
            for lookup in &set.lookups {
                let want = *name != "matchit-404";
                assert_eq!(lookup.route.is_some(), want, "{name} {}", lookup.path);
            }
        }
    }
}
