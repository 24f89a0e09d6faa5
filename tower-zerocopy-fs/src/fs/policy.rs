//! What a visitor may reach.

/// What to do with symbolic links below the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Symlinks {
    /// A path with any symbolic link in it names no file.
    Deny,
    /// Relative links are followed as long as they stay below the root; absolute ones are refused, wherever they
    /// lead. The kernel enforces it (`RESOLVE_BENEATH`), so that there is no race between a check and its use. The
    /// default: it is what `ln -s` inside a document tree needs and no more.
    #[default]
    Beneath,
    /// Every link is followed, out of the root too. For roots whose whole content is trusted.
    Follow,
}

/// What to do with files and directories whose name begins with a dot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dotfiles {
    /// They do not exist: `.git`, `.env` and `.htpasswd` are what scanners ask for first. The default.
    #[default]
    Hidden,
    /// As `Hidden`, but `/.well-known/` (RFC 8615) is served.
    WellKnown,
    /// They are files like others.
    Served,
}

impl Dotfiles {
    /// True if `name` (relative to the root) may be served.
    pub(crate) fn allow(self, name: &str) -> bool {
        match self {
            Self::Served => true,
            Self::Hidden => !crate::http::path::has_dot_segment(name),
            Self::WellKnown => {
                let rest = name
                    .strip_prefix(".well-known")
                    .filter(|r| r.is_empty() || r.starts_with('/'));
                !crate::http::path::has_dot_segment(rest.unwrap_or(name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dotfiles::{Hidden, Served, WellKnown};

    #[test]
    fn dot_names_are_hidden_by_policy() {
        let cases = [
            ("", true, true),
            ("a/b.c", true, true),
            (".env", false, false),
            ("a/.git/config", false, false),
            (".well-known", false, true),
            (".well-known/acme-challenge/x", false, true),
            (".well-known/.x", false, false),
            (".well-knownx", false, false),
            ("a/.well-known/x", false, false),
            ("...", false, false),
        ];
        for (name, hidden, well_known) in cases {
            assert_eq!(Hidden.allow(name), hidden, "{name}");
            assert_eq!(WellKnown.allow(name), well_known, "{name}");
            assert!(Served.allow(name), "{name}");
        }
    }
}
