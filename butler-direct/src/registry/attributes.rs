//! The `butler_attributes` table: names and values that describe the repository itself.

use std::collections::BTreeMap;

use butler_core::error::{Error, Result};

use crate::db::{Param, Session, SqlErrorKind};

/// Name of the attribute that holds the dimension universe, as JSON.
pub const DIMENSIONS: &str = "config:dimensions.json";

/// All attributes.
///
/// # Errors
/// [`Error::Configuration`] when the database holds no repository.
pub async fn fetch_all(session: &mut Session) -> Result<BTreeMap<String, String>> {
    let database = session.database().clone();
    if !database.table_exists(session, "butler_attributes").await? {
        return Err(Error::Configuration(format!(
            "{} holds no Butler repository{}",
            database.label(),
            database
                .namespace()
                .map(|n| format!(" in namespace '{n}'"))
                .unwrap_or_default()
        )));
    }
    let sql = format!(
        "SELECT name, value FROM {}",
        database.table("butler_attributes")
    );
    let rows = session.fetch_all(&sql, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .collect()
}

/// The value of an attribute, if it is set.
///
/// # Errors
/// Any database error.
pub async fn get(session: &mut Session, name: &str) -> Result<Option<String>> {
    let database = session.database().clone();
    let sql = format!(
        "SELECT value FROM {} WHERE name = {}",
        database.table("butler_attributes"),
        database.dialect().placeholder(1)
    );
    let row = session.fetch_optional(&sql, &[Param::from(name)]).await?;
    row.map(|row| Ok(row.text(0)?.to_owned())).transpose()
}

/// Sets an attribute. Unless `force`, an attribute that is set already is an error.
///
/// # Errors
/// [`Error::InvalidArgument`] for an empty name or value, [`Error::ConflictingDefinition`] when
/// the attribute is set.
pub async fn set(session: &mut Session, name: &str, value: &str, force: bool) -> Result<()> {
    if name.is_empty() || value.is_empty() {
        return Err(Error::InvalidArgument(
            "an attribute needs a name and a value that are not empty".to_owned(),
        ));
    }
    let database = session.database().clone();
    let dialect = database.dialect();
    let update = if force {
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    } else {
        ""
    };
    let sql = format!(
        "INSERT INTO {} (name, value) VALUES ({}, {}){update}",
        database.table("butler_attributes"),
        dialect.placeholder(1),
        dialect.placeholder(2)
    );
    match session
        .try_execute(&sql, &[Param::from(name), Param::from(value)])
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind == SqlErrorKind::Unique => Err(Error::ConflictingDefinition(
            format!("attribute '{name}' is already set"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// Removes an attribute and says whether it was set.
///
/// # Errors
/// Any database error.
pub async fn delete(session: &mut Session, name: &str) -> Result<bool> {
    let database = session.database().clone();
    let sql = format!(
        "DELETE FROM {} WHERE name = {}",
        database.table("butler_attributes"),
        database.dialect().placeholder(1)
    );
    Ok(session.execute(&sql, &[Param::from(name)]).await? > 0)
}
