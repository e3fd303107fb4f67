use std::sync::{Arc, PoisonError};
use std::time::Duration;

use astranetmon_auth::Operator;
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::{Result, SqliteStorage};
use crate::StorageError;
use crate::random::random_bytes;
use crate::repository::Maintenance;
use crate::schema::setting;

/// How long closing waits for calls that are under way.
const CLOSE_STEPS: u32 = 500;
const CLOSE_STEP: Duration = Duration::from_millis(10);

#[async_trait]
impl Maintenance for SqliteStorage {
    async fn ping(&self) -> Result<()> {
        self.read(|connection| {
            diesel::select(diesel::dsl::sql::<Integer>("1")).get_result::<i32>(connection)?;
            Ok(())
        })
        .await
    }

    async fn shared_secret(&self, _: &Operator, name: &str) -> Result<[u8; 32]> {
        let name = name.to_owned();
        self.write(move |connection| {
            let fresh: [u8; 32] = random_bytes()?;
            diesel::insert_into(setting::table)
                .values((setting::name.eq(&name), setting::value.eq(fresh.as_slice())))
                .on_conflict_do_nothing()
                .execute(connection)?;
            let stored: Vec<u8> = setting::table.find(&name).select(setting::value).first(connection)?;
            stored.try_into().map_err(|_| StorageError::Internal { context: "a shared secret's length", source: None })
        })
        .await
    }

    async fn close(&self) {
        let threads = self.threads.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut threads) = threads else { return };
        for _ in 0..CLOSE_STEPS {
            match Arc::try_unwrap(threads) {
                Ok(threads) => {
                    let stopped = tokio::task::spawn_blocking(move || {
                        threads.readers.stop();
                        threads.writer.stop();
                    });
                    if stopped.await.is_err() {
                        tracing::error!("closing the database failed");
                    }
                    return;
                }
                Err(shared) => threads = shared,
            }
            tokio::time::sleep(CLOSE_STEP).await;
        }
        tracing::error!("the database was not closed: calls are still under way");
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }
}
