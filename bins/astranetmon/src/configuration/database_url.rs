use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which database: `sqlite://PATH` (relative, or absolute with a third slash) or `postgres://…`. A secret, since it
/// may hold a password: `Display`, `Debug` and `Serialize` hide that.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// The kinds of database.
#[derive(Clone, PartialEq, Eq)]
pub enum Database<'a> {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// A server; the URL with its password.
    Postgres(&'a str),
}

/// The text is no database URL. Does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a database URL is sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE")]
pub struct InvalidDatabaseUrl;

const SQLITE: &str = "sqlite://";
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];
const HIDDEN: &str = "***";

impl DatabaseUrl {
    /// What it points to.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        match self.0.strip_prefix(SQLITE) {
            Some(path) => Database::Sqlite(PathBuf::from(path)),
            None => Database::Postgres(&self.0),
        }
    }
}

/// An embedded database in the current folder.
impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite://astranetmon-data/astranetmon.sqlite3".to_owned())
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;
    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let known = [SQLITE].into_iter().chain(POSTGRES).find_map(|scheme| text.strip_prefix(scheme));
        match known {
            Some(rest) if !rest.is_empty() && !rest.contains(char::is_control) => Ok(Self(text.to_owned())),
            _ => Err(InvalidDatabaseUrl),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str(HIDDEN) };
        if scheme == "sqlite" {
            return f.write_str(&self.0);
        }
        write!(f, "{scheme}://")?;
        // The last @, since a password that was not percent-encoded may hold one, or a slash, or a question mark.
        let rest = match rest.rsplit_once('@') {
            Some((user, rest)) => {
                match user.split_once(':') {
                    Some((name, _)) => write!(f, "{name}:{HIDDEN}@")?,
                    None => write!(f, "{user}@")?,
                }
                rest
            }
            None => rest,
        };
        let (host, query) = rest.split_once('?').map_or((rest, None), |(host, query)| (host, Some(query)));
        f.write_str(host)?;
        let Some(query) = query else { return Ok(()) };
        for (position, parameter) in query.split('&').enumerate() {
            f.write_str(if position == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().ends_with("password") => write!(f, "{name}={HIDDEN}")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("sqlite://data/x.sqlite3", "sqlite://data/x.sqlite3"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres://user@host/db", "postgres://user@host/db"),
            ("postgres://user:s3cret@host:5432/db", "postgres://user:***@host:5432/db"),
            ("postgresql://user:s3@cret/s3cret@host/db", "postgresql://user:***@host/db"),
            ("postgres://user:s3?cret@host/db", "postgres://user:***@host/db"),
            ("postgres:///db?host=/tmp&user=u&password=s3cret", "postgres:///db?host=/tmp&user=u&password=***"),
        ] {
            let url = text.parse::<DatabaseUrl>().expect(text);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url} {url:?}").contains("cret"), "{shown}");
        }
    }

    #[test]
    fn the_scheme_decides_the_database() {
        let path = |text: &str| match text.parse::<DatabaseUrl>().expect("known scheme").database() {
            Database::Sqlite(path) => path.display().to_string(),
            Database::Postgres(url) => format!("server {url}"),
        };
        assert_eq!(path("sqlite://data/x.sqlite3"), "data/x.sqlite3");
        assert_eq!(path("sqlite:///var/lib/x.sqlite3"), "/var/lib/x.sqlite3");
        assert_eq!(path("postgresql://u:p@h/d"), "server postgresql://u:p@h/d");
        for text in ["", "sqlite://", "mysql://h/d", "/var/lib/x.sqlite3", "postgres://h/\n"] {
            assert_eq!(text.parse::<DatabaseUrl>(), Err(InvalidDatabaseUrl), "{text:?}");
        }
    }
}
