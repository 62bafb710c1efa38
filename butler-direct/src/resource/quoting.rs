//! Percent-encoding and POSIX path arithmetic, on text.
//!
//! Resource addresses keep their path percent-encoded: everything but ASCII letters, digits and
//! `_.-~/` is escaped, which is how `lsst.resources` spells the addresses it stores.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'/');

/// Percent-encodes a path.
pub(crate) fn quote(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// Percent-encodes a part of an address, separators included.
pub(crate) fn quote_component(text: &str) -> String {
    const COMPONENT: &AsciiSet = &PATH.add(b'/');
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// Undoes percent-encoding; bytes that are not UTF-8 become replacement characters.
pub(crate) fn unquote(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether the text holds something that looks like an escape (`%` and two digits or uppercase
/// hexadecimal letters), in which case it is taken as percent-encoded already.
pub(crate) fn looks_quoted(text: &str) -> bool {
    let hex = |b: &u8| matches!(b, b'0'..=b'9' | b'A'..=b'F');
    text.as_bytes()
        .windows(3)
        .any(|w| w[0] == b'%' && hex(&w[1]) && hex(&w[2]))
}

/// Resolves `.`, `..` and repeated separators textually. An empty path is `.`; exactly two
/// leading separators are kept, as POSIX gives them a meaning.
pub(crate) fn normalize(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let absolute = path.starts_with('/');
    let prefix = match path.as_bytes() {
        [b'/', b'/', b'/', ..] => "/",
        [b'/', b'/', ..] => "//",
        [b'/', ..] => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                None if absolute => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = format!("{prefix}{}", parts.join("/"));
    if joined.is_empty() {
        ".".to_owned()
    } else {
        joined
    }
}

/// Puts `tail` after `head` with one separator; an absolute `tail` replaces `head`.
pub(crate) fn join(head: &str, tail: &str) -> String {
    if tail.starts_with('/') {
        tail.to_owned()
    } else if head.is_empty() || head.ends_with('/') {
        format!("{head}{tail}")
    } else {
        format!("{head}/{tail}")
    }
}

/// Splits a path before its last component; the head loses its trailing separators unless it
/// consists of nothing else.
pub(crate) fn split(path: &str) -> (&str, &str) {
    let at = path.rfind('/').map_or(0, |i| i + 1);
    let (head, tail) = path.split_at(at);
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

/// The file name extension of a path, with its dot; a compression suffix takes the extension
/// before it along (`.fits.gz`).
pub(crate) fn extension(path: &str) -> &str {
    let name = path.trim_end_matches('/');
    let name = &name[name.rfind('/').map_or(0, |i| i + 1)..];
    let Some(last) = name.rfind('.') else {
        return "";
    };
    let ext = &name[last..];
    if matches!(ext, ".gz" | ".bz2" | ".xz" | ".fz")
        && let Some(previous) = name[..last].rfind('.')
    {
        return &name[previous..];
    }
    ext
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_as_posix_does() {
        for (given, expected) in [
            ("", "."),
            ("/", "/"),
            ("//a", "//a"),
            ("///a", "/a"),
            ("a/../..", ".."),
            ("/../a", "/a"),
            ("a/./b//c/", "a/b/c"),
        ] {
            assert_eq!(normalize(given), expected, "{given:?}");
        }
    }

    #[test]
    fn compression_suffixes_keep_the_extension_before_them() {
        for (given, expected) in [
            ("a/b.fits.gz", ".fits.gz"),
            ("a.b/c", ""),
            ("a.fits", ".fits"),
            ("x.gz", ".gz"),
            ("x.tar.zst", ".zst"),
            ("dir.d/", ".d"),
            (".hidden", ".hidden"),
            ("a..gz", "..gz"),
        ] {
            assert_eq!(extension(given), expected, "{given:?}");
        }
    }
}
