//! What the build needs of the system: OpenSSL's headers, for the Kafka client's SCRAM.

use crate::{apt, process};
use std::env;
use std::path::Path;
use std::process::Command;

/// Makes sure that OpenSSL can be built against, where Cargo's build scripts would look for it.
pub(crate) fn prepare() -> Result<((), String), String> {
    if env::var_os("OPENSSL_DIR").is_some() {
        return Ok(((), "OpenSSL from OPENSSL_DIR".to_owned()));
    }
    let version = || process::output(Command::new("pkg-config").args(["--modversion", "openssl"]));
    if let Ok(version) = version() {
        return Ok(((), format!("OpenSSL {version}")));
    }
    if Path::new("/usr/include/openssl/ssl.h").is_file() {
        return Ok(((), "OpenSSL in /usr/include".to_owned()));
    }
    apt::install(&["libssl-dev", "pkg-config"], "OpenSSL's headers")?;
    Ok(((), format!("OpenSSL {} (installed)", version()?)))
}
