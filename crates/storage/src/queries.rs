//! Queries that both back ends run, written once: [`backend_queries!`](backend_queries) makes them for a back end.

/// Declares the shared queries for the diesel back end `$backend` in the place of the call.
macro_rules! backend_queries {
    ($backend:ty) => {
        use astranetmon_domain::{
            AccountId, AgentId, MetricPosition, Order, PageRequest, RecordPosition, SpeedtestFilter, Timestamp,
            TracerouteFilter,
        };
        use diesel::dsl::{AsSelect, CountStar, IntoBoxed, Select};
        use diesel::prelude::*;

        use crate::matching::{Agents, Matching, counts_of_agents, of_agents};
        use crate::repository::AuditPosition;
        use crate::rows::{AgentRow, AuditRow, EnrolmentRow, MetricReadRow, SpeedtestRow, TracerouteRow, UsageRow};
        use crate::schema::{
            agent, api_key, audit, enrolment_token, key_usage, metric_chunk, metric_sample, record_count, speedtest,
            traceroute,
        };

        macro_rules! of_account_and_time {
            ($query:expr, $table:ident, $account_id:expr, $matching:expr) => {{
                let mut query = $query.into_boxed().filter($table::account_id.eq($account_id.0));
                if let Some(start) = $matching.range.start {
                    query = query.filter($table::timestamp.ge(start.as_micros()));
                }
                if let Some(end) = $matching.range.end {
                    query = query.filter($table::timestamp.lt(end.as_micros()));
                }
                of_agents!(query, $table::agent_id, &$matching.agents)
            }};
        }

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

        /// Ids of some agents, with their labels as they are stored.
        pub(crate) fn agent_labels(
            account_id: AccountId,
            agents: &Agents,
        ) -> IntoBoxed<'_, Select<agent::table, (agent::id, agent::labels)>, $backend> {
            let query = agent::table.select((agent::id, agent::labels)).into_boxed();
            of_agents!(query.filter(agent::account_id.eq(account_id.0)), agent::id, agents)
        }

        /// Metrics of a page, and one more, if there is one.
        pub(crate) fn metric_page<'a>(
            account_id: AccountId,
            matching: &'a Matching,
            page: &'a PageRequest<MetricPosition, 10_000>,
        ) -> IntoBoxed<'a, Select<metric_sample::table, AsSelect<MetricReadRow, $backend>>, $backend> {
            let query = metric_sample::table.select(MetricReadRow::as_select());
            let mut query = of_account_and_time!(query, metric_sample, account_id, matching);
            let fetch = i64::from(page.limit.rows()) + 1;
            let one_agent = matches!(matching.agents, Agents::One(_));
            if let Some(after) = &page.after {
                let (at, agent) = (after.timestamp.as_micros(), after.agent_id.as_str());
                query = match (page.order, one_agent) {
                    (Order::NewestFirst, true) => query.filter(metric_sample::timestamp.lt(at)),
                    (Order::OldestFirst, true) => query.filter(metric_sample::timestamp.gt(at)),
                    (Order::NewestFirst, false) => query
                        .filter(metric_sample::timestamp.le(at))
                        .filter(metric_sample::timestamp.lt(at).or(metric_sample::agent_id.gt(agent))),
                    (Order::OldestFirst, false) => query
                        .filter(metric_sample::timestamp.ge(at))
                        .filter(metric_sample::timestamp.gt(at).or(metric_sample::agent_id.lt(agent))),
                };
            }
            match (page.order, one_agent) {
                (Order::NewestFirst, true) => query.order(metric_sample::timestamp.desc()),
                (Order::OldestFirst, true) => query.order(metric_sample::timestamp.asc()),
                (Order::NewestFirst, false) => {
                    query.order((metric_sample::timestamp.desc(), metric_sample::agent_id.asc()))
                }
                (Order::OldestFirst, false) => {
                    query.order((metric_sample::timestamp.asc(), metric_sample::agent_id.desc()))
                }
            }
            .limit(fetch)
        }

        /// The times of chunks that hold samples between two moments, both in microseconds:
        /// [`ChunkHead`](crate::chunks::ChunkHead), in no order.
        pub(crate) fn chunk_heads(
            account_id: AccountId,
            agents: &Agents,
            (from, to): (i64, i64),
        ) -> IntoBoxed<'_, Select<metric_chunk::table, ChunkHeadColumns>, $backend> {
            let query = metric_chunk::table
                .select((metric_chunk::agent_id, metric_chunk::starts_at, metric_chunk::times))
                .into_boxed()
                .filter(metric_chunk::account_id.eq(account_id.0))
                .filter(metric_chunk::ends_at.gt(from));
            match agents {
                // No chunk is longer than a day.
                Agents::All => query.filter(metric_chunk::ends_at.lt(to.saturating_add(crate::chunks::DAY_MICROS))),
                some => of_agents!(query, metric_chunk::agent_id, some),
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

        /// Counts of metrics by hour between two moments, in microseconds, in that order; of several agents, an hour of
        /// each.
        pub(crate) fn metric_hours(
            account_id: AccountId,
            agents: &Agents,
            (from, to): (i64, i64),
            order: Order,
            fetch: i64,
        ) -> IntoBoxed<'_, Select<record_count::table, HourColumns>, $backend> {
            let query = record_count::table
                .select((record_count::bucket, record_count::count))
                .into_boxed()
                .filter(record_count::account_id.eq(account_id.0))
                .filter(record_count::kind.eq(crate::counts::RecordKind::Metric as i64))
                .filter(record_count::period.eq(crate::retention::HOUR))
                .filter(record_count::bucket.ge(from))
                .filter(record_count::bucket.lt(to));
            let query = counts_of_agents!(query, agents);
            match order {
                Order::NewestFirst => query.order(record_count::bucket.desc()),
                Order::OldestFirst => query.order(record_count::bucket.asc()),
            }
            .limit(fetch)
        }

        type HourColumns = (record_count::bucket, record_count::count);

        /// Metrics that are rows and came in behind a sequence, in that order:
        /// [`ArrivedRow`](crate::arrivals::ArrivedRow).
        pub(crate) fn metric_arrivals(
            account_id: AccountId,
            matching: &Matching,
            after: i64,
            fetch: i64,
        ) -> IntoBoxed<'_, Select<metric_sample::table, ArrivedColumns>, $backend> {
            let columns =
                (metric_sample::sequence, metric_sample::agent_id, metric_sample::timestamp, metric_sample::measured);
            of_account_and_time!(metric_sample::table.select(columns), metric_sample, account_id, matching)
                .filter(metric_sample::sequence.gt(after))
                .order(metric_sample::sequence.asc())
                .limit(fetch)
        }

        type ArrivedColumns =
            (metric_sample::sequence, metric_sample::agent_id, metric_sample::timestamp, metric_sample::measured);

        /// Chunks in which something came in behind a sequence, from the lowest sequence in them on:
        /// [`ArrivedChunk`](crate::arrivals::ArrivedChunk).
        pub(crate) fn chunk_arrivals(
            account_id: AccountId,
            matching: &Matching,
            after: i64,
            fetch: i64,
        ) -> IntoBoxed<'_, Select<metric_chunk::table, ArrivedChunkColumns>, $backend> {
            let mut query = metric_chunk::table
                .select((metric_chunk::agent_id, metric_chunk::starts_at, metric_chunk::lowest_sequence))
                .into_boxed()
                .filter(metric_chunk::account_id.eq(account_id.0))
                .filter(metric_chunk::highest_sequence.gt(after));
            if let Some(start) = matching.range.start {
                query = query.filter(metric_chunk::ends_at.gt(start.as_micros()));
            }
            if let Some(end) = matching.range.end {
                query = query.filter(metric_chunk::starts_at.lt(end.as_micros()));
            }
            of_agents!(query, metric_chunk::agent_id, &matching.agents)
                .order((
                    metric_chunk::lowest_sequence.asc(),
                    metric_chunk::agent_id.asc(),
                    metric_chunk::starts_at.asc(),
                ))
                .limit(fetch)
        }

        type ArrivedChunkColumns = (metric_chunk::agent_id, metric_chunk::starts_at, metric_chunk::lowest_sequence);

        macro_rules! record_queries {
            ($page:ident, $arrivals:ident, $count:ident, $table:ident, $row:ident, $filter:ident, $conditions:ident) => {
                /// Records of a page, and one more, if there is one.
                pub(crate) fn $page<'a>(
                    account_id: AccountId,
                    matching: &'a Matching,
                    filter: &'a $filter,
                    page: &'a PageRequest<RecordPosition, 1_000>,
                ) -> IntoBoxed<'a, Select<$table::table, AsSelect<$row, $backend>>, $backend> {
                    let mut query = $conditions!($table::table.select($row::as_select()), account_id, matching, filter);
                    if let Some(after) = &page.after {
                        let (at, agent) = (after.timestamp.as_micros(), after.agent_id.as_str());
                        let id = after.id.as_bytes().as_slice();
                        query = match page.order {
                            Order::NewestFirst => query.filter($table::timestamp.le(at)).filter(
                                $table::timestamp
                                    .lt(at)
                                    .or($table::agent_id.gt(agent))
                                    .or($table::agent_id.eq(agent).and($table::id.gt(id))),
                            ),
                            Order::OldestFirst => query.filter($table::timestamp.ge(at)).filter(
                                $table::timestamp
                                    .gt(at)
                                    .or($table::agent_id.lt(agent))
                                    .or($table::agent_id.eq(agent).and($table::id.lt(id))),
                            ),
                        };
                    }
                    match (page.order, matches!(matching.agents, Agents::One(_))) {
                        (Order::NewestFirst, true) => query.order(($table::timestamp.desc(), $table::id.asc())),
                        (Order::OldestFirst, true) => query.order(($table::timestamp.asc(), $table::id.desc())),
                        (Order::NewestFirst, false) => {
                            query.order(($table::timestamp.desc(), $table::agent_id.asc(), $table::id.asc()))
                        }
                        (Order::OldestFirst, false) => {
                            query.order(($table::timestamp.asc(), $table::agent_id.desc(), $table::id.desc()))
                        }
                    }
                    .limit(i64::from(page.limit.rows()) + 1)
                }

                /// Records that came in behind a sequence, in that order.
                pub(crate) fn $arrivals<'a>(
                    account_id: AccountId,
                    matching: &'a Matching,
                    filter: &'a $filter,
                    after: i64,
                    fetch: i64,
                ) -> IntoBoxed<'a, Select<$table::table, AsSelect<$row, $backend>>, $backend> {
                    $conditions!($table::table.select($row::as_select()), account_id, matching, filter)
                        .filter($table::sequence.gt(after))
                        .order($table::sequence.asc())
                        .limit(fetch)
                }

                /// How many records of which more than the agent and the time is asked match.
                pub(crate) fn $count<'a>(
                    account_id: AccountId,
                    matching: &'a Matching,
                    filter: &'a $filter,
                ) -> IntoBoxed<'a, Select<$table::table, CountStar>, $backend> {
                    $conditions!($table::table.select(diesel::dsl::count_star()), account_id, matching, filter)
                }
            };
        }

        macro_rules! speedtests_that_match {
                            ($query:expr, $account_id:expr, $matching:expr, $filter:expr) => {{
                                let mut query = of_account_and_time!($query, speedtest, $account_id, $matching);
                                if let Some(status) = $filter.status {
                                    query = query.filter(speedtest::status.eq(status.as_str()));
                                }
                                if let Some(provider) = &$filter.provider {
                                    query = query.filter(speedtest::provider.eq(provider));
                                }
                                crate::queries::bounds!(
                                    query,
                                    speedtest::download_mbps: $filter.min_download_mbps, $filter.max_download_mbps;
                                    speedtest::upload_mbps: $filter.min_upload_mbps, $filter.max_upload_mbps;
                                    speedtest::ping_ms: $filter.min_ping_ms, $filter.max_ping_ms;
                                );
                                query
                            }};
                        }

        macro_rules! traceroutes_that_match {
            ($query:expr, $account_id:expr, $matching:expr, $filter:expr) => {{
                let mut query = of_account_and_time!($query, traceroute, $account_id, $matching);
                if let Some(status) = $filter.status {
                    query = query.filter(traceroute::status.eq(status.as_str()));
                }
                if let Some(target) = &$filter.target {
                    query = query.filter(traceroute::target.eq(target));
                }
                if let Some(protocol) = $filter.protocol {
                    query = query.filter(traceroute::protocol.eq(protocol.as_str()));
                }
                if let Some(reached) = $filter.reached {
                    query = query.filter(traceroute::reached.eq(reached));
                }
                if $filter.changes_only {
                    query = query.filter(traceroute::path_changed);
                }
                query
            }};
        }

        record_queries!(
            speedtest_page,
            speedtest_arrivals,
            speedtest_count_matching,
            speedtest,
            SpeedtestRow,
            SpeedtestFilter,
            speedtests_that_match
        );
        record_queries!(
            traceroute_page,
            traceroute_arrivals,
            traceroute_count_matching,
            traceroute,
            TracerouteRow,
            TracerouteFilter,
            traceroutes_that_match
        );
    };
}

/// Narrows a boxed query by least and greatest values.
macro_rules! bounds {
    ($query:ident, $($column:path: $least:expr, $greatest:expr;)*) => {$(
        if let Some(least) = $least {
            $query = $query.filter($column.ge(least));
        }
        if let Some(greatest) = $greatest {
            $query = $query.filter($column.le(greatest));
        }
    )*};
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

pub(crate) use {agent_health_query, backend_queries, bounds};
