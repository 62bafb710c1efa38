//! Addresses of resources.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::ResourceError;
use super::error::Result;
use super::parse::ParseOptions;
use super::quoting;

/// The kind of storage an address points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// No scheme at all: a path relative to something yet to be said.
    Relative,
    /// The local file system.
    File,
    /// An S3 object store: `s3://bucket/key` or `s3://profile@bucket/key`.
    S3,
    /// Process memory, for tests and demonstrations.
    Memory,
    /// A web server without encryption; read-only.
    Http,
    /// A web server; read-only.
    Https,
}

impl Scheme {
    /// The scheme as an address spells it; empty for [`Scheme::Relative`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relative => "",
            Self::File => "file",
            Self::S3 => "s3",
            Self::Memory => "mem",
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The address of a file, an object or a directory of either.
///
/// An immutable value with the semantics of `lsst.resources.ResourcePath`: paths are kept
/// percent-encoded (except for relative ones), a directory ends in `/`, and a fragment such as
/// `#zip-path=member` selects a part of the resource. Nothing here touches the storage;
/// [`Resources`](super::Resources) does.
#[derive(Clone)]
pub struct ResourcePath {
    pub(super) scheme: Scheme,
    pub(super) authority: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) fragment: String,
    pub(super) directory: Option<bool>,
}

const ZIP_MEMBER: &str = "zip-path=";

impl ResourcePath {
    /// Parses an address or a path. Paths without a scheme become absolute `file` addresses
    /// (relative to the working directory), after expanding `~` and environment variables.
    pub fn new(uri: &str) -> Result<Self> {
        ParseOptions::default().parse(uri)
    }

    /// Parses an address that names a directory, with or without its final `/`.
    pub fn directory(uri: &str) -> Result<Self> {
        ParseOptions::default().directory(true).parse(uri)
    }

    /// Parses a path inside some yet unnamed root. An address with a scheme, and an absolute
    /// path, stay absolute. Nothing is expanded.
    pub fn relative(path: &str) -> Result<Self> {
        ParseOptions::default()
            .absolute(false)
            .expand(false)
            .parse(path)
    }

    /// Starts parsing with settings other than the defaults.
    pub fn options() -> ParseOptions {
        ParseOptions::default()
    }

    /// The address of a local path, taken literally (no expansion, no fragment). A relative path
    /// is resolved against the working directory.
    pub fn from_local(path: &Path) -> Result<Self> {
        let absolute =
            std::path::absolute(path).map_err(ResourceError::io(path.display(), "resolve"))?;
        let text = absolute.to_str().ok_or_else(|| {
            ResourceError::invalid(path.display().to_string(), "the path is not valid UTF-8")
        })?;
        let directory = text.ends_with('/').then_some(true);
        let mut normal = quoting::normalize(text);
        if directory.is_some() && !normal.ends_with('/') {
            normal.push('/');
        }
        Ok(Self {
            scheme: Scheme::File,
            authority: String::new(),
            path: quoting::quote(&normal),
            query: String::new(),
            fragment: String::new(),
            directory,
        })
    }

    /// The address of a local directory, taken literally.
    pub fn from_local_directory(path: &Path) -> Result<Self> {
        Self::from_local(path)?.as_directory()
    }

    /// The kind of storage.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The authority: the bucket (with the profile) of an S3 address, the host of a web address.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path: percent-encoded, except for a relative path, which is literal.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path with percent-encoding undone.
    pub fn unquoted_path(&self) -> String {
        quoting::unquote(&self.path)
    }

    /// The part after `?`, still percent-encoded.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// The part after `#`, still percent-encoded.
    pub fn fragment(&self) -> &str {
        &self.fragment
    }

    /// Whether the address names a directory: `Some(true)` when it ends in `/` or was declared
    /// one, `Some(false)` when it was declared a file, `None` when only the storage can tell.
    pub fn is_directory(&self) -> Option<bool> {
        self.directory
    }

    /// Whether the address is complete, as opposed to relative.
    pub fn is_absolute(&self) -> bool {
        self.scheme != Scheme::Relative
    }

    /// Whether the address points into the local file system.
    pub fn is_local(&self) -> bool {
        matches!(self.scheme, Scheme::File | Scheme::Relative)
    }

    /// The local path of a `file` address or of a relative path.
    pub fn local_path(&self) -> Option<PathBuf> {
        match self.scheme {
            Scheme::File => Some(PathBuf::from(quoting::unquote(&self.path))),
            Scheme::Relative => Some(PathBuf::from(&self.path)),
            _ => None,
        }
    }

    /// The decoded path without its leading `/`, which is the key of an S3 object. The root
    /// itself is `./`.
    pub fn relative_to_path_root(&self) -> String {
        match self.path.trim_start_matches('/') {
            "" => "./".to_owned(),
            path => quoting::unquote(path),
        }
    }

    /// Whether this is the root of its storage.
    pub fn is_root(&self) -> bool {
        self.path.trim_start_matches('/').is_empty()
    }

    /// The S3 profile: the text before `@` in the authority.
    pub fn s3_profile(&self) -> Option<&str> {
        let (user, _) = self.authority.split_once('@')?;
        (self.scheme == Scheme::S3).then(|| user.split_once(':').map_or(user, |(name, _)| name))
    }

    /// The S3 bucket.
    pub fn s3_bucket(&self) -> Option<&str> {
        (self.scheme == Scheme::S3).then(|| {
            self.authority
                .split_once('@')
                .map_or(&*self.authority, |(_, bucket)| bucket)
        })
    }

    /// The S3 key, or for a directory the prefix of the keys in it; empty for the bucket itself.
    pub fn s3_key(&self) -> Option<String> {
        (self.scheme == Scheme::S3).then(|| quoting::unquote(self.path.trim_start_matches('/')))
    }

    /// The member of a zip archive which the fragment `zip-path=…` selects.
    pub fn zip_member(&self) -> Option<String> {
        let fragment = quoting::unquote(&self.fragment);
        fragment.strip_prefix(ZIP_MEMBER).map(str::to_owned)
    }

    /// This address with a fragment that selects a member of the zip archive it names.
    pub fn with_zip_member(&self, member: &str) -> Self {
        let escaped = member
            .replace('%', "%25")
            .replace('/', "%2F")
            .replace('#', "%23");
        Self {
            fragment: format!("{ZIP_MEMBER}{escaped}"),
            ..self.clone()
        }
    }

    /// This address without what selects a part of the resource: its fragment and, except for a web
    /// address, where it is part of the name, its query.
    pub fn without_fragment(&self) -> Self {
        let query = match self.scheme {
            Scheme::Http | Scheme::Https => self.query.clone(),
            _ => String::new(),
        };
        Self {
            query,
            fragment: String::new(),
            ..self.clone()
        }
    }

    /// This address with another fragment, which must be percent-encoded already.
    pub fn with_fragment(&self, fragment: impl Into<String>) -> Self {
        Self {
            fragment: fragment.into(),
            ..self.clone()
        }
    }

    /// The root of this address's storage: same scheme and authority, no path.
    pub fn root(&self) -> Self {
        Self {
            path: "/".to_owned(),
            query: String::new(),
            fragment: String::new(),
            directory: Some(true),
            ..self.clone()
        }
    }

    /// The decoded last component of the path; empty for a directory.
    pub fn basename(&self) -> String {
        match self.directory {
            Some(true) => String::new(),
            _ => quoting::unquote(quoting::split(&self.path).1),
        }
    }

    /// The directory holding this file; a directory is its own.
    pub fn dirname(&self) -> Self {
        if self.directory == Some(true) {
            self.clone()
        } else {
            self.parent()
        }
    }

    /// The directory above this file or directory.
    pub fn parent(&self) -> Self {
        let trimmed = match self.path.trim_end_matches('/') {
            "" => self.path.as_str(),
            trimmed => trimmed,
        };
        let head = quoting::split(trimmed).0;
        let path = match head {
            "" if self.scheme == Scheme::Relative => "./".to_owned(),
            _ if head.ends_with('/') => head.to_owned(),
            _ => format!("{head}/"),
        };
        Self {
            path,
            query: String::new(),
            fragment: String::new(),
            directory: Some(true),
            ..self.clone()
        }
    }

    /// The file name extension with its dot, or nothing. The suffixes of compressed files keep
    /// the extension before them: `.fits.gz`.
    pub fn extension(&self) -> &str {
        quoting::extension(&self.path)
    }

    /// This address with its extension replaced by another (with or without its dot).
    pub fn with_extension(&self, extension: &str) -> Self {
        let current = self.extension();
        if current == extension {
            return self.clone();
        }
        let stem = self.path.strip_suffix(current).unwrap_or(&self.path);
        let dot = if extension.is_empty() || extension.starts_with('.') {
            ""
        } else {
            "."
        };
        Self {
            path: format!("{stem}{dot}{extension}"),
            directory: Some(false),
            ..self.clone()
        }
    }

    /// A file of the given name in this directory, or beside this file.
    pub fn with_file_name(&self, name: &str) -> Result<Self> {
        let directory = match self.directory {
            Some(true) => self.clone(),
            _ => self.parent(),
        };
        directory.join_options(name, Some(false))
    }

    /// This address declared to be a directory.
    pub fn as_directory(&self) -> Result<Self> {
        if self.directory == Some(false) {
            return Err(ResourceError::NotADirectory {
                uri: self.to_string(),
            });
        }
        let mut out = self.clone();
        out.directory = Some(true);
        if !out.path.ends_with('/') {
            out.path.push('/');
        }
        Ok(out)
    }

    /// This address declared to be a file.
    pub fn as_file(&self) -> Result<Self> {
        if self.directory == Some(true) {
            return Err(ResourceError::IsADirectory {
                uri: self.to_string(),
            });
        }
        Ok(Self {
            directory: Some(false),
            ..self.clone()
        })
    }

    /// Appends a literal path to this directory. `..` is resolved textually and may lead
    /// outside: see [`join_in_store`](Self::join_in_store) for a checked form. A path with a
    /// fragment (`#…` in its last component) passes it on; an absolute path or address replaces
    /// this one.
    pub fn join(&self, path: &str) -> Result<Self> {
        self.join_options(path, None)
    }

    /// Appends a literal path that names a directory.
    pub fn join_directory(&self, path: &str) -> Result<Self> {
        self.join_options(path, Some(true))
    }

    fn join_options(&self, path: &str, directory: Option<bool>) -> Result<Self> {
        let parsed = ParseOptions {
            force_directory: directory,
            ..ParseOptions::store_path()
        }
        .parse(path)?;
        if parsed.is_absolute() {
            return Ok(parsed);
        }
        let literal = if parsed.fragment.is_empty() {
            path.to_owned()
        } else {
            parsed.unquoted_path()
        };
        self.append(&literal, &parsed)
    }

    /// Appends a relative address to this directory; an absolute one replaces it. Escapes that
    /// are left in the relative path are decoded.
    pub fn join_path(&self, path: &ResourcePath) -> Result<Self> {
        if path.is_absolute() {
            return Ok(path.clone());
        }
        self.append(&path.unquoted_path(), path)
    }

    /// The address of a file stored at a path below this root, as a datastore record holds it:
    /// escapes in it are decoded, a fragment selects a part of the file.
    ///
    /// An absolute path, or one that climbs out of the root, is refused with
    /// [`ResourceError::PathEscapesRoot`].
    pub fn join_in_store(&self, path: &str) -> Result<Self> {
        let escapes = || ResourceError::PathEscapesRoot {
            path: path.to_owned(),
            root: self.to_string(),
        };
        let parsed = ParseOptions {
            force_directory: Some(false),
            ..ParseOptions::store_path()
        }
        .parse(path)?;
        if parsed.is_absolute() {
            return Err(escapes());
        }
        let literal = parsed.unquoted_path();
        let climbs = |path: &str| quoting::normalize(path).split('/').next() == Some("..");
        // At the root of a bucket a climb would go nowhere; it is refused all the same. Decoding
        // once more must not reveal one either, for a reader that decodes on its own.
        if climbs(&literal) || climbs(&quoting::unquote(&literal)) {
            return Err(escapes());
        }
        let joined = self.append(&literal, &parsed)?;
        // A file's path lies strictly below the root's, which ends in a separator.
        let inside = joined
            .path
            .strip_prefix(self.path.trim_end_matches('/'))
            .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1);
        if !inside {
            return Err(escapes());
        }
        Ok(joined)
    }

    fn append(&self, literal: &str, parsed: &ResourcePath) -> Result<Self> {
        if self.directory == Some(false) {
            return Err(ResourceError::NotADirectory {
                uri: self.to_string(),
            });
        }
        let tail = match self.scheme {
            Scheme::Relative => literal.to_owned(),
            _ => quoting::quote(literal),
        };
        let mut path = quoting::normalize(&quoting::join(&self.path, &tail));
        let mut directory = parsed.directory;
        if tail.ends_with('/') {
            if directory == Some(false) {
                return Err(ResourceError::invalid(
                    literal,
                    "a file's path cannot end in '/'",
                ));
            }
            directory = Some(true);
        }
        if directory == Some(true) && !path.ends_with('/') {
            path.push('/');
        }
        Ok(Self {
            scheme: self.scheme,
            authority: self.authority.clone(),
            path,
            query: parsed.query.clone(),
            fragment: parsed.fragment.clone(),
            directory,
        })
    }

    /// The decoded path of this resource below another, or `None` if it does not lie there.
    pub fn relative_to(&self, root: &ResourcePath) -> Option<String> {
        if self.scheme == Scheme::Relative && root.is_absolute() {
            return root.join(&self.path).ok()?.relative_to(root);
        }
        if self.scheme != root.scheme {
            return None;
        }
        if self.authority != root.authority {
            let here =
                |a: &str| matches!(a, "" | "localhost" | "localhost.localdomain" | "127.0.0.1");
            if !(here(&self.authority) && here(&root.authority)) {
                return None;
            }
        }
        let components = |path: &str| -> Vec<String> {
            path.split('/')
                .filter(|p| !p.is_empty() && *p != ".")
                .map(str::to_owned)
                .collect()
        };
        let child = components(&self.relative_to_path_root());
        let parent = components(&root.relative_to_path_root());
        let rest = child.strip_prefix(&parent[..])?;
        Some(if rest.is_empty() {
            ".".to_owned()
        } else {
            quoting::unquote(&rest.join("/"))
        })
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Relative => {}
            Scheme::Memory if self.authority.is_empty() => f.write_str("mem:")?,
            _ => write!(f, "{}://{}", self.scheme.as_str(), self.authority)?,
        }
        f.write_str(&self.path)?;
        if !self.query.is_empty() {
            write!(f, "?{}", self.query)?;
        }
        if !self.fragment.is_empty() {
            write!(f, "#{}", self.fragment)?;
        }
        Ok(())
    }
}

impl fmt::Debug for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourcePath({self})")
    }
}

impl FromStr for ResourcePath {
    type Err = ResourceError;

    fn from_str(uri: &str) -> Result<Self> {
        Self::new(uri)
    }
}

impl ResourcePath {
    fn key(&self) -> (&str, &str, &str, &str, &str) {
        (
            self.scheme.as_str(),
            &self.authority,
            &self.path,
            &self.query,
            &self.fragment,
        )
    }
}

impl PartialEq for ResourcePath {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for ResourcePath {}

impl PartialOrd for ResourcePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourcePath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for ResourcePath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
