use astranetmon_auth::{Scope, SeeChanges};
use async_trait::async_trait;
use diesel::prelude::*;

use super::{Result, SqliteStorage};
use crate::StorageError;
use crate::repository::ChangeRepository;
use crate::schema::account;

#[async_trait]
impl ChangeRepository for SqliteStorage {
    async fn data_version(&self, scope: &Scope<SeeChanges>) -> Result<i64> {
        let account_id = scope.account_id();
        let read = self.read(move |connection| {
            let query = account::table.find(account_id.0).select(account::data_version);
            query.first(connection).optional()?.ok_or(StorageError::Missing { what: "account" })
        });
        self.data_versions.version(account_id, read).await
    }
}
