//! The trie as a picture.
#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::Trie;

/// The routes as a tree, in order of precedence:
///
/// ```text
/// /
/// ├── health *
/// └── users *
///     ├── me *
///     └── {id} *
///         └── posts *
/// ```
///
/// An asterisk marks where a route ends.
impl<T> fmt::Display for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        draw(f, self.iter().map(|(pattern, _)| (pattern, "*")))
    }
}

/// Draws patterns, each with a note, as a tree.
pub(crate) fn draw<N: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    routes: impl Iterator<Item = (impl AsRef<str>, N)>,
) -> fmt::Result {
    let mut root = Branch::default();
    for (pattern, note) in routes {
        let mut here = &mut root;
        for segment in segments(pattern.as_ref()) {
            let known = here.branches.iter().position(|(text, _)| *text == segment);
            let at = known.unwrap_or_else(|| {
                here.branches.push((segment, Branch::default()));
                here.branches.len() - 1
            });
            here = &mut here.branches[at].1;
        }
        here.note = Some(alloc::format!("{note}"));
    }
    f.write_str("/")?;
    root.draw(f)
}

/// One place of the picture.
#[derive(Default)]
struct Branch {
    note: Option<String>,
    branches: Vec<(String, Branch)>,
}

impl Branch {
    /// Draws what is below this place, with a stack of its own: a pattern can
    /// have more segments than a thread's stack has room for.
    fn draw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stack = alloc::vec![self.branches.iter()];
        while let Some(siblings) = stack.last_mut() {
            let Some((text, branch)) = siblings.next() else {
                stack.pop();
                continue;
            };
            f.write_str("\n")?;
            let (parents, own) = stack.split_at(stack.len() - 1);
            for siblings in parents {
                f.write_str(if siblings.len() > 0 { "│   " } else { "    " })?;
            }
            let last = own.iter().all(|siblings| siblings.len() == 0);
            f.write_str(if last { "└── " } else { "├── " })?;
            f.write_str(text)?;
            if let Some(note) = &branch.note {
                write!(f, " {note}")?;
            }
            stack.push(branch.branches.iter());
        }
        Ok(())
    }
}

impl Drop for Branch {
    /// Takes deep trees apart without recursion.
    fn drop(&mut self) {
        let mut rest = core::mem::take(&mut self.branches);
        while let Some((_, mut branch)) = rest.pop() {
            rest.append(&mut branch.branches);
        }
    }
}

/// The segments of a pattern, an empty one shown as `""`. Slashes within
/// braces, as in a regular expression, separate nothing.
fn segments(pattern: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let inner = pattern.strip_prefix('/').unwrap_or(pattern);
    let split = inner.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && depth == 0
    });
    split
        .map(|text| {
            if text.is_empty() {
                "\"\"".into()
            } else {
                text.into()
            }
        })
        .collect()
}
