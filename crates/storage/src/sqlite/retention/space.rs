//! Giving the file's free pages back to the disk.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sqlite::SqliteConnection;

use crate::retention::{NumberRow, SpaceBack};
use crate::sqlite::Result;

/// Pages that one piece gives back: each is a page from the file's end that moves forward.
const PAGES: i64 = 250;
/// Of so many pages one may be free, so that a file whose rows come as fast as they go does not shrink and grow.
const FREE_OF: i64 = 32;
/// Free pages that are never worth the trouble: a megabyte.
const LEAST_FREE: i64 = 256;

fn number(connection: &mut SqliteConnection, pragma: &str) -> Result<i64> {
    let query = format!("SELECT {pragma} AS number FROM pragma_{pragma}");
    Ok(sql_query(query).get_result::<NumberRow>(connection)?.number)
}

/// How many pages the next piece gives back, if there are more free ones than are kept.
pub(super) fn pages_to_give(connection: &mut SqliteConnection) -> Result<Option<i64>> {
    let free = number(connection, "freelist_count")?;
    if free <= LEAST_FREE {
        return Ok(None);
    }
    let kept = (number(connection, "page_count")? / FREE_OF).max(LEAST_FREE);
    Ok((free > kept).then(|| (free - kept).min(PAGES)))
}

/// Gives a piece back. A file that was made before it could be given back in steps keeps its size.
pub(super) fn give_back(connection: &mut SqliteConnection) -> Result<SpaceBack> {
    let Some(pages) = pages_to_give(connection)? else { return Ok(SpaceBack::default()) };
    let before = number(connection, "page_count")?;
    connection.batch_execute(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let given = before - number(connection, "page_count")?;
    let bytes = (given * number(connection, "page_size")?).unsigned_abs();
    Ok(SpaceBack { bytes, partitions: 0, more: given > 0 })
}
