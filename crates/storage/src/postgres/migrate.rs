use std::collections::BTreeSet;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::failure::Failure;
use super::{PostgresSettings, Result, lane};
use crate::StorageError;
use crate::migrations::{UNFINISHED_COPY, refuse_newer, refuse_older, refuse_unfinished};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Held while migrations run. Any number, as long as nobody else uses it.
const LOCK: i64 = 0x6173_7472_616e_6574;

/// Another process may be migrating, or a reader may hold a table: waited for, but not for ever.
const SESSION: [(&str, &str); 1] = [("lock_timeout", "10min")];

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> StorageError {
    StorageError::Internal { context: "migrating", source: Some(source) }
}

fn embedded() -> Result<BTreeSet<String>> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(failed)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Applies what is missing; the names of what was applied.
pub(super) async fn migrate(settings: &PostgresSettings) -> Result<Vec<String>> {
    let endpoint = settings.endpoint()?.with_session(&SESSION);
    let unreachable = |error: ConnectionError| StorageError::Unavailable {
        context: "connecting to migrate",
        source: Some(Box::new(error)),
    };
    let mut connection = lane::establish(&endpoint, settings.connection_wait).await.map_err(unreachable)?;
    let lock = diesel::sql_query("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(LOCK);
    lock.execute(&mut connection)
        .await
        .map_err(|error| Failure::from(error).into_error("waiting to migrate", false))?;
    // diesel's migrations are synchronous; on a thread of their own they may block.
    tokio::task::spawn_blocking(move || run(connection)).await.map_err(|error| failed(error.into()))?
}

fn run(connection: AsyncPgConnection) -> Result<Vec<String>> {
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = harness.applied_migrations().map_err(failed)?;
    refuse_newer(&applied.iter().map(ToString::to_string).collect(), &embedded()?)?;
    let pending: Vec<Box<dyn Migration<Pg>>> = harness.pending_migrations(MIGRATIONS).map_err(failed)?;
    let mut names = Vec::with_capacity(pending.len());
    for migration in &pending {
        harness.run_migration(migration.as_ref()).map_err(failed)?;
        names.push(migration.name().to_string());
    }
    Ok(names)
}

/// Refuses a schema that is not this program's.
pub(super) async fn check(connection: &mut AsyncPgConnection) -> std::result::Result<(), Failure> {
    let there: bool = diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(
        "to_regclass('__diesel_schema_migrations') IS NOT NULL",
    ))
    .get_result(connection)
    .await?;
    let applied: Vec<String> = if there {
        __diesel_schema_migrations::table.select(__diesel_schema_migrations::version).load(connection).await?
    } else {
        Vec::new()
    };
    let (applied, embedded) = (applied.into_iter().collect(), embedded()?);
    refuse_newer(&applied, &embedded)?;
    refuse_older(&applied, &embedded)?;
    let there = format!("to_regclass('{UNFINISHED_COPY}') IS NOT NULL");
    let begun: bool =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Bool>(&there)).get_result(connection).await?;
    refuse_unfinished(begun.then_some(UNFINISHED_COPY))?;
    Ok(())
}
