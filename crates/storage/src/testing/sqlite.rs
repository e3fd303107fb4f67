use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// What SQLite finds wrong with a database file: one line `ok` if nothing is.
///
/// # Errors
/// A file that cannot be opened or is no database.
pub fn sqlite_integrity(file: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut connection = SqliteConnection::establish(file.to_str().ok_or("the path is not UTF-8")?)?;
    let findings = diesel::sql_query("PRAGMA integrity_check").load::<Finding>(&mut connection)?;
    Ok(findings.into_iter().map(|finding| finding.integrity_check).collect())
}
