//! Patterns and paths at random, the same ones for the same seed.
// Each test binary compiles this file for itself and uses its part of it.
#![allow(dead_code)]

use std::fmt::Write as _;

use super::reference::{Part, Pattern};

/// SplitMix64: small, and good enough to choose with.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// Static texts: short ones that meet often, lengths around those of machine
/// words and vectors, and what a path may have that nobody thinks of.
const STATIC: &[&str] = &[
    "a",
    "b",
    "ab",
    "ba",
    "aa",
    "a-b",
    "a.b",
    "12",
    "255",
    "true",
    "",
    ".",
    "..",
    "%2F",
    " ",
    "\0",
    "é",
    "日本",
    "{",
    "}",
    "x{y}",
    "abcdef",
    "abcdefg",
    "abcdefgh",
    "abcdefgi",
    "abcdefghi",
    "abcdefghijklmno",
    "abcdefghijklmnop",
    "abcdefghijklmnopq",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmno",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnp",
    // Alike to a hash that mixes the first and the last word.
    "abcdefgaijklmno",
    "abceefgiijklmno",
    "abcdefg-1-abcdefgh",
    "abcdefg-2-abcdefgh",
    "abcdefg-3-abcdefgh",
];

/// Texts for parameters, some for each constraint.
const VALUES: &[&str] = &[
    "a",
    "b",
    "ab",
    "aab",
    "1",
    "12",
    "255",
    "256",
    "-1",
    "1.5",
    "false",
    "ff",
    "a-b",
    "a-b-c",
    "a.b.c",
    "--",
    "é",
    "éé",
    "x.json",
    "abcdefgh",
    "abcdefghijklmnopqrstuvwxyz0123456789",
];

/// Braces come last: in matchit, those behind a parameter belong to its name.
const LITERALS: &[&str] = &["-", ".", "--", "a", "b", "v", "é", ".json", "{{", "}}"];

const CONSTRAINTS: &[&str] = &[
    "bool",
    "u8",
    "i8",
    "u64",
    "f32",
    "digit",
    "hex",
    "alpha",
    "alnum",
    "even",
    "short",
    #[cfg(feature = "regex")]
    "[a-b]+",
    #[cfg(feature = "regex")]
    "[0-9]{2}",
    #[cfg(feature = "regex")]
    "a|.*b",
];

/// How much of the language is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// All of it.
    Full,
    /// What matchit has too and means the same by: static text, at most one
    /// parameter in a segment, literals in front of it, in the last segment
    /// also behind it, a catch-all at the end. matchit does not come back
    /// from a segment with a literal behind its parameter.
    Shared,
}

/// Texts that the patterns of one set choose from: few, so that they overlap.
pub(crate) struct Vocabulary {
    language: Language,
    statics: Vec<&'static str>,
}

impl Vocabulary {
    pub(crate) fn new(random: &mut Random, language: Language) -> Self {
        let count = 2 + random.below(5);
        let statics = (0..count).map(|_| random.pick(STATIC)).collect();
        Self { language, statics }
    }

    pub(crate) fn pattern(&self, random: &mut Random) -> String {
        let mut pattern = String::new();
        let mut params = 0;
        let mut name = || {
            params += 1;
            format!("p{params}")
        };
        let length = if random.chance(3) { 20 } else { 4 };
        for _ in 0..random.below(length) {
            pattern.push('/');
            self.segment(random, &mut name, false, &mut pattern);
        }
        let full = self.language == Language::Full;
        match random.below(10) {
            0 | 1 => write!(pattern, "/{{*{}}}", name()).unwrap(),
            2 => {
                let literal = self.literal(random);
                write!(pattern, "/{literal}{{*{}}}", name()).unwrap();
            }
            3 if full => {
                let constraint = random.pick(CONSTRAINTS);
                write!(pattern, "/{{*{}:{constraint}}}", name()).unwrap();
            }
            4 if full => {
                for _ in 0..=random.below(3) {
                    write!(pattern, "/{{{}?", name()).unwrap();
                    constraint(random, &mut pattern);
                    pattern.push('}');
                }
                if random.chance(30) {
                    write!(pattern, "/{{*{}?}}", name()).unwrap();
                }
            }
            5 if full => write!(pattern, "/{{*{}?}}", name()).unwrap(),
            6 => pattern.push('/'),
            _ => {
                pattern.push('/');
                self.segment(random, &mut name, true, &mut pattern);
            }
        }
        pattern
    }

    fn segment(
        &self,
        random: &mut Random,
        name: &mut impl FnMut() -> String,
        last: bool,
        out: &mut String,
    ) {
        let full = self.language == Language::Full;
        match random.below(10) {
            0..4 => {
                let text = self.statics[random.below(self.statics.len())];
                out.push_str(&text.replace('{', "{{").replace('}', "}}"));
            }
            4..7 => write!(out, "{{{}}}", name()).unwrap(),
            _ => {
                if random.chance(50) {
                    out.push_str(self.literal(random));
                }
                let more = if full { random.below(3) } else { 0 };
                for at in 0..=more {
                    if at > 0 {
                        out.push_str(self.literal(random));
                    }
                    write!(out, "{{{}", name()).unwrap();
                    if full {
                        constraint(random, out);
                    }
                    out.push('}');
                }
                if (full || last) && random.chance(50) {
                    out.push_str(self.literal(random));
                }
            }
        }
    }

    fn literal(&self, random: &mut Random) -> &'static str {
        let braces = match self.language {
            Language::Full => 0,
            Language::Shared => 2,
        };
        random.pick(&LITERALS[..LITERALS.len() - braces])
    }

    /// A path that comes near one of the patterns, or any path at all.
    pub(crate) fn path(&self, random: &mut Random, patterns: &[Pattern]) -> String {
        if random.chance(5) || patterns.is_empty() {
            let paths = ["", "/", "//", "///", "a", "a/b", "/\0", "/{p1}", "/é/", "*"];
            return random.pick(&paths).to_owned();
        }
        let mut path = String::new();
        if random.chance(30) {
            for _ in 0..=random.below(6) {
                path.push('/');
                path.push_str(self.text(random));
            }
        } else {
            let pattern = &patterns[random.below(patterns.len())];
            let expansion = &pattern.expansions[random.below(pattern.expansions.len())];
            for segment in &expansion.segments {
                path.push('/');
                for part in segment {
                    match part {
                        Part::Text(text) => path.push_str(text),
                        Part::Param { catch_all, .. } => {
                            path.push_str(self.text(random));
                            while *catch_all && random.chance(50) {
                                path.push('/');
                                path.push_str(self.text(random));
                            }
                        }
                    }
                }
            }
        }
        if random.chance(30) {
            self.disturb(random, &mut path);
        }
        path
    }

    fn text(&self, random: &mut Random) -> &'static str {
        match random.below(10) {
            0..3 => self.statics[random.below(self.statics.len())],
            3 => random.pick(STATIC),
            _ => random.pick(VALUES),
        }
    }

    /// Puts something in, takes something out or cuts something off.
    fn disturb(&self, random: &mut Random, path: &mut String) {
        let places: Vec<usize> = path.char_indices().map(|(at, _)| at).collect();
        let Some(at) = places.get(random.below(places.len().max(1))).copied() else {
            return;
        };
        match random.below(6) {
            0 => path.push('/'),
            1 => path.insert(at, '/'),
            2 => drop(path.remove(at)),
            3 => path.truncate(at),
            4 => path.insert_str(at, self.text(random)),
            _ => path.push_str(random.pick(LITERALS)),
        }
    }
}

fn constraint(random: &mut Random, out: &mut String) {
    if random.chance(40) {
        write!(out, ":{}", random.pick(CONSTRAINTS)).unwrap();
    }
}
