//! A document taken apart: sections, prose, code, commands.

use std::{fs, path::PathBuf};

use benches::tables;

/// A Markdown file of the workspace.
pub(crate) struct Document {
    /// Its path from the workspace's root.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// What stands under a heading, up to the next one.
pub(crate) struct Section {
    /// The line of its heading.
    pub(crate) line: usize,
    pub(crate) lines: Vec<Line>,
}

/// A line and what it is.
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Text and tables.
    Prose,
    /// In a fence whose language is a shell's, `text`, or none; or indented.
    Shell,
    /// In another fence.
    Code,
    /// A template, which does not show.
    Template,
    /// What the driver wrote from a template.
    Measured,
}

/// All documents.
pub(crate) fn documents() -> Vec<Document> {
    let root = tables::workspace();
    let found = tables::documents(&root).unwrap();
    assert!(
        found.len() >= 15,
        "only {} documents were found",
        found.len()
    );
    let read = |path: PathBuf| Document {
        name: path.strip_prefix(&root).unwrap().display().to_string(),
        text: fs::read_to_string(&path).unwrap(),
        path,
    };
    found.into_iter().map(read).collect()
}

impl Document {
    /// Its sections; the first has what stands before any heading.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section {
            line: 1,
            lines: Vec::new(),
        }];
        let mut fence: Option<Kind> = None;
        let mut block: Option<Kind> = None;
        for (index, text) in self.text.lines().enumerate() {
            let number = index + 1;
            let kind = match (text.trim_start().strip_prefix("```"), fence) {
                (Some(_), Some(kind)) => {
                    fence = None;
                    kind
                }
                (Some(language), None) => {
                    let shell = matches!(language, "" | "sh" | "text" | "console" | "bash");
                    *fence.insert(if shell { Kind::Shell } else { Kind::Code })
                }
                (None, Some(kind)) => kind,
                (None, None) => match (text, block) {
                    ("<!-- measured", _) => *block.insert(Kind::Template),
                    ("-->", Some(kind)) => {
                        block = Some(Kind::Measured);
                        kind
                    }
                    ("<!-- /measured -->", _) => {
                        block = None;
                        Kind::Template
                    }
                    (_, Some(kind)) => kind,
                    _ if text.starts_with("    ") && !text.trim_start().starts_with(['-', '*']) => {
                        Kind::Shell
                    }
                    _ => Kind::Prose,
                },
            };
            let heading = text.starts_with('#') && fence.is_none() && kind == Kind::Prose;
            if heading {
                sections.push(Section {
                    line: number,
                    lines: Vec::new(),
                });
            }
            sections.last_mut().unwrap().lines.push(Line {
                number,
                text: text.to_owned(),
                kind,
            });
        }
        sections
    }
}

impl Section {
    /// What stands between backticks in its prose, with the line on which it begins. A span may go on over line ends.
    pub(crate) fn spans(&self) -> Vec<(usize, String)> {
        let mut spans = Vec::new();
        let mut open: Option<(usize, String)> = None;
        for line in &self.lines {
            if !matches!(line.kind, Kind::Prose | Kind::Measured) || line.text.is_empty() {
                open = None;
                continue;
            }
            for (index, piece) in line.text.split('`').enumerate() {
                if index > 0 {
                    match open.take() {
                        Some(span) => spans.push(span),
                        None => open = Some((line.number, String::new())),
                    }
                }
                if let Some((_, text)) = &mut open {
                    let gap = if text.is_empty() || index > 0 {
                        ""
                    } else {
                        " "
                    };
                    text.push_str(gap);
                    text.push_str(piece);
                }
            }
        }
        spans
    }

    /// The commands it quotes, in spans and in blocks for a shell, each with its line.
    pub(crate) fn commands(&self) -> Vec<(usize, Vec<String>)> {
        let mut texts = self.spans();
        texts.retain(|(_, text)| {
            text.contains(' ')
                || text.starts_with(".ci/")
                || text.contains("scripts/")
                || text.ends_with(".sh")
        });
        let mut whole: Option<(usize, String)> = None;
        for line in self.lines.iter().filter(|line| line.kind == Kind::Shell) {
            let text = line.text.trim();
            let (number, before) = whole.take().unwrap_or((line.number, String::new()));
            match text.strip_suffix('\\') {
                Some(text) => whole = Some((number, before + text)),
                None => texts.push((number, before + text)),
            }
        }
        let mut commands = Vec::new();
        for (number, text) in texts {
            for words in split(&text) {
                if is_command(&words) {
                    commands.push((number, words));
                }
            }
        }
        commands
    }
}

fn is_command(words: &[String]) -> bool {
    let first = words.first().map_or("", String::as_str);
    let script = first.contains('/') && !first.starts_with('/') && !first.contains(['{', ':', '<']);
    (first == "cargo" && words.len() > 1) || (script && !first.contains('('))
}

/// A line of a shell as its commands' words, without what only sets the environment, and without comments.
fn split(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    let mut previous = ' ';
    for letter in line.chars().chain([' ']) {
        let plain = quote.is_none() && depth == 0;
        match letter {
            '#' if plain && previous == ' ' => break,
            '"' | '\'' if quote.is_none() => quote = Some(letter),
            _ if quote == Some(letter) => quote = None,
            ' ' | '&' | '|' | ';' if plain => {
                if !word.is_empty() {
                    let last = commands.last_mut().unwrap();
                    let setting = word.split_once('=').is_some_and(|(name, _)| {
                        name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
                    });
                    if !(last.is_empty() && setting) {
                        last.push(word.clone());
                    }
                    word.clear();
                }
                if letter != ' ' && !commands.last().unwrap().is_empty() {
                    commands.push(Vec::new());
                }
            }
            _ => {
                depth = match letter {
                    '(' => depth + 1,
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                word.push(letter);
            }
        }
        previous = letter;
    }
    commands.retain(|words| !words.is_empty());
    commands
}

#[test]
fn a_shells_line_is_split_into_commands() {
    let cases: [(&str, &[&[&str]]); 5] = [
        ("cargo test  # all", &[&["cargo", "test"]]),
        (
            "RUSTFLAGS=\"--cfg x\" cargo test -p a",
            &[&["cargo", "test", "-p", "a"]],
        ),
        (
            "a/b --log warn && c &",
            &[&["a/b", "--log", "warn"], &["c"]],
        ),
        (
            "x --pid \"$(pidof y)\" '/?q=a b'",
            &[&["x", "--pid", "$(pidof y)", "/?q=a b"]],
        ),
        ("# nothing", &[]),
    ];
    for (line, want) in cases {
        assert_eq!(split(line), want, "{line}");
    }
}

#[test]
fn a_document_is_taken_apart() {
    let document = Document {
        name: "x".into(),
        path: "x".into(),
        text: "a `cargo\nrun -p b`\n# h\n```sh\ncargo test \\\n  -p c # d\n```\n```rust\ncargo();\n```\n\
            <!-- measured\n{x}\n-->\n1 ns `cargo fmt --all`\n<!-- /measured -->\n"
            .into(),
    };
    let sections = document.sections();
    assert_eq!(sections.len(), 2);
    assert_eq!(
        sections[0].commands(),
        [(
            1,
            vec!["cargo".into(), "run".into(), "-p".into(), "b".into()]
        )]
    );
    let words: Vec<_> = sections[1]
        .commands()
        .into_iter()
        .map(|(line, words)| (line, words.join(" ")))
        .collect();
    assert_eq!(
        words,
        [
            (14, "cargo fmt --all".into()),
            (5, "cargo test -p c".into())
        ]
    );
    let kinds: Vec<Kind> = sections[1].lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds[1..5], [Kind::Shell; 4]);
    assert_eq!(kinds[5..8], [Kind::Code; 3]);
    assert_eq!(
        kinds[8..],
        [
            Kind::Template,
            Kind::Template,
            Kind::Template,
            Kind::Measured,
            Kind::Template
        ]
    );
}
