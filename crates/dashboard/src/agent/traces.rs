//! An agent's newest traceroute to each of its targets.

use astranetmon_auth::{ReadTraceroutes, Scope};
use astranetmon_domain::{AgentFilter, AgentId, Limit, PageRequest, RecordFilter, TimeRange, Timestamp, Traceroute};
use astranetmon_http::ApiError;
use astranetmon_storage::Storage;

use crate::format::{self, Moment};
use crate::traceroutes::TraceView;

/// So many of the agent's newest traces are looked at.
const LOOKED_AT: u32 = 300;
/// So many of a target's are offered to choose from.
const CHOICES: usize = 60;

/// One target's trace with the choice of others.
pub(super) struct TargetTraces {
    pub(super) shown: TraceView,
    pub(super) choices: Vec<TraceChoice>,
}

/// A trace to choose.
pub(super) struct TraceChoice {
    pub(super) id: String,
    pub(super) at: Moment,
    pub(super) full_time: String,
    pub(super) is_changed: bool,
    pub(super) is_shown: bool,
}

/// The newest trace to each target, or the one `chosen` by its id, against the one before.
pub(super) async fn traces(
    storage: &dyn Storage,
    scope: &Scope<ReadTraceroutes>,
    agent_id: &AgentId,
    chosen: Option<&str>,
    now: Timestamp,
) -> Result<Vec<TargetTraces>, ApiError> {
    let filter = RecordFilter { agent: AgentFilter::One(agent_id.clone()), range: TimeRange::ALL };
    let limit = Limit::new(LOOKED_AT).unwrap_or(Limit::LARGEST);
    let rows = storage.traceroute_page(scope, &filter.into(), &PageRequest::new(limit, None)).await?.rows;
    let mut targets: Vec<Vec<&Traceroute>> = Vec::new();
    for trace in &rows {
        let alike = |group: &&mut Vec<&Traceroute>| {
            group.first().is_some_and(|it| it.target == trace.target && it.protocol == trace.protocol)
        };
        match targets.iter_mut().find(alike) {
            Some(group) => group.push(trace),
            None => targets.push(vec![trace]),
        }
    }
    targets.sort_by_key(|group| group.first().map(|trace| (trace.target.clone(), trace.protocol.as_str())));
    Ok(targets.iter().filter_map(|group| one_target(group, chosen, now)).collect())
}

/// `group` is newest first.
fn one_target(group: &[&Traceroute], chosen: Option<&str>, now: Timestamp) -> Option<TargetTraces> {
    let position = chosen.and_then(|id| group.iter().position(|trace| trace.id.to_string() == id)).unwrap_or(0);
    let shown = group.get(position)?;
    let before = group.get(position + 1).copied();
    let choices: Vec<_> = group
        .iter()
        .enumerate()
        .take(CHOICES.max(position + 1))
        .map(|(index, trace)| TraceChoice {
            id: trace.id.to_string(),
            at: Moment::of(trace.timestamp, now),
            full_time: format::full_time(trace.timestamp),
            is_changed: trace.path_changed == Some(true),
            is_shown: index == position,
        })
        .collect();
    Some(TargetTraces { shown: TraceView::of(shown, before, now), choices })
}
