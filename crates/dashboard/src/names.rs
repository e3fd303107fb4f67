//! What agents are called.

use std::collections::BTreeMap;

use astranetmon_auth::{ReadAgents, Scope};
use astranetmon_domain::{Agent, AgentId, clean_text};
use astranetmon_http::ApiError;
use astranetmon_storage::Storage;

/// Longest name or label that is shown, in characters.
const LONGEST: usize = 253;

/// What an agent is called first: the name that a person gave, else its host's, else its id; and its host's name where
/// that is another.
pub(crate) fn names(agent: &Agent) -> (String, Option<String>) {
    let hostname = &agent.facts.hostname;
    let host = if hostname.is_empty() { agent.id.as_str() } else { hostname };
    match agent.name.as_deref().map(one_line) {
        Some(name) if !name.is_empty() && name != host => (name, Some(host.to_owned())),
        _ => (host.to_owned(), None),
    }
}

/// An agent's labels, as `name: value`.
pub(crate) fn labels(agent: &Agent) -> Vec<String> {
    label_views(&agent.labels)
}

/// Labels, as `name: value`.
pub(crate) fn label_views(labels: &BTreeMap<String, String>) -> Vec<String> {
    labels.iter().map(|(name, value)| one_line(&format!("{name}: {value}"))).collect()
}

/// What people gave, without what would turn the line around or break it.
fn one_line(text: &str) -> String {
    clean_text(text, LONGEST)
}

/// An account's agents, to choose from and to name records by.
pub(crate) struct AgentNames {
    /// By name.
    choices: Vec<(AgentId, String)>,
    by_id: BTreeMap<AgentId, String>,
}

impl AgentNames {
    pub(crate) async fn of(storage: &dyn Storage, scope: &Scope<ReadAgents>) -> Result<Self, ApiError> {
        Ok(Self::among(&storage.agent_page(scope, None, None).await?.agents))
    }

    pub(crate) fn among(agents: &[Agent]) -> Self {
        let mut choices: Vec<_> = agents.iter().map(|agent| (agent.id.clone(), names(agent).0)).collect();
        choices.sort_by_cached_key(|(id, name)| (name.to_lowercase(), id.clone()));
        let by_id = choices.iter().cloned().collect();
        Self { choices, by_id }
    }

    /// Ids and names, by name.
    pub(crate) fn choices(&self) -> &[(AgentId, String)] {
        &self.choices
    }

    /// The agent's name; its id if it is gone.
    pub(crate) fn name<'a>(&'a self, id: &'a AgentId) -> &'a str {
        self.by_id.get(id).map_or(id.as_str(), String::as_str)
    }
}
