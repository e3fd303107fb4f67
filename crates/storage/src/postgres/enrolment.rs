use std::collections::HashSet;

use astranetmon_auth::{
    AgentPrincipal, AgentTokenHash, AgentTokenLookup, EnrolmentHash, EnrolmentRecord, EnrolmentState, LookupError,
    ManageAccount, NewEnrolment, ReadAccount, Scope,
};
use astranetmon_domain::{AccountId, EnrolmentId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::record_audit;
use super::append::{lock_account, touch_account};
use super::failure::Failure;
use super::{PostgresStorage, Result, queries};
use crate::StorageError;
use crate::enrolment::{Exchange, principal};
use crate::repository::{EnrolRequest, Enrolled, EnrolmentRepository};
use crate::rows::{AgentRow, AuditRow, EnrolmentRow, NewAgentTokenRow, NewEnrolmentRow, added_labels};
use crate::schema::{account, agent, agent_removal, agent_token, enrolment_token};

#[async_trait]
impl EnrolmentRepository for PostgresStorage {
    async fn enrolment_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<EnrolmentRecord>> {
        let rows = self
            .read("listing enrolment tokens", async |connection| {
                let query = queries::enrolments(scope.account_id(), EnrolmentRecord::MAX_LISTED as i64);
                Ok(query.load(connection).await?)
            })
            .await?;
        rows.into_iter().map(EnrolmentRow::into_record).collect()
    }

    async fn enrolment_create(
        &self,
        scope: &Scope<ManageAccount>,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<EnrolmentRecord> {
        let account_id = scope.account_id();
        self.write("creating an enrolment token", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    let live: i64 = enrolment_token::table
                        .filter(enrolment_token::account_id.eq(account_id.0))
                        .filter(enrolment_token::revoked_at.is_null())
                        .filter(enrolment_token::expires_at.gt(now.as_micros()))
                        .filter(enrolment_token::use_count.lt(enrolment_token::max_uses))
                        .count()
                        .get_result(connection)
                        .await?;
                    let most = EnrolmentRecord::MAX_LIVE_PER_ACCOUNT;
                    if usize::try_from(live).is_ok_and(|live| live >= most) {
                        return Err(StorageError::TooMany { what: "live enrolment tokens", most }.into());
                    }
                    let row = diesel::insert_into(enrolment_token::table)
                        .values(NewEnrolmentRow::new(account_id, new, now))
                        .returning(EnrolmentRow::as_returning())
                        .get_result(connection)
                        .await?;
                    let object = format!("enrolment:{}", row.id);
                    record_audit(connection, &AuditRow::new(scope, "enrolment.create", object, now)).await?;
                    Ok::<_, Failure>(row.into_record()?)
                })
                .await
        })
        .await
    }

    async fn enrolment_revoke(&self, scope: &Scope<ManageAccount>, id: EnrolmentId, now: Timestamp) -> Result<bool> {
        self.write("revoking an enrolment token", async |connection| {
            connection
                .transaction(async |connection| {
                    let live = enrolment_token::table
                        .filter(enrolment_token::id.eq(id.0))
                        .filter(enrolment_token::account_id.eq(scope.account_id().0))
                        .filter(enrolment_token::revoked_at.is_null());
                    let revoke = diesel::update(live).set(enrolment_token::revoked_at.eq(now.as_micros()));
                    let revoked = revoke.execute(connection).await? > 0;
                    if revoked {
                        let object = format!("enrolment:{id}");
                        record_audit(connection, &AuditRow::new(scope, "enrolment.revoke", object, now)).await?;
                    }
                    Ok::<_, Failure>(revoked)
                })
                .await
        })
        .await
    }

    async fn agent_enroll(&self, hash: &EnrolmentHash, request: &EnrolRequest, now: Timestamp) -> Result<Enrolled> {
        let enrolled = self
            .write("enrolling an agent", async |connection| {
                connection.transaction(async |connection| enroll(connection, hash, request, now).await).await
            })
            .await?;
        if let Enrolled::Agent { account_id, .. } = &enrolled {
            self.lanes.agent_lists.changed(*account_id);
        }
        Ok(enrolled)
    }
}

async fn enroll(
    connection: &mut AsyncPgConnection,
    hash: &EnrolmentHash,
    request: &EnrolRequest,
    now: Timestamp,
) -> std::result::Result<Enrolled, Failure> {
    // Locked: those who come with the token at once come one after the other.
    let row = enrolment_token::table
        .filter(enrolment_token::hash.eq(hash.as_bytes().as_slice()))
        .select(EnrolmentRow::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let Some(row) = row else { return Ok(Enrolled::Refused) };
    let enrolment = row.into_record()?;
    if enrolment.state(now) != EnrolmentState::Live {
        return Ok(Enrolled::Refused);
    }
    let account_id = enrolment.account_id;
    lock_account(connection, account_id).await?;
    let exchange = Exchange::of(&enrolment, request);
    let id = match exchange.wished_id() {
        Some(id) => id.clone(),
        None => exchange.free_id(&ids_from(connection, account_id, &exchange).await?)?,
    };
    let the_agent = || agent::table.filter(agent::account_id.eq(account_id.0)).filter(agent::id.eq(id.as_str()));
    let stored_labels: Option<String> = the_agent().select(agent::labels).first(connection).await.optional()?;
    let going: Option<i64> = agent_removal::table
        .filter(agent_removal::account_id.eq(account_id.0))
        .filter(agent_removal::agent_id.eq(id.as_str()))
        .select(agent_removal::requested_at)
        .first(connection)
        .await
        .optional()?;
    if going.is_some() || stored_labels.is_some() && !exchange.may_replace() {
        return Ok(Enrolled::Taken);
    }

    let agent_row = AgentRow::enrolled(account_id, &id, request, enrolment.terms.labels(), now);
    match stored_labels {
        Some(stored) => {
            let labels = agent::labels.eq(added_labels(&stored, enrolment.terms.labels())?);
            diesel::update(the_agent()).set((agent_row.facts(), labels)).execute(connection).await?;
        }
        None => {
            diesel::insert_into(agent::table).values(&agent_row).execute(connection).await?;
        }
    }
    let former = agent_token::table
        .filter(agent_token::account_id.eq(account_id.0))
        .filter(agent_token::agent_id.eq(id.as_str()));
    diesel::delete(former).execute(connection).await?;
    diesel::insert_into(agent_token::table)
        .values(NewAgentTokenRow::new(account_id, &id, request, now))
        .execute(connection)
        .await?;
    diesel::update(enrolment_token::table.find(enrolment.id.0))
        .set((
            enrolment_token::use_count.eq(enrolment_token::use_count + 1),
            enrolment_token::last_used_at.eq(now.as_micros()),
        ))
        .execute(connection)
        .await?;
    let (actor, object) = (format!("enrolment:{}", enrolment.id), format!("agent:{id}"));
    record_audit(connection, &AuditRow::by(account_id, actor, "agent.enroll", object, now)).await?;
    touch_account(connection, account_id).await?;
    let name: String =
        account::table.filter(account::id.eq(account_id.0)).select(account::name).first(connection).await?;
    Ok(exchange.enrolled(account_id, &name, id)?)
}

/// The ids that are taken among those that the host could get.
async fn ids_from(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    exchange: &Exchange<'_>,
) -> std::result::Result<HashSet<String>, Failure> {
    let (first, behind) = exchange.id_range();
    let agents: Vec<String> = agent::table
        .filter(agent::account_id.eq(account_id.0))
        .filter(agent::id.ge(&first))
        .filter(agent::id.lt(&behind))
        .select(agent::id)
        .load(connection)
        .await?;
    let going: Vec<String> = agent_removal::table
        .filter(agent_removal::account_id.eq(account_id.0))
        .filter(agent_removal::agent_id.ge(&first))
        .filter(agent_removal::agent_id.lt(&behind))
        .select(agent_removal::agent_id)
        .load(connection)
        .await?;
    Ok(agents.into_iter().chain(going).collect())
}

#[async_trait]
impl AgentTokenLookup for PostgresStorage {
    async fn agent_token_find(
        &self,
        hash: &AgentTokenHash,
    ) -> std::result::Result<Option<AgentPrincipal>, LookupError> {
        let found: Result<Option<(i64, String)>> = self
            .gate("looking up an agent's token", async |connection| {
                let its_agent = agent::account_id.eq(agent_token::account_id).and(agent::id.eq(agent_token::agent_id));
                let query = agent_token::table
                    .inner_join(agent::table.on(its_agent))
                    .filter(agent_token::hash.eq(hash.as_bytes().as_slice()))
                    .filter(agent::disabled_at.is_null())
                    .select((agent_token::account_id, agent_token::agent_id));
                Ok(query.first(connection).await.optional()?)
            })
            .await;
        found.and_then(|found| found.map(principal).transpose()).map_err(|error| LookupError(Box::new(error)))
    }
}
