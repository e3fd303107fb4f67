use std::time::Instant;

use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::StorageError;
use crate::repository::{IngestRetention, RetentionRepository, RetentionSetting};
use crate::rows::{AuditRow, RetentionChoice, RetentionRow, retention_object};
use crate::schema::account;
use crate::sqlite::accounts::record_audit;
use crate::sqlite::{Result, SqliteStorage};

#[async_trait]
impl RetentionRepository for SqliteStorage {
    async fn retention_of(&self, scope: &Scope<ReadAccount>) -> Result<RetentionSetting> {
        let account_id = scope.account_id();
        self.read(move |connection| find(connection, account_id)?.setting()).await
    }

    async fn retention_set(
        &self,
        scope: &Scope<ManageAccount>,
        choice: Option<Retention>,
        now: Timestamp,
    ) -> Result<()> {
        let scope = scope.clone();
        self.write(move |connection| {
            let id = scope.account_id();
            let bound = find(connection, id)?.setting()?.plan;
            diesel::update(account::table.find(id.0))
                .set((RetentionChoice::new(choice, bound)?, account::data_version.eq(account::data_version + 1)))
                .execute(connection)?;
            record_audit(connection, &AuditRow::new(&scope, "account.set_retention", retention_object(id, choice), now))
        })
        .await
    }

    async fn retention_for_ingest(&self, scope: &Scope<Ingest>) -> Result<IngestRetention> {
        let account_id = scope.account_id();
        if let Some(kept) = self.retentions.get(account_id) {
            return Ok(kept);
        }
        let began = Instant::now();
        let retention = self.read(move |connection| find(connection, account_id)?.for_ingest()).await?;
        self.retentions.keep(account_id, began, retention);
        Ok(retention)
    }
}

/// What the account keeps, if there is such an account.
pub(super) fn kept_by(connection: &mut SqliteConnection, id: AccountId) -> Result<Option<Retention>> {
    match find(connection, id) {
        Ok(row) => Ok(Some(row.setting()?.effective())),
        Err(StorageError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn find(connection: &mut SqliteConnection, id: AccountId) -> Result<RetentionRow> {
    let row = account::table.find(id.0).select(RetentionRow::as_select()).first(connection).optional()?;
    row.ok_or(StorageError::Missing { what: "account" })
}
