//! Segments written out again, in the language they were parsed from.

use core::fmt::{self, Write as _};

use super::segment::{Segment, SegmentPattern};

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(text) => escaped(f, text),
            Self::Dynamic(pattern) => pattern.fmt(f),
        }
    }
}

impl fmt::Display for SegmentPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, &self.prefix)?;
        for param in &self.params {
            f.write_str(if self.catch_all { "{*" } else { "{" })?;
            f.write_str(&param.name)?;
            if let Some(constraint) = &param.constraint {
                write!(f, ":{}", constraint.text())?;
            }
            f.write_char('}')?;
            escaped(f, &param.literal)?;
        }
        Ok(())
    }
}

/// Writes literal text with its braces doubled.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '{' | '}') {
            f.write_char(c)?;
        }
        f.write_char(c)?;
    }
    Ok(())
}
