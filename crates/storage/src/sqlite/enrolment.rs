use std::collections::HashSet;

use astranetmon_auth::{
    AgentPrincipal, AgentTokenHash, AgentTokenLookup, EnrolmentHash, EnrolmentRecord, EnrolmentState, LookupError,
    ManageAccount, NewEnrolment, ReadAccount, Scope,
};
use astranetmon_domain::{AccountId, EnrolmentId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::accounts::record_audit;
use super::records::raise_data_version;
use super::reporting::is_going;
use super::{Result, SqliteStorage, queries};
use crate::StorageError;
use crate::enrolment::{Exchange, principal};
use crate::repository::{EnrolRequest, Enrolled, EnrolmentRepository};
use crate::rows::{AgentRow, AuditRow, EnrolmentRow, NewAgentTokenRow, NewEnrolmentRow, added_labels};
use crate::schema::{account, agent, agent_removal, agent_token, enrolment_token};

#[async_trait]
impl EnrolmentRepository for SqliteStorage {
    async fn enrolment_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<EnrolmentRecord>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::enrolments(account_id, EnrolmentRecord::MAX_LISTED as i64).load(connection)?;
            rows.into_iter().map(EnrolmentRow::into_record).collect()
        })
        .await
    }

    async fn enrolment_create(
        &self,
        scope: &Scope<ManageAccount>,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<EnrolmentRecord> {
        let (scope, new) = (scope.clone(), new.clone());
        self.write(move |connection| {
            let account_id = scope.account_id();
            let live: i64 = enrolment_token::table
                .filter(enrolment_token::account_id.eq(account_id.0))
                .filter(enrolment_token::revoked_at.is_null())
                .filter(enrolment_token::expires_at.gt(now.as_micros()))
                .filter(enrolment_token::use_count.lt(enrolment_token::max_uses))
                .count()
                .get_result(connection)?;
            let most = EnrolmentRecord::MAX_LIVE_PER_ACCOUNT;
            if usize::try_from(live).is_ok_and(|live| live >= most) {
                return Err(StorageError::TooMany { what: "live enrolment tokens", most });
            }
            diesel::insert_into(enrolment_token::table)
                .values(NewEnrolmentRow::new(account_id, &new, now))
                .execute(connection)?;
            let row = find(connection, &new.hash)?.ok_or(StorageError::Missing { what: "enrolment token" })?;
            let object = format!("enrolment:{}", row.id);
            record_audit(connection, &AuditRow::new(&scope, "enrolment.create", object, now))?;
            row.into_record()
        })
        .await
    }

    async fn enrolment_revoke(&self, scope: &Scope<ManageAccount>, id: EnrolmentId, now: Timestamp) -> Result<bool> {
        let scope = scope.clone();
        self.write(move |connection| {
            let live = enrolment_token::table
                .filter(enrolment_token::id.eq(id.0))
                .filter(enrolment_token::account_id.eq(scope.account_id().0))
                .filter(enrolment_token::revoked_at.is_null());
            let revoked =
                diesel::update(live).set(enrolment_token::revoked_at.eq(now.as_micros())).execute(connection)? > 0;
            if revoked {
                let object = format!("enrolment:{id}");
                record_audit(connection, &AuditRow::new(&scope, "enrolment.revoke", object, now))?;
            }
            Ok(revoked)
        })
        .await
    }

    async fn agent_enroll(&self, hash: &EnrolmentHash, request: &EnrolRequest, now: Timestamp) -> Result<Enrolled> {
        let (hash, request) = (*hash, request.clone());
        let enrolled = self.write(move |connection| enroll(connection, &hash, &request, now)).await?;
        if let Enrolled::Agent { account_id, .. } = &enrolled {
            self.agent_lists.changed(*account_id);
        }
        Ok(enrolled)
    }
}

fn find(connection: &mut SqliteConnection, hash: &EnrolmentHash) -> Result<Option<EnrolmentRow>> {
    let row = enrolment_token::table
        .filter(enrolment_token::hash.eq(hash.as_bytes().as_slice()))
        .select(EnrolmentRow::as_select())
        .first(connection)
        .optional()?;
    Ok(row)
}

fn enroll(
    connection: &mut SqliteConnection,
    hash: &EnrolmentHash,
    request: &EnrolRequest,
    now: Timestamp,
) -> Result<Enrolled> {
    let Some(row) = find(connection, hash)? else { return Ok(Enrolled::Refused) };
    let enrolment = row.into_record()?;
    if enrolment.state(now) != EnrolmentState::Live {
        return Ok(Enrolled::Refused);
    }
    let account_id = enrolment.account_id;
    let exchange = Exchange::of(&enrolment, request);
    let id = match exchange.wished_id() {
        Some(id) => id.clone(),
        None => exchange.free_id(&ids_from(connection, account_id, &exchange)?)?,
    };
    let stored_labels: Option<String> =
        agent::table.find((account_id.0, id.as_str())).select(agent::labels).first(connection).optional()?;
    if is_going(connection, account_id, id.as_str())? || stored_labels.is_some() && !exchange.may_replace() {
        return Ok(Enrolled::Taken);
    }

    let agent_row = AgentRow::enrolled(account_id, &id, request, enrolment.terms.labels(), now);
    match stored_labels {
        Some(stored) => {
            let labels = agent::labels.eq(added_labels(&stored, enrolment.terms.labels())?);
            diesel::update(agent::table.find((account_id.0, id.as_str())))
                .set((agent_row.facts(), labels))
                .execute(connection)?;
        }
        None => {
            diesel::insert_into(agent::table).values(&agent_row).execute(connection)?;
        }
    }
    let former = agent_token::table
        .filter(agent_token::account_id.eq(account_id.0))
        .filter(agent_token::agent_id.eq(id.as_str()));
    diesel::delete(former).execute(connection)?;
    diesel::insert_into(agent_token::table)
        .values(NewAgentTokenRow::new(account_id, &id, request, now))
        .execute(connection)?;
    diesel::update(enrolment_token::table.find(enrolment.id.0))
        .set((
            enrolment_token::use_count.eq(enrolment_token::use_count + 1),
            enrolment_token::last_used_at.eq(now.as_micros()),
        ))
        .execute(connection)?;
    let (actor, object) = (format!("enrolment:{}", enrolment.id), format!("agent:{id}"));
    record_audit(connection, &AuditRow::by(account_id, actor, "agent.enroll", object, now))?;
    raise_data_version(connection, account_id)?;
    let name: String = account::table.find(account_id.0).select(account::name).first(connection)?;
    exchange.enrolled(account_id, &name, id)
}

/// The ids that are taken among those that the host could get.
fn ids_from(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    exchange: &Exchange<'_>,
) -> Result<HashSet<String>> {
    let (first, behind) = exchange.id_range();
    let mut taken: HashSet<String> = agent::table
        .filter(agent::account_id.eq(account_id.0))
        .filter(agent::id.ge(&first))
        .filter(agent::id.lt(&behind))
        .select(agent::id)
        .load(connection)?
        .into_iter()
        .collect();
    taken.extend(
        agent_removal::table
            .filter(agent_removal::account_id.eq(account_id.0))
            .filter(agent_removal::agent_id.ge(&first))
            .filter(agent_removal::agent_id.lt(&behind))
            .select(agent_removal::agent_id)
            .load::<String>(connection)?,
    );
    Ok(taken)
}

#[async_trait]
impl AgentTokenLookup for SqliteStorage {
    async fn agent_token_find(
        &self,
        hash: &AgentTokenHash,
    ) -> std::result::Result<Option<AgentPrincipal>, LookupError> {
        let hash = *hash;
        self.read(move |connection| {
            let found: Option<(i64, String)> = agent_token::table
                .inner_join(
                    agent::table
                        .on(agent::account_id.eq(agent_token::account_id).and(agent::id.eq(agent_token::agent_id))),
                )
                .filter(agent_token::hash.eq(hash.as_bytes().as_slice()))
                .filter(agent::disabled_at.is_null())
                .select((agent_token::account_id, agent_token::agent_id))
                .first(connection)
                .optional()?;
            found.map(principal).transpose()
        })
        .await
        .map_err(|error| LookupError(Box::new(error)))
    }
}
