//! Ways of bringing a file to its place.

use std::fmt;
use std::str::FromStr;

use super::ResourceError;

/// How a resource gets to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransferMode {
    /// Let the destination choose: `link` for a local file going to a local place, else `copy`.
    Auto,
    /// Leave the file where it is and remember its absolute address. Only a datastore can do
    /// this; no bytes move.
    Direct,
    /// Duplicate the bytes.
    Copy,
    /// Hard link, or a symbolic link where hard links are impossible.
    Link,
    /// A second name for the same file, symbolic links in the source resolved first.
    Hardlink,
    /// An absolute symbolic link to the source, with links in the source resolved first.
    Symlink,
    /// A symbolic link relative to the destination's directory.
    RelSymlink,
    /// Rename, or copy and delete the source.
    Move,
}

impl TransferMode {
    /// Every mode.
    pub const ALL: [TransferMode; 8] = [
        Self::Auto,
        Self::Direct,
        Self::Copy,
        Self::Link,
        Self::Hardlink,
        Self::Symlink,
        Self::RelSymlink,
        Self::Move,
    ];

    /// The mode's name in configurations and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Direct => "direct",
            Self::Copy => "copy",
            Self::Link => "link",
            Self::Hardlink => "hardlink",
            Self::Symlink => "symlink",
            Self::RelSymlink => "relsymlink",
            Self::Move => "move",
        }
    }

    /// Whether the mode makes a link of some kind.
    pub fn is_link(self) -> bool {
        matches!(
            self,
            Self::Link | Self::Hardlink | Self::Symlink | Self::RelSymlink
        )
    }
}

impl fmt::Display for TransferMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TransferMode {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| ResourceError::UnknownTransferMode {
                name: text.to_owned(),
            })
    }
}

/// What a transfer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// The destination was made, in this way (never [`TransferMode::Auto`]).
    Done(TransferMode),
    /// Source and destination are one and the same file; nothing was done.
    SameFile,
}
