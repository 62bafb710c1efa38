//! Checksums of resources.

use std::fmt;
use std::str::FromStr;

use blake2::digest::DynDigest;

use super::ResourceError;

/// An algorithm for checksums, under the name Python's `hashlib` gives it.
///
/// The Butler's datastores use [`ChecksumAlgorithm::Blake2b`] when their configuration asks for
/// checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// BLAKE2b with 512 bits.
    #[default]
    Blake2b,
    /// BLAKE2s with 256 bits.
    Blake2s,
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-2 with 224 bits.
    Sha224,
    /// SHA-2 with 256 bits.
    Sha256,
    /// SHA-2 with 384 bits.
    Sha384,
    /// SHA-2 with 512 bits.
    Sha512,
}

impl ChecksumAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 8] = [
        Self::Blake2b,
        Self::Blake2s,
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The algorithm's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blake2b => "blake2b",
            Self::Blake2s => "blake2s",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Starts a checksum.
    pub(super) fn start(self) -> Hasher {
        let state: Box<dyn DynDigest + Send> = match self {
            Self::Blake2b => Box::new(blake2::Blake2b512::default()),
            Self::Blake2s => Box::new(blake2::Blake2s256::default()),
            Self::Md5 => Box::new(md5::Md5::default()),
            Self::Sha1 => Box::new(sha1::Sha1::default()),
            Self::Sha224 => Box::new(sha2::Sha224::default()),
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha384 => Box::new(sha2::Sha384::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
        };
        Hasher(state)
    }

    /// The checksum of some bytes, in lowercase hexadecimal digits.
    pub fn of(self, data: &[u8]) -> String {
        let mut hasher = self.start();
        hasher.update(data);
        hasher.finish()
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ChecksumAlgorithm {
    type Err = ResourceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str() == name)
            .ok_or_else(|| ResourceError::UnsupportedChecksum {
                name: name.to_owned(),
                supported: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}

/// A checksum being computed.
pub(super) struct Hasher(Box<dyn DynDigest + Send>);

impl Hasher {
    pub(super) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub(super) fn finish(self) -> String {
        use fmt::Write;
        self.0
            .finalize()
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}
