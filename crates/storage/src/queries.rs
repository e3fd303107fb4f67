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
        use crate::schema::{
            agent, api_key, audit, enrolment_token, key_usage, metric_chunk, metric_sample, record_count, speedtest,
            traceroute,
        };

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

        /// The times of chunks that hold samples between two moments, both in microseconds:
        /// [`ChunkHead`](crate::chunks::ChunkHead), in no order.
        pub(crate) fn chunk_heads(
            account_id: AccountId,
            agent: &AgentFilter,
            (from, to): (i64, i64),
        ) -> IntoBoxed<'_, Select<metric_chunk::table, ChunkHeadColumns>, $backend> {
            let query = metric_chunk::table
                .select((metric_chunk::agent_id, metric_chunk::starts_at, metric_chunk::times))
                .into_boxed()
                .filter(metric_chunk::account_id.eq(account_id.0))
                .filter(metric_chunk::ends_at.gt(from));
            match agent {
                AgentFilter::One(agent_id) => query.filter(metric_chunk::agent_id.eq(agent_id.as_str())),
                // No chunk is longer than a day.
                AgentFilter::All | AgentFilter::Nobody => {
                    query.filter(metric_chunk::ends_at.lt(to.saturating_add(crate::chunks::DAY_MICROS)))
                }
            }
            .filter(metric_chunk::starts_at.lt(to))
            .filter(metric_chunk::starts_at.gt(from.saturating_sub(crate::chunks::DAY_MICROS)))
        }

        type ChunkHeadColumns = (metric_chunk::agent_id, metric_chunk::starts_at, metric_chunk::times);

        /// Chunks of one agent that may hold samples between two moments, both in microseconds: start, end, times and
        /// columns, oldest first.
        pub(crate) fn chunks_of_agent(
            account_id: AccountId,
            agent_id: &str,
            (from, to): (i64, i64),
        ) -> IntoBoxed<'_, Select<metric_chunk::table, ChunkColumns>, $backend> {
            metric_chunk::table
                .select((metric_chunk::starts_at, metric_chunk::ends_at, metric_chunk::times, metric_chunk::packed))
                .into_boxed()
                .filter(metric_chunk::account_id.eq(account_id.0))
                .filter(metric_chunk::agent_id.eq(agent_id))
                .filter(metric_chunk::ends_at.gt(from))
                .filter(metric_chunk::starts_at.lt(to))
                .filter(metric_chunk::starts_at.gt(from.saturating_sub(crate::chunks::DAY_MICROS)))
                .order(metric_chunk::starts_at.asc())
        }

        type ChunkColumns = (metric_chunk::starts_at, metric_chunk::ends_at, metric_chunk::times, metric_chunk::packed);

        /// Counts of metrics by hour before `to`, in microseconds, newest first.
        pub(crate) fn metric_hours(
            account_id: AccountId,
            agent: &AgentFilter,
            (from, to): (i64, i64),
            fetch: i64,
        ) -> IntoBoxed<'_, Select<record_count::table, HourColumns>, $backend> {
            let agent_id = match agent {
                AgentFilter::One(agent_id) => agent_id.as_str(),
                AgentFilter::All | AgentFilter::Nobody => crate::counts::WHOLE_ACCOUNT,
            };
            record_count::table
                .select((record_count::bucket, record_count::count))
                .into_boxed()
                .filter(record_count::account_id.eq(account_id.0))
                .filter(record_count::kind.eq(crate::counts::RecordKind::Metric as i64))
                .filter(record_count::agent_id.eq(agent_id))
                .filter(record_count::period.eq(crate::retention::HOUR))
                .filter(record_count::bucket.ge(from))
                .filter(record_count::bucket.lt(to))
                .order(record_count::bucket.desc())
                .limit(fetch)
        }

        type HourColumns = (record_count::bucket, record_count::count);

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
