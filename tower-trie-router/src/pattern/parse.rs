//! The parser of patterns.

use alloc::{boxed::Box, collections::BTreeSet, format, string::String, sync::Arc, vec, vec::Vec};
use core::ops::Range;

use super::{
    Expansion, InsertError, InsertErrorKind as Kind, Pattern,
    constraint::{Constraint, ConstraintSet, is_identifier},
    segment::{Param, Segment, SegmentPattern},
};

/// How many optional segments a pattern may have. Each one is a further
/// segment list, so without a limit a short pattern could need quadratic room.
const MAX_OPTIONAL: usize = 16;

pub(super) fn parse(source: &str, constraints: &ConstraintSet) -> Result<Pattern, InsertError> {
    let mut parser = Parser {
        source,
        constraints,
        at: 0,
        seen: BTreeSet::new(),
    };
    let (required, optional) = parser.segments()?;
    Ok(Pattern {
        source: source.into(),
        expansions: expand(required, optional).into(),
    })
}

/// The segment lists, from short to long.
fn expand(required: Vec<Segment>, optional: Vec<Segment>) -> Vec<Expansion> {
    let empty = || Segment::Static("".into());
    let mut segments = required;
    let mut expansions = Vec::with_capacity(optional.len() + 2);
    let mut push = |segments: Vec<Segment>| expansions.push(Expansion { segments });
    for next in optional {
        if segments.is_empty() {
            push(vec![empty()]);
        } else {
            push(segments.clone());
            if matches!(&next, Segment::Dynamic(pattern) if pattern.is_catch_all()) {
                push(segments.iter().cloned().chain([empty()]).collect());
            }
        }
        segments.push(next);
    }
    push(segments);
    expansions
}

struct Parser<'a> {
    source: &'a str,
    constraints: &'a ConstraintSet,
    /// What comes next, in bytes.
    at: usize,
    seen: BTreeSet<&'a str>,
}

/// What stands between a pair of braces.
struct Braces<'a> {
    span: Range<usize>,
    name: &'a str,
    constraint: Option<Constraint>,
    catch_all: bool,
    optional: bool,
}

impl<'a> Parser<'a> {
    /// The segments that have to be there, and the optional ones after them.
    fn segments(&mut self) -> Result<(Vec<Segment>, Vec<Segment>), InsertError> {
        if !self.source.starts_with('/') {
            let first = self.source.chars().next().map_or(0, char::len_utf8);
            return self.fail(Kind::MissingSlash, 0..first, "a pattern starts with `/`");
        }
        let (mut required, mut optional) = (Vec::new(), Vec::new());
        let mut last_optional = 0..0;
        while self.at < self.source.len() {
            self.at += 1;
            let (segment, is_optional) = self.segment()?;
            if let Some(span) = is_optional {
                last_optional = span;
                optional.push(segment);
            } else if optional.is_empty() {
                required.push(segment);
            } else {
                let message = "only optional segments may follow an optional one";
                return self.fail(Kind::MisplacedOptional, last_optional, message);
            }
            if optional.len() > MAX_OPTIONAL {
                let message = format!("a pattern has at most {MAX_OPTIONAL} optional segments");
                return self.fail(Kind::TooManyOptional, last_optional, message);
            }
        }
        Ok((required, optional))
    }

    /// One segment up to the next slash or the end, and where its parameter
    /// stands if that is optional.
    fn segment(&mut self) -> Result<(Segment, Option<Range<usize>>), InsertError> {
        let prefix = self.literal()?;
        let mut params: Vec<Param> = Vec::new();
        let mut last: Option<Braces<'a>> = None;
        let mut optional = None;
        while self.peek() == Some(b'{') {
            let braces = self.braces()?;
            if let Some(last) = &last {
                self.check_neighbours(last, &braces, &params)?;
            }
            let literal = self.literal()?;
            if braces.catch_all && !(literal.is_empty() && self.peek() != Some(b'/')) {
                let message = "a catch-all ends the pattern";
                return self.fail(Kind::MisplacedCatchAll, braces.span, message);
            }
            if braces.optional {
                optional = Some(braces.span.clone());
            }
            params.push(Param {
                name: braces.name.into(),
                constraint: braces.constraint.clone(),
                literal,
            });
            last = Some(braces);
        }
        let Some(last) = last else {
            return Ok((Segment::Static(prefix), None));
        };
        if let Some(span) = &optional {
            let alone = prefix.is_empty() && params.len() == 1 && params[0].literal.is_empty();
            if !alone {
                let message = "an optional parameter is a segment of its own";
                return self.fail(Kind::MisplacedOptional, span.clone(), message);
            }
        }
        let pattern = SegmentPattern {
            prefix,
            params: params.into(),
            catch_all: last.catch_all,
        };
        Ok((Segment::Dynamic(Arc::new(pattern)), optional))
    }

    /// Whether `next` may follow `last` in a segment.
    fn check_neighbours(
        &self,
        last: &Braces<'a>,
        next: &Braces<'a>,
        params: &[Param],
    ) -> Result<(), InsertError> {
        if last.catch_all {
            let message = "a catch-all ends the pattern";
            return self.fail(Kind::MisplacedCatchAll, last.span.clone(), message);
        }
        if next.catch_all {
            let message = "a catch-all shares its segment with a literal prefix at most";
            return self.fail(Kind::MisplacedCatchAll, next.span.clone(), message);
        }
        if params.last().is_some_and(|param| param.literal.is_empty()) {
            let message = format!(
                "the parameters `{}` and `{}` touch: put literal text between them",
                &self.source[last.span.clone()],
                &self.source[next.span.clone()],
            );
            return self.fail(
                Kind::AdjacentParameters,
                last.span.start..next.span.end,
                message,
            );
        }
        Ok(())
    }

    /// Literal text up to a slash, a parameter or the end.
    fn literal(&mut self) -> Result<Box<str>, InsertError> {
        let mut literal = String::new();
        loop {
            let rest = &self.source[self.at..];
            let plain = rest.find(['/', '{', '}']).unwrap_or(rest.len());
            literal.push_str(&rest[..plain]);
            self.at += plain;
            match &rest.as_bytes()[plain..] {
                [b'{', b'{', ..] => literal.push('{'),
                [b'}', b'}', ..] => literal.push('}'),
                [b'}', ..] => {
                    let message = "this `}` closes nothing: a literal one is written `}}`";
                    return self.fail(Kind::UnopenedBrace, self.at..self.at + 1, message);
                }
                _ => return Ok(literal.into()),
            }
            self.at += 2;
        }
    }

    /// A parameter from its opening to its closing brace.
    fn braces(&mut self) -> Result<Braces<'a>, InsertError> {
        let open = self.at;
        self.at += 1;
        let catch_all = self.eat(b'*');
        let name = self.name(open)?;
        let optional = self.eat(b'?');
        let constraint = if self.eat(b':') {
            Some(self.constraint(open)?)
        } else {
            None
        };
        if !self.eat(b'}') {
            return match self.source[self.at..].chars().next() {
                Some(c) => {
                    let message = "a `}` or a constraint, as in `{name?:u64}`, follows the `?`";
                    self.fail(
                        Kind::MisplacedOptional,
                        self.at..self.at + c.len_utf8(),
                        message,
                    )
                }
                None => self.unclosed(open),
            };
        }
        Ok(Braces {
            span: open..self.at,
            name,
            constraint,
            catch_all,
            optional,
        })
    }

    /// The name of a parameter. What follows is a `?`, a `:`, a `}` or the end.
    fn name(&mut self, open: usize) -> Result<&'a str, InsertError> {
        let start = self.at;
        let rest = &self.source[start..];
        let length = rest.find(['{', '}', '/', ':', '*', '?']);
        let length = length.unwrap_or(rest.len());
        let name = &rest[..length];
        self.at += length;
        match self.peek() {
            None => return self.unclosed(open),
            Some(b'/') if !rest[length..].contains('}') => return self.unclosed(open),
            Some(c @ (b'{' | b'/' | b'*')) => {
                let message = format!("a parameter's name has no `{}` in it", char::from(c),);
                return self.fail(Kind::InvalidName, self.at..self.at + 1, message);
            }
            Some(_) if name.is_empty() => {
                let message = "a parameter has a name, as in `{id}`";
                return self.fail(Kind::EmptyName, open..self.at + 1, message);
            }
            Some(_) => {}
        }
        if !self.seen.insert(name) {
            let message = format!("the parameter `{name}` is named twice");
            return self.fail(Kind::DuplicateName, start..self.at, message);
        }
        Ok(name)
    }

    /// A constraint up to its closing brace.
    fn constraint(&mut self, open: usize) -> Result<Constraint, InsertError> {
        let start = self.at;
        let Some(length) = constraint_len(&self.source[start..]) else {
            return self.unclosed(open);
        };
        self.at += length;
        let span = start..self.at;
        let text = &self.source[span.clone()];
        if text.is_empty() {
            let message = "a constraint follows the `:`, as in `{id:u64}`";
            return self.fail(Kind::InvalidConstraint, open..self.at + 1, message);
        }
        if is_identifier(text) {
            return self.constraints.get(text).map_or_else(
                || {
                    let known = self.constraints.known();
                    let message = format!("no constraint is called `{text}`: there are {known}");
                    self.fail(Kind::UnknownConstraint, span, message)
                },
                Ok,
            );
        }
        if let Some(name) = text.strip_suffix('?')
            && is_identifier(name)
        {
            let message = format!("the `?` stands behind the parameter's name: `?:{name}`");
            return self.fail(Kind::MisplacedOptional, span, message);
        }
        self.regex(text, span)
    }

    #[cfg(feature = "regex")]
    fn regex(&self, text: &str, span: Range<usize>) -> Result<Constraint, InsertError> {
        Constraint::regex(text).or_else(|error| {
            let message = format!("the regular expression `{text}` does not compile: {error}");
            self.fail(Kind::InvalidConstraint, span, message)
        })
    }

    #[cfg(not(feature = "regex"))]
    fn regex(&self, text: &str, span: Range<usize>) -> Result<Constraint, InsertError> {
        let message = format!("the regular expression `{text}` needs the feature `regex`");
        self.fail(Kind::RegexDisabled, span, message)
    }

    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn unclosed<T>(&self, open: usize) -> Result<T, InsertError> {
        let message = "this `{` is not closed: a literal one is written `{{`";
        self.fail(Kind::UnclosedBrace, open..open + 1, message)
    }

    fn fail<T>(
        &self,
        kind: Kind,
        span: Range<usize>,
        message: impl AsRef<str>,
    ) -> Result<T, InsertError> {
        Err(InsertError::new(kind, self.source, span, message))
    }
}

/// The length of a constraint: up to the `}` that closes its parameter. Braces
/// of a regular expression nest; escaped ones and those of a character class
/// do not count.
fn constraint_len(text: &str) -> Option<usize> {
    let (mut braces, mut classes) = (0_usize, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => {
                classes += 1;
                at += usize::from(bytes.get(at + 1) == Some(&b'^'));
                // A `]` at the very start of a class is one of its members.
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
            }
            b']' => classes = classes.saturating_sub(1),
            b'{' if classes == 0 => braces += 1,
            b'}' if classes == 0 && braces == 0 => return Some(at),
            b'}' if classes == 0 => braces -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}
