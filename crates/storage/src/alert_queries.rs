//! Queries about alerts that both back ends run, written once: [`backend_alert_queries!`](backend_alert_queries) makes
//! them for a back end.

/// Declares the shared queries about alerts for the diesel back end `$backend` in the place of the call.
macro_rules! backend_alert_queries {
    ($backend:ty) => {
        use astranetmon_domain::{AccountId, AlertChannelId, AlertEventId, AlertRuleId, SpeedtestStatus, Timestamp};
        use diesel::dsl::{AsSelect, IntoBoxed, Select};
        use diesel::prelude::*;

        use crate::repository::{AlertEventPosition, AlertQuery};
        use crate::rows::{
            AlertDeliveryRow, AlertEventRow, AlertRuleChannelRow, AlertRuleRow, AlertStateRow, ChangedRouteRow,
            ListedChannelRow, MeasuredSpeedRow, QUEUED, WatchedAgentRow,
        };
        use crate::schema::{
            agent, alert_channel, alert_delivery, alert_event, alert_rule, alert_rule_channel, alert_state, speedtest,
            traceroute,
        };

        type Boxed<'a, Table, Row> = IntoBoxed<'a, Select<Table, AsSelect<Row, $backend>>, $backend>;

        /// Rules newest first; one of them, if `id` is given.
        pub(crate) fn alert_rules(
            account_id: AccountId,
            id: Option<&AlertRuleId>,
        ) -> Boxed<'_, alert_rule::table, AlertRuleRow> {
            let query = alert_rule::table
                .select(AlertRuleRow::as_select())
                .into_boxed()
                .filter(alert_rule::account_id.eq(account_id.0));
            match id {
                Some(id) => query.filter(alert_rule::id.eq(id.0.as_bytes().as_slice())),
                None => query.order(alert_rule::id.desc()),
            }
        }

        /// Which channels rules have; those of one of them, if `id` is given.
        pub(crate) fn alert_rule_channels(
            account_id: AccountId,
            id: Option<&AlertRuleId>,
        ) -> Boxed<'_, alert_rule_channel::table, AlertRuleChannelRow> {
            let query = alert_rule_channel::table
                .select(AlertRuleChannelRow::as_select())
                .into_boxed()
                .filter(alert_rule_channel::account_id.eq(account_id.0));
            match id {
                Some(id) => query.filter(alert_rule_channel::rule_id.eq(id.0.as_bytes().as_slice())),
                None => query,
            }
        }

        /// Channels newest first.
        pub(crate) fn alert_channels(account_id: AccountId) -> Boxed<'static, alert_channel::table, ListedChannelRow> {
            alert_channel::table
                .select(ListedChannelRow::as_select())
                .into_boxed()
                .filter(alert_channel::account_id.eq(account_id.0))
                .order(alert_channel::id.desc())
        }

        /// States by rule and agent.
        pub(crate) fn alert_states(account_id: AccountId) -> Boxed<'static, alert_state::table, AlertStateRow> {
            alert_state::table
                .select(AlertStateRow::as_select())
                .into_boxed()
                .filter(alert_state::account_id.eq(account_id.0))
                .order((alert_state::rule_id.asc(), alert_state::agent_id.asc()))
        }

        /// Events newest first, behind `after`.
        pub(crate) fn alert_events<'a>(
            account_id: AccountId,
            rule_id: Option<&'a AlertRuleId>,
            after: Option<&'a AlertEventPosition>,
            fetch: i64,
        ) -> Boxed<'a, alert_event::table, AlertEventRow> {
            let mut query = alert_event::table
                .select(AlertEventRow::as_select())
                .into_boxed()
                .filter(alert_event::account_id.eq(account_id.0));
            if let Some(rule_id) = rule_id {
                query = query.filter(alert_event::rule_id.eq(rule_id.0.as_bytes().as_slice()));
            }
            if let Some(after) = after {
                let at = after.fired_at.as_micros();
                query = query
                    .filter(alert_event::fired_at.le(at))
                    .filter(alert_event::fired_at.lt(at).or(alert_event::id.lt(after.id.0.as_bytes().as_slice())));
            }
            query.order((alert_event::fired_at.desc(), alert_event::id.desc())).limit(fetch)
        }

        /// Deliveries of one event, oldest first.
        pub(crate) fn alert_deliveries(
            account_id: AccountId,
            event_id: &AlertEventId,
        ) -> Boxed<'_, alert_delivery::table, AlertDeliveryRow> {
            alert_delivery::table
                .select(AlertDeliveryRow::as_select())
                .into_boxed()
                .filter(alert_delivery::account_id.eq(account_id.0))
                .filter(alert_delivery::event_id.eq(event_id.0.as_bytes().as_slice()))
                .order(alert_delivery::id.asc())
        }

        /// Deliveries of all accounts that are due, the longest due first.
        pub(crate) fn alert_deliveries_due(
            now: Timestamp,
            limit: u32,
        ) -> Boxed<'static, alert_delivery::table, AlertDeliveryRow> {
            alert_delivery::table
                .select(AlertDeliveryRow::as_select())
                .into_boxed()
                .filter(alert_delivery::state.eq(QUEUED))
                .filter(alert_delivery::next_attempt_at.le(now.as_micros()))
                .order((
                    alert_delivery::next_attempt_at.asc(),
                    alert_delivery::account_id.asc(),
                    alert_delivery::id.asc(),
                ))
                .limit(i64::from(limit))
        }

        /// All agents, in no order.
        pub(crate) fn watched_agents(account_id: AccountId) -> Boxed<'static, agent::table, WatchedAgentRow> {
            agent::table.select(WatchedAgentRow::as_select()).into_boxed().filter(agent::account_id.eq(account_id.0))
        }

        /// Completed speed tests with a sequence in `sequences`, the first excluded, the last included.
        pub(crate) fn measured_speeds(
            account_id: AccountId,
            sequences: (i64, i64),
        ) -> Boxed<'static, speedtest::table, MeasuredSpeedRow> {
            speedtest::table
                .select(MeasuredSpeedRow::as_select())
                .into_boxed()
                .filter(speedtest::account_id.eq(account_id.0))
                .filter(speedtest::sequence.gt(sequences.0))
                .filter(speedtest::sequence.le(sequences.1))
                .filter(speedtest::status.eq(SpeedtestStatus::Completed.as_str()))
                .order(speedtest::sequence.asc())
                .limit(AlertQuery::MAX_RECORDS as i64)
        }

        /// Traceroutes whose path changed, with a sequence in `sequences`, the first excluded, the last included.
        pub(crate) fn changed_routes(
            account_id: AccountId,
            sequences: (i64, i64),
        ) -> Boxed<'static, traceroute::table, ChangedRouteRow> {
            traceroute::table
                .select(ChangedRouteRow::as_select())
                .into_boxed()
                .filter(traceroute::account_id.eq(account_id.0))
                .filter(traceroute::sequence.gt(sequences.0))
                .filter(traceroute::sequence.le(sequences.1))
                .filter(traceroute::path_changed.eq(true))
                .order(traceroute::sequence.asc())
                .limit(AlertQuery::MAX_RECORDS as i64)
        }

        /// Whether all of some channels are there is found out by counting these.
        pub(crate) fn known_channels(
            account_id: AccountId,
            ids: &[AlertChannelId],
        ) -> IntoBoxed<'static, Select<alert_channel::table, alert_channel::id>, $backend> {
            let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.0.as_bytes().to_vec()).collect();
            alert_channel::table
                .select(alert_channel::id)
                .into_boxed()
                .filter(alert_channel::account_id.eq(account_id.0))
                .filter(alert_channel::id.eq_any(ids))
        }

        /// Each list query by name, as diesel shows it.
        #[cfg(test)]
        pub(crate) fn shown_list_queries() -> Vec<(&'static str, String)> {
            let (account, rule, event) =
                (AccountId(1), AlertRuleId(uuid::Uuid::nil()), AlertEventId(uuid::Uuid::nil()));
            let position = AlertEventPosition { fired_at: Timestamp::from_seconds(50_000), id: event };
            macro_rules! shown {
                ($query:expr) => {
                    diesel::debug_query::<$backend, _>(&$query).to_string()
                };
            }
            vec![
                ("rules", shown!(alert_rules(account, None))),
                ("channels of rules", shown!(alert_rule_channels(account, None))),
                ("channels of a rule", shown!(alert_rule_channels(account, Some(&rule)))),
                ("channels", shown!(alert_channels(account))),
                ("states", shown!(alert_states(account))),
                ("events", shown!(alert_events(account, None, None, 51))),
                ("events behind", shown!(alert_events(account, None, Some(&position), 51))),
                ("events of a rule", shown!(alert_events(account, Some(&rule), None, 51))),
                ("events of a rule behind", shown!(alert_events(account, Some(&rule), Some(&position), 51))),
                ("deliveries of an event", shown!(alert_deliveries(account, &event))),
                ("deliveries due", shown!(alert_deliveries_due(position.fired_at, 16))),
                ("watched agents", shown!(watched_agents(account))),
                ("speed tests behind", shown!(measured_speeds(account, (99_000, 99_100)))),
                ("changed routes behind", shown!(changed_routes(account, (99_000, 99_100)))),
            ]
        }
    };
}

pub(crate) use backend_alert_queries;
