//! Queries that both back ends run, written once: [`backend_queries!`](backend_queries) makes them for a back end.

/// Declares the shared queries for the diesel back end `$backend` in the place of the call.
macro_rules! backend_queries {
    ($backend:ty) => {
        use astranetmon_domain::{
            AccountId, AgentFilter, AgentId, MetricPosition, RecordFilter, RecordPosition, Timestamp,
        };
        use diesel::dsl::{AsSelect, IntoBoxed, Select};
        use diesel::prelude::*;

        use crate::repository::AuditPosition;
        use crate::rows::{AgentRow, AuditRow, EnrolmentRow, MetricReadRow, SpeedtestRow, TracerouteRow, UsageRow};
        use crate::schema::{agent, api_key, audit, enrolment_token, key_usage, metric_sample, speedtest, traceroute};

        /// Enrolment tokens, newest first.
        pub(crate) fn enrolments(
            account_id: AccountId,
            fetch: i64,
        ) -> IntoBoxed<'static, Select<enrolment_token::table, AsSelect<EnrolmentRow, $backend>>, $backend> {
            enrolment_token::table
                .select(EnrolmentRow::as_select())
                .into_boxed()
                .filter(enrolment_token::account_id.eq(account_id.0))
                .order((enrolment_token::created_at.desc(), enrolment_token::id.desc()))
                .limit(fetch)
        }

        /// The audit log, newest first, behind `after`.
        pub(crate) fn audit_page(
            account_id: AccountId,
            after: Option<AuditPosition>,
            fetch: i64,
        ) -> IntoBoxed<'static, Select<audit::table, AsSelect<AuditRow, $backend>>, $backend> {
            let mut query =
                audit::table.select(AuditRow::as_select()).into_boxed().filter(audit::account_id.eq(account_id.0));
            if let Some(after) = after {
                let at = after.at.as_micros();
                query = query.filter(audit::at.le(at)).filter(audit::at.lt(at).or(audit::id.lt(after.id)));
            }
            query.order((audit::at.desc(), audit::id.desc())).limit(fetch)
        }

        /// Counts of use of all keys from an hour on, oldest first, then by key.
        pub(crate) fn usage_of_account(
            account_id: AccountId,
            since: Timestamp,
        ) -> IntoBoxed<'static, Select<key_usage::table, AsSelect<UsageRow, $backend>>, $backend> {
            // Key by key, since hours come last in the table's key.
            let keys = api_key::table.filter(api_key::account_id.eq(account_id.0)).select(api_key::id);
            key_usage::table
                .select(UsageRow::as_select())
                .into_boxed()
                .filter(key_usage::account_id.eq(account_id.0))
                .filter(key_usage::key_id.eq_any(keys))
                .filter(key_usage::hour.ge(since.hour_start().as_micros()))
                .order((key_usage::hour.asc(), key_usage::key_id.asc()))
        }

        /// Agents by hostname, then id, behind `after`.
        pub(crate) fn agent_page<'a>(
            account_id: AccountId,
            after: Option<(&'a str, &'a AgentId)>,
            fetch: Option<i64>,
        ) -> IntoBoxed<'a, Select<agent::table, AsSelect<AgentRow, $backend>>, $backend> {
            let mut query =
                agent::table.select(AgentRow::as_select()).into_boxed().filter(agent::account_id.eq(account_id.0));
            if let Some((hostname, id)) = after {
                let id = id.as_str();
                query = query
                    .filter(agent::hostname.ge(hostname))
                    .filter(agent::hostname.gt(hostname).or(agent::id.gt(id)));
            }
            if let Some(fetch) = fetch {
                query = query.limit(fetch);
            }
            query.order((agent::hostname.asc(), agent::id.asc()))
        }

        /// Metrics newest first, then by agent, behind `after`.
        pub(crate) fn metric_page<'a>(
            account_id: AccountId,
            filter: &'a RecordFilter,
            after: Option<&'a MetricPosition>,
            fetch: i64,
        ) -> IntoBoxed<'a, Select<metric_sample::table, AsSelect<MetricReadRow, $backend>>, $backend> {
            let mut query = metric_sample::table
                .select(MetricReadRow::as_select())
                .into_boxed()
                .filter(metric_sample::account_id.eq(account_id.0));
            if let Some(start) = filter.range.start {
                query = query.filter(metric_sample::timestamp.ge(start.as_micros()));
            }
            if let Some(end) = filter.range.end {
                query = query.filter(metric_sample::timestamp.lt(end.as_micros()));
            }
            if let AgentFilter::One(agent_id) = &filter.agent {
                query = query.filter(metric_sample::agent_id.eq(agent_id.as_str()));
                if let Some(after) = after {
                    query = query.filter(metric_sample::timestamp.lt(after.timestamp.as_micros()));
                }
                query.order(metric_sample::timestamp.desc()).limit(fetch)
            } else {
                if let Some(after) = after {
                    let at = after.timestamp.as_micros();
                    query = query.filter(metric_sample::timestamp.le(at)).filter(
                        metric_sample::timestamp.lt(at).or(metric_sample::agent_id.gt(after.agent_id.as_str())),
                    );
                }
                query.order((metric_sample::timestamp.desc(), metric_sample::agent_id.asc())).limit(fetch)
            }
        }

        macro_rules! record_queries {
            ($page:ident, $table:ident, $row:ident) => {
                /// Records newest first, then by agent, then by id, behind `after`.
                pub(crate) fn $page<'a>(
                    account_id: AccountId,
                    filter: &'a RecordFilter,
                    after: Option<&'a RecordPosition>,
                    fetch: i64,
                ) -> IntoBoxed<'a, Select<$table::table, AsSelect<$row, $backend>>, $backend> {
                    let mut query = $table::table
                        .select($row::as_select())
                        .into_boxed()
                        .filter($table::account_id.eq(account_id.0));
                    if let Some(start) = filter.range.start {
                        query = query.filter($table::timestamp.ge(start.as_micros()));
                    }
                    if let Some(end) = filter.range.end {
                        query = query.filter($table::timestamp.lt(end.as_micros()));
                    }
                    if let Some(after) = after {
                        let at = after.timestamp.as_micros();
                        query = query.filter($table::timestamp.le(at)).filter(
                            $table::timestamp.lt(at).or($table::agent_id.gt(after.agent_id.as_str())).or(
                                $table::agent_id
                                    .eq(after.agent_id.as_str())
                                    .and($table::id.gt(after.id.as_bytes().as_slice())),
                            ),
                        );
                    }
                    if let AgentFilter::One(agent_id) = &filter.agent {
                        query
                            .filter($table::agent_id.eq(agent_id.as_str()))
                            .order(($table::timestamp.desc(), $table::id.asc()))
                            .limit(fetch)
                    } else {
                        query.order(($table::timestamp.desc(), $table::agent_id.asc(), $table::id.asc())).limit(fetch)
                    }
                }
            };
        }

        record_queries!(speedtest_page, speedtest, SpeedtestRow);
        record_queries!(traceroute_page, traceroute, TracerouteRow);
    };
}

/// Agents of an account by id, each with its token and its last heartbeat: [`AgentHealthRow`](crate::rows::AgentHealthRow).
macro_rules! agent_health_query {
    ($account_id:expr) => {{
        use diesel::prelude::*;

        use crate::rows::{AgentTokenRow, HealthRow};
        use crate::schema::{agent, agent_health, agent_token};

        let token = agent_token::account_id.eq(agent::account_id).and(agent_token::agent_id.eq(agent::id));
        let health = agent_health::account_id.eq(agent::account_id).and(agent_health::agent_id.eq(agent::id));
        agent::table
            .left_join(agent_token::table.on(token))
            .left_join(agent_health::table.on(health))
            .filter(agent::account_id.eq($account_id.0))
            .select((agent::id, Option::<AgentTokenRow>::as_select(), Option::<HealthRow>::as_select()))
            .order(agent::id.asc())
    }};
}

pub(crate) use {agent_health_query, backend_queries};
