use astranetmon_auth::{Scope, SeeChanges};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{PostgresStorage, Result};
use crate::StorageError;
use crate::repository::ChangeRepository;
use crate::schema::account;

#[async_trait]
impl ChangeRepository for PostgresStorage {
    async fn data_version(&self, scope: &Scope<SeeChanges>) -> Result<i64> {
        let account_id = scope.account_id();
        let read = self.read("reading the version of an account's data", async |connection| {
            let query = account::table.filter(account::id.eq(account_id.0)).select(account::data_version);
            let version = query.first(connection).await.optional()?;
            version.ok_or_else(|| StorageError::Missing { what: "account" }.into())
        });
        self.lanes.data_versions.version(account_id, read).await
    }
}
