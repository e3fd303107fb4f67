use astranetmon_auth::{Operator, SetupHash};
use astranetmon_domain::{Timestamp, UserRole};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::{exists, record_audit};
use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::repository::{FirstOwner, Setup, SetupRepository};
use crate::rows::{AccountRow, AuditRow, NewAccountRow, NewUserRow, SETUP, UserRow, is_offered, setup_offer_bytes};
use crate::schema::{account, app_user, setting};

#[async_trait]
impl SetupRepository for PostgresStorage {
    async fn setup_is_open(&self, _: &Operator) -> Result<bool> {
        self.read("looking for the first owner", async |connection| nobody_is_there(connection).await).await
    }

    async fn setup_offer(&self, _: &Operator, hash: &SetupHash, ends_at: Timestamp) -> Result<bool> {
        let offer = setup_offer_bytes(hash, ends_at);
        self.write("offering a set-up", async |connection| {
            if !nobody_is_there(connection).await? {
                return Ok(false);
            }
            diesel::insert_into(setting::table)
                .values((setting::name.eq(SETUP), setting::value.eq(offer.as_slice())))
                .on_conflict(setting::name)
                .do_update()
                .set(setting::value.eq(offer.as_slice()))
                .execute(connection)
                .await?;
            Ok(true)
        })
        .await
    }

    async fn setup_complete(
        &self,
        operator: &Operator,
        hash: &SetupHash,
        owner: &FirstOwner,
        now: Timestamp,
    ) -> Result<Setup> {
        self.write("making the first owner", async |connection| {
            connection.transaction(async |connection| complete(connection, operator, hash, owner, now).await).await
        })
        .await
    }
}

async fn complete(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    hash: &SetupHash,
    owner: &FirstOwner,
    now: Timestamp,
) -> std::result::Result<Setup, Failure> {
    // Locked: of those who come with the token at once, the first takes it and the others find people there.
    let offer: Option<Vec<u8>> =
        setting::table.find(SETUP).select(setting::value).for_update().first(connection).await.optional()?;
    if !nobody_is_there(connection).await? {
        return Ok(Setup::Closed);
    }
    if !offer.is_some_and(|offer| is_offered(&offer, hash, now)) {
        return Ok(Setup::Refused);
    }
    let actor = || format!("system:{}", operator.reason());
    let found: Option<AccountRow> = account::table
        .filter(account::name.eq(owner.account.as_str()))
        .select(AccountRow::as_select())
        .first(connection)
        .await
        .optional()?;
    let account = match found {
        Some(row) => row.into_account()?,
        None => {
            let row =
                NewAccountRow { name: owner.account.as_str(), plan: owner.plan.as_str(), created_at: now.as_micros() };
            let account = diesel::insert_into(account::table)
                .values(&row)
                .returning(AccountRow::as_returning())
                .get_result(connection)
                .await?
                .into_account()?;
            let object = format!("account:{}", account.id);
            record_audit(connection, &AuditRow::by(account.id, actor(), "account.create", object, now)).await?;
            account
        }
    };
    let row = NewUserRow {
        account_id: account.id.0,
        email: owner.email.as_str(),
        role: UserRole::Owner.as_str(),
        created_at: now.as_micros(),
    };
    let user = diesel::insert_into(app_user::table)
        .values((&row, app_user::password_hash.eq(owner.password.as_str())))
        .returning(UserRow::as_returning())
        .get_result(connection)
        .await
        .map_err(|error| exists(error, "a user with that e-mail address"))?
        .into_user()?;
    let object = format!("user:{}", user.id);
    record_audit(connection, &AuditRow::by(account.id, actor(), "user.create", object, now)).await?;
    diesel::delete(setting::table.find(SETUP)).execute(connection).await?;
    Ok(Setup::Done(account, user))
}

async fn nobody_is_there(connection: &mut AsyncPgConnection) -> std::result::Result<bool, Failure> {
    let anybody: Option<i64> = app_user::table.select(app_user::id).first(connection).await.optional()?;
    Ok(anybody.is_none())
}
