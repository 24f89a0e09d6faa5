//! Directory listings: names are data, in HTML and in JSON.

use std::{fmt::Write, io, time::SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::{respond::Style, site::Site};
use crate::{body::Body, fs::root::Found, http::path::relative_reference};

/// Entries looked at; a directory of more is listed in part.
const LIMIT: usize = 10_000;

struct Entry {
    name: String,
    directory: bool,
    size: u64,
    modified: Option<SystemTime>,
}

impl Site {
    /// Lists the directory `name`, with what the policies hide left out. Blocks.
    pub(super) fn list(&self, name: &str, style: Style) -> io::Result<Response<Body>> {
        let entries = self.entries(name)?;
        let (content, content_type) = match style {
            Style::Html => (html(name, &entries), "text/html; charset=utf-8"),
            Style::Json => (json(&entries), "application/json"),
        };
        let content = Bytes::from(content);
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        // Should a name ever get past the escaping, it still cannot run.
        let policy =
            HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        *response.body_mut() = Body::bytes(content);
        Ok(response)
    }

    fn entries(&self, directory: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in self.root()?.names(directory, LIMIT)? {
            let path = if directory.is_empty() {
                name.clone()
            } else {
                format!("{directory}/{name}")
            };
            // A name with a control character or a backslash could not be asked for.
            let reachable = self.options.dotfiles.allow(&path)
                && !name.chars().any(|c| c.is_control() || c == '\\');
            if !reachable {
                continue;
            }
            match self.find(&path) {
                Ok(Some(Found::Directory)) => entries.push(Entry {
                    name,
                    directory: true,
                    size: 0,
                    modified: None,
                }),
                Ok(Some(Found::File(file))) => {
                    let metadata = file.metadata()?;
                    let (size, modified) = (metadata.len(), metadata.modified().ok());
                    entries.push(Entry {
                        name,
                        directory: false,
                        size,
                        modified,
                    });
                }
                _ => {}
            }
        }
        entries.sort_unstable_by(|a, b| {
            b.directory
                .cmp(&a.directory)
                .then_with(|| a.name.cmp(&b.name))
        });
        Ok(entries)
    }
}

fn html(directory: &str, entries: &[Entry]) -> String {
    let title = escape_html(&format!("/{directory}"));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<h1>{title}</h1>\n<table>\n\
         <tr><th>Name<th>Size<th>Modified\n"
    );
    if !directory.is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a><td><td>\n");
    }
    for entry in entries {
        let slash = if entry.directory { "/" } else { "" };
        let size = if entry.directory {
            String::new()
        } else {
            entry.size.to_string()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "<tr><td><a href=\"{}{slash}\">{}{slash}</a><td>{size}<td>{}",
            relative_reference(&entry.name),
            escape_html(&entry.name),
            entry
                .modified
                .map(httpdate::fmt_http_date)
                .unwrap_or_default(),
        );
    }
    page.push_str("</table>\n");
    page
}

fn json(entries: &[Entry]) -> String {
    let mut list = String::from("[");
    for (i, entry) in entries.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let kind = if entry.directory { "directory" } else { "file" };
        let _ = write!(
            list,
            "{comma}{{\"name\":\"{}\",\"type\":\"{kind}\"",
            escape_json(&entry.name)
        );
        if !entry.directory {
            let _ = write!(list, ",\"size\":{}", entry.size);
        }
        if let Some(modified) = entry.modified {
            let _ = write!(
                list,
                ",\"modified\":\"{}\"",
                httpdate::fmt_http_date(modified)
            );
        }
        list.push('}');
    }
    list.push(']');
    list
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // So that the list may be put into a script.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
