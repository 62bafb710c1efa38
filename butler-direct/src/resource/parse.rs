//! From text to a [`ResourcePath`].

use super::ResourceError;
use super::error::Result;
use super::path::{ResourcePath, Scheme};
use super::quoting;
use crate::environment::Environment;

/// How to read the text of an address; see [`ResourcePath::options`].
#[derive(Clone, Debug)]
pub struct ParseOptions {
    pub(super) root: Option<ResourcePath>,
    pub(super) force_absolute: bool,
    pub(super) force_directory: Option<bool>,
    pub(super) expand: bool,
    pub(super) environment: Environment,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            root: None,
            force_absolute: true,
            force_directory: None,
            expand: true,
            environment: Environment::Process,
        }
    }
}

/// The parts of an address before they are interpreted.
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl ParseOptions {
    /// Settings for a path inside a datastore: relative, and taken as it is written.
    pub(super) fn store_path() -> Self {
        Self {
            force_absolute: false,
            expand: false,
            ..Self::default()
        }
    }

    /// Resolve a relative path against this directory rather than the working directory.
    pub fn root(mut self, root: ResourcePath) -> Self {
        self.root = Some(root);
        self
    }

    /// Whether a path without a scheme becomes absolute (the default) or stays relative.
    pub fn absolute(mut self, absolute: bool) -> Self {
        self.force_absolute = absolute;
        self
    }

    /// Declare the address to be a directory (`true`) or a file (`false`).
    pub fn directory(mut self, directory: bool) -> Self {
        self.force_directory = Some(directory);
        self
    }

    /// Whether `~` and environment variables in a path without a scheme are expanded (the
    /// default).
    pub fn expand(mut self, expand: bool) -> Self {
        self.expand = expand;
        self
    }

    /// Take environment variables and the home directory from here.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Parses the text.
    ///
    /// Text without `://` that does not start with `file:` is a path: it is percent-encoded
    /// unless it looks encoded already, and a `#` in its last component starts a fragment.
    /// Anything else is an address whose path must be percent-encoded.
    pub fn parse(&self, text: &str) -> Result<ResourcePath> {
        let is_path = !text.contains("://") && !text.starts_with("file:");
        let quoted;
        let address = if is_path && quoting::looks_quoted(text) {
            tracing::debug!(path = text, "path is taken as percent-encoded");
            text
        } else if is_path {
            let name = text.rfind('/').map_or(0, |i| i + 1);
            let end = text[name..].rfind('#').map_or(text.len(), |i| name + i);
            quoted = format!("{}{}", quoting::quote(&text[..end]), &text[end..]);
            &quoted
        } else {
            text
        };
        let parts = split_address(address);
        let scheme = match parts.scheme {
            "" => return self.without_scheme(text, &parts),
            "file" => return self.file(text, &parts),
            "s3" => Scheme::S3,
            "mem" => Scheme::Memory,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => {
                return Err(ResourceError::UnsupportedScheme {
                    scheme: other.to_owned(),
                    uri: text.to_owned(),
                });
            }
        };
        if scheme == Scheme::S3 {
            check_bucket(text, parts.authority)?;
        }
        self.finish(text, scheme, parts.path.to_owned(), &parts)
    }

    fn without_scheme(&self, text: &str, parts: &Parts<'_>) -> Result<ResourcePath> {
        let literal = quoting::unquote(parts.path);
        let expanded = if self.expand {
            self.environment
                .expand_variables(&self.environment.expand_user(&literal))
        } else {
            literal
        };
        let root = self.root.as_ref().filter(|_| !expanded.starts_with('/'));
        if let Some(root) = root
            && root.scheme() != Scheme::File
        {
            let joined = match self.force_directory {
                Some(true) => root.join_directory(&expanded)?,
                _ => root.join(&expanded)?,
            };
            return Ok(joined.with_fragment(parts.fragment));
        }
        let (scheme, mut path) = if expanded.starts_with('/') {
            (Scheme::File, quoting::normalize(&expanded))
        } else if self.force_absolute {
            let base = match root {
                Some(root) => quoting::unquote(root.path()),
                None => working_directory()?,
            };
            (
                Scheme::File,
                quoting::normalize(&quoting::join(&base, &expanded)),
            )
        } else {
            (Scheme::Relative, quoting::normalize(&expanded))
        };
        let trailing = expanded.ends_with('/') && !path.ends_with('/');
        if self.force_directory == Some(false) && trailing {
            return Err(file_with_separator(text));
        }
        let empty = scheme == Scheme::Relative && expanded.is_empty();
        let mut directory = self.force_directory;
        if trailing || empty || path == "/" || directory == Some(true) {
            directory = Some(true);
            if !path.ends_with('/') {
                path.push('/');
            }
        }
        if scheme == Scheme::File {
            path = quoting::quote(&path);
        }
        Ok(ResourcePath {
            scheme,
            authority: parts.authority.to_owned(),
            path,
            query: parts.query.to_owned(),
            fragment: parts.fragment.to_owned(),
            directory,
        })
    }

    fn file(&self, text: &str, parts: &Parts<'_>) -> Result<ResourcePath> {
        if parts.path.starts_with('/') {
            return self.finish(text, Scheme::File, parts.path.to_owned(), parts);
        }
        let base = match &self.root {
            Some(root) if root.scheme() == Scheme::File => root.path().to_owned(),
            Some(root) => {
                return Err(ResourceError::invalid(
                    text,
                    format!("a file cannot be relative to {root}"),
                ));
            }
            None => quoting::quote(&working_directory()?),
        };
        let mut path = quoting::normalize(&quoting::join(&base, parts.path));
        if parts.path.ends_with('/') {
            path.push('/');
        }
        self.finish(text, Scheme::File, path, parts)
    }

    fn finish(
        &self,
        text: &str,
        scheme: Scheme,
        mut path: String,
        parts: &Parts<'_>,
    ) -> Result<ResourcePath> {
        let trailing = path.ends_with('/');
        if self.force_directory == Some(false) && trailing {
            return Err(file_with_separator(text));
        }
        let mut directory = self.force_directory;
        if trailing || directory == Some(true) {
            directory = Some(true);
            if !trailing {
                path.push('/');
            }
        }
        Ok(ResourcePath {
            scheme,
            authority: parts.authority.to_owned(),
            path,
            query: parts.query.to_owned(),
            fragment: parts.fragment.to_owned(),
            directory,
        })
    }
}

fn split_address(address: &str) -> Parts<'_> {
    let (scheme, rest) = match address.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", address),
    };
    let (authority, rest) = match rest.strip_prefix("//") {
        Some(rest) if !scheme.is_empty() => {
            rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
        }
        _ => ("", rest),
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Parts {
        scheme,
        authority,
        path,
        query,
        fragment,
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn check_bucket(text: &str, authority: &str) -> Result<()> {
    let bucket = match authority.split('@').collect::<Vec<_>>()[..] {
        [bucket] | [_, bucket] => bucket,
        _ => {
            return Err(ResourceError::invalid(
                text,
                "more than one '@' before the bucket",
            ));
        }
    };
    if bucket.is_empty() {
        return Err(ResourceError::invalid(
            text,
            "the bucket is missing; expected s3://bucket/key or s3://profile@bucket/key",
        ));
    }
    Ok(())
}

fn file_with_separator(text: &str) -> ResourceError {
    ResourceError::invalid(text, "a file is needed here, but the address ends in '/'")
}

fn working_directory() -> Result<String> {
    let path = std::env::current_dir().map_err(ResourceError::io(".", "find"))?;
    path.into_os_string().into_string().map_err(|path| {
        ResourceError::invalid(
            path.to_string_lossy(),
            "the working directory's name is not valid UTF-8",
        )
    })
}
