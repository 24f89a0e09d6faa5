//! What is kept of a request's head while it waits in a queue, so that a queue has a bound in bytes whatever clients ask for.

use http::Method;

/// Bytes of a path, with its query or without.
pub(super) const PATH: usize = 1024;
/// Bytes of a method. HTTP/1.1 has methods of any length; the longest that is registered has 17.
pub(super) const METHOD: usize = 32;

pub(super) fn path(path: &str) -> String {
    path[..path.floor_char_boundary(PATH)].to_owned()
}

pub(super) fn method(method: &Method) -> Method {
    match method.as_str().as_bytes() {
        short if short.len() <= METHOD => method.clone(),
        long => Method::from_bytes(&long[..METHOD]).expect("a part of a token is one"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut() {
        // The last letter that would be there in part, of two bytes, is not.
        let long = format!("/{}", "\u{e9}".repeat(PATH));
        assert_eq!(path(&long).len(), PATH - 1);
        assert_eq!(path("/short"), "/short");
        let long = Method::from_bytes("X".repeat(60_000).as_bytes()).unwrap();
        assert_eq!(method(&long).as_str(), "X".repeat(METHOD));
        assert_eq!(method(&Method::DELETE), Method::DELETE);
    }
}
