use astranetmon_auth::Operator;
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use diesel_async::RunQueryDsl;

use super::{PostgresStorage, Result};
use crate::StorageError;
use crate::random::random_bytes;
use crate::repository::Maintenance;
use crate::schema::setting;

#[async_trait]
impl Maintenance for PostgresStorage {
    async fn ping(&self) -> Result<()> {
        self.read("looking for a sign of life", async |connection| {
            diesel::select(diesel::dsl::sql::<Integer>("1")).get_result::<i32>(connection).await?;
            Ok(())
        })
        .await
    }

    async fn shared_secret(&self, _: &Operator, name: &str) -> Result<[u8; 32]> {
        let fresh: [u8; 32] = random_bytes()?;
        let stored = self
            .write("finding a shared secret", async |connection| {
                diesel::insert_into(setting::table)
                    .values((setting::name.eq(name), setting::value.eq(fresh.as_slice())))
                    .on_conflict_do_nothing()
                    .execute(connection)
                    .await?;
                Ok(setting::table.find(name).select(setting::value).first::<Vec<u8>>(connection).await?)
            })
            .await?;
        stored.try_into().map_err(|_| StorageError::Internal { context: "a shared secret's length", source: None })
    }

    async fn close(&self) {
        self.lanes.reads.close();
        self.lanes.writes.close();
        self.lanes.gate.close();
    }

    fn kind(&self) -> &'static str {
        "postgres"
    }
}
