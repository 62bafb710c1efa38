//! Defaults of PostgreSQL clients: `PG…` variables and the password file.

use std::os::unix::fs::MetadataExt;

use super::database_url::{PostgresUrl, Secret};
use crate::environment::Environment;

const DEFAULT_PORT: u16 = 5432;

impl PostgresUrl {
    /// Fills in what is missing, as `libpq` would: from `PGHOST`, `PGPORT`, `PGDATABASE`,
    /// `PGUSER`, `PGPASSWORD`, and last from the password file (`PGPASSFILE` or `~/.pgpass`).
    ///
    /// A password file that others may read is ignored with a warning, as `libpq` does.
    pub fn complete(&mut self, environment: &Environment) {
        let variable = |name| environment.get_non_empty(name);
        self.host = self.host.take().or_else(|| variable("PGHOST"));
        self.port = self.port.or_else(|| variable("PGPORT")?.parse().ok());
        self.user = self
            .user
            .take()
            .or_else(|| variable("PGUSER"))
            .or_else(|| variable("USER"))
            .or_else(|| variable("LOGNAME"));
        self.database = self
            .database
            .take()
            .or_else(|| variable("PGDATABASE"))
            .or_else(|| self.user.clone());
        self.password = self
            .password
            .take()
            .or_else(|| variable("PGPASSWORD").map(Secret::new))
            .or_else(|| self.passfile_password(environment));
    }

    fn passfile_password(&self, environment: &Environment) -> Option<Secret> {
        let path = match environment.get_non_empty("PGPASSFILE") {
            Some(path) => path.into(),
            None => environment.home()?.join(".pgpass"),
        };
        let found = std::fs::metadata(&path).ok()?;
        if !found.is_file() {
            tracing::warn!(path = %path.display(), "the password file is not a plain file");
            return None;
        }
        if found.mode() & 0o077 != 0 {
            tracing::warn!(
                path = %path.display(),
                "the password file is ignored because others may use it; its permissions must \
                 be 0600 or less"
            );
            return None;
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot read the password file");
                return None;
            }
        };
        // A socket goes under the name of the machine it is on.
        let host = match self.host.as_deref() {
            None => "localhost",
            Some(host) if host.starts_with('/') => "localhost",
            Some(host) => host,
        };
        let port = self.port.unwrap_or(DEFAULT_PORT).to_string();
        let wanted = [
            host,
            &port,
            self.database.as_deref().unwrap_or(""),
            self.user.as_deref()?,
        ];
        text.lines()
            .find_map(|line| match_line(line, wanted))
            .map(Secret::new)
    }
}

/// The password of a line `host:port:database:user:password` if it is for the wanted connection.
/// A backslash takes the next character literally, a lone `*` fits anything.
fn match_line(line: &str, wanted: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut characters = line.trim_end_matches('\r').chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let Some(escaped) = characters.next() else {
                    break;
                };
                // An escaped star is a star, not a pattern.
                let field = fields.last_mut()?;
                if escaped == '*' && field.is_empty() {
                    field.push('\u{0}');
                }
                field.push(escaped);
            }
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => fields.last_mut()?.push(c),
        }
    }
    let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
    let fits = |field: &str, wanted: &str| {
        field == "*" || field.strip_prefix('\u{0}').unwrap_or(field) == wanted
    };
    let all = [host, port, database, user]
        .iter()
        .zip(wanted)
        .all(|(f, w)| fits(f, w));
    all.then(|| {
        password
            .strip_prefix('\u{0}')
            .unwrap_or(&password)
            .to_owned()
    })
    .filter(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::match_line;

    #[test]
    fn lines_match_literally_or_with_stars() {
        let wanted = ["db.org", "5432", "butler", "ada"];
        for (line, expected) in [
            ("db.org:5432:butler:ada:secret", Some("secret")),
            ("*:*:*:*:se\\:c\\\\ret", Some("se:c\\ret")),
            ("*:*:*:*:with:colon", Some("with:colon")),
            ("#*:*:*:*:comment", None),
            ("db.org:5433:butler:ada:x", None),
            ("\\*:*:*:*:x", None),
            ("*:*:*:ada", None),
            ("*:*:*:*:", None),
        ] {
            assert_eq!(match_line(line, wanted).as_deref(), expected, "{line}");
        }
    }
}
