//! What series there can be: one for each agent and field.

use std::sync::Arc;

use astranetmon_auth::{ReadMetrics, Scope};
use astranetmon_domain::{Agent, AgentId, METRIC_FIELDS, MetricField};
use astranetmon_promql::{Labels, METRIC_NAME, SeriesFilter};

use crate::{ApiError, ApiState};

/// What every metric's name begins with.
pub(super) const NAMESPACE: &str = "astranetmon_";
const AGENT_ID: &str = "agent_id";
/// In front of a label of an agent that would be taken for one of ours.
const LABEL_PREFIX: &str = "label_";

/// Every agent of the account with the labels that its series have beside the metric's name.
pub(super) struct Sources(Vec<(AgentId, Labels)>);

impl Sources {
    pub(super) async fn of(state: &ApiState, scope: &Scope<ReadMetrics>) -> Result<Self, ApiError> {
        let agents: Arc<[Agent]> = state.storage.metric_agents(scope).await?;
        Ok(Self(agents.iter().map(|agent| (agent.id.clone(), labels_of(agent))).collect()))
    }

    /// The series that a filter takes: agent, field and labels.
    pub(super) fn matching(&self, filter: &SeriesFilter) -> Vec<(&AgentId, MetricField, Labels)> {
        let named = METRIC_FIELDS.into_iter().map(|field| (field, metric_name(field)));
        let named: Vec<_> = named.filter(|(_, name)| filter.may_take(METRIC_NAME, name)).collect();
        let mut taken = Vec::new();
        for (agent, labels) in &self.0 {
            for (field, name) in &named {
                let mut labels = labels.clone();
                labels.set(METRIC_NAME, name);
                if filter.takes(&labels) {
                    taken.push((agent, *field, labels));
                }
            }
        }
        taken
    }
}

pub(super) fn metric_name(field: MetricField) -> String {
    format!("{NAMESPACE}{}", field.name)
}

fn labels_of(agent: &Agent) -> Labels {
    let mut labels = Labels::default();
    for (name, value) in &agent.labels {
        labels.set(&label_name(name), value);
    }
    labels.set(AGENT_ID, agent.id.as_str());
    labels
}

/// An agent's label under a name that every Prometheus client takes: letters, digits and `_`, no digit first.
fn label_name(name: &str) -> String {
    let fit = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let fitted: String = name.chars().map(fit).collect();
    let ours = fitted == AGENT_ID || fitted.starts_with("__");
    if ours || fitted.is_empty() || fitted.starts_with(|letter: char| letter.is_ascii_digit()) {
        format!("{LABEL_PREFIX}{fitted}")
    } else {
        fitted
    }
}

#[cfg(test)]
mod tests {
    use super::label_name;

    #[test]
    fn labels_of_agents_have_names_that_every_client_takes_and_none_of_ours() {
        for (name, expected) in [
            ("site", "site"),
            ("data-center.2", "data_center_2"),
            ("7days", "label_7days"),
            ("agent_id", "label_agent_id"),
            ("agent-id", "label_agent_id"),
            ("__name__", "label___name__"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(label_name(name), expected, "{name}");
        }
    }
}
