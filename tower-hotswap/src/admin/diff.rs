//! The lines by which two texts differ.

/// Lines that a table of common lengths may have, old times new; beyond it the middle is shown as replaced.
const TABLE: usize = 4_000_000;

/// The lines of both texts, each after `-` (only in `old`), `+` (only in `new`) or a space, with equal lines farther than
/// three from a difference left out and marked by `@@`. Empty if the texts are equal.
///
/// The longest common subsequence of the lines between the first and the last difference, in quadratic time.
pub(super) fn lines(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let common =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let start = common(&mut old.iter().zip(&new));
    let end = common(&mut old[start..].iter().rev().zip(new[start..].iter().rev()));
    let (old_middle, new_middle) = (&old[start..old.len() - end], &new[start..new.len() - end]);

    let mut marked: Vec<(char, &str)> = old[..start].iter().map(|line| (' ', *line)).collect();
    marked.extend(middle(old_middle, new_middle));
    marked.extend(old[old.len() - end..].iter().map(|line| (' ', *line)));
    shorten(&marked)
}

fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = new.len() + 1;
    if old.len().saturating_mul(width) > TABLE {
        let removed = old.iter().map(|line| ('-', *line));
        return removed.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    // lengths[i * width + j]: how long the common subsequence of old[i..] and new[j..] is.
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i * width + j] = if old[i] == new[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut marked) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]
        {
            marked.push(('-', old[i]));
            i += 1;
        } else {
            marked.push(('+', new[j]));
            j += 1;
        }
    }
    marked
}

fn shorten(marked: &[(char, &str)]) -> String {
    const CONTEXT: usize = 3;
    let near = |index: usize| {
        let from = index.saturating_sub(CONTEXT);
        let to = (index + CONTEXT + 1).min(marked.len());
        marked[from..to].iter().any(|(mark, _)| *mark != ' ')
    };
    let (mut text, mut skipping) = (String::new(), false);
    for (index, (mark, line)) in marked.iter().enumerate() {
        if near(index) {
            text.extend([*mark]);
            text.push_str(line);
            text.push('\n');
            skipping = false;
        } else if !skipping && marked.iter().any(|(mark, _)| *mark != ' ') {
            text.push_str("@@\n");
            skipping = true;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        let cases = [
            ("", "", ""),
            ("a\nb\n", "a\nb\n", ""),
            ("a\nb\nc\n", "a\nx\nc\n", " a\n-b\n+x\n c\n"),
            ("", "a\n", "+a\n"),
            ("a\n", "", "-a\n"),
            ("a\nb\nc\nd\n", "b\nx\nd\n", "-a\n b\n-c\n+x\n d\n"),
            (
                "1\n2\n3\n4\n5\n6\n7\n",
                "1\n2\n3\n4\n5\n6\n8\n",
                "@@\n 4\n 5\n 6\n-7\n+8\n",
            ),
        ];
        for (old, new, wanted) in cases {
            assert_eq!(lines(old, new), wanted, "{old:?} to {new:?}");
        }
    }

    #[test]
    fn large_texts_end() {
        let text = |step: usize| {
            (0..5000)
                .map(|n| format!("{}\n", n * step))
                .collect::<String>()
        };
        assert_eq!(
            lines(&text(1), &text(7))
                .lines()
                .filter(|line| line.starts_with('-'))
                .count(),
            4999
        );
    }
}
