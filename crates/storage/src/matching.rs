//! Which records a query is about, once the labels in it are looked up.

use std::collections::BTreeMap;

use astranetmon_domain::{AgentFilter, AgentId, RecordFilter, TimeRange};

/// Agents of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agents {
    All,
    One(AgentId),
    AnyOf(Vec<AgentId>),
}

/// Records of some agents in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matching {
    pub(crate) agents: Agents,
    pub(crate) range: TimeRange,
}

impl Matching {
    /// What the filter asks for; `None` if nothing can match. `labelled` are the ids of the account's agents that
    /// [`has_labels`] of the filter, and not asked for unless it names labels.
    pub(crate) fn of(filter: &RecordFilter, labelled: Vec<AgentId>) -> Option<Self> {
        let named = match &filter.agent {
            AgentFilter::Labelled { among, .. } => AgentFilter::any_of(match among {
                Some(among) => labelled.into_iter().filter(|id| among.contains(id)).collect(),
                None => labelled,
            }),
            named => named.clone(),
        };
        let agents = match named {
            AgentFilter::All => Agents::All,
            AgentFilter::One(id) => Agents::One(id),
            AgentFilter::AnyOf(ids) => Agents::AnyOf(ids),
            AgentFilter::Nobody | AgentFilter::Labelled { .. } => return None,
        };
        (!filter.range.is_empty()).then_some(Self { agents, range: filter.range })
    }
}

/// Whether an agent's labels, as they are stored, hold all of those.
pub(crate) fn has_labels(stored: &str, labels: &[(String, String)]) -> bool {
    serde_json::from_str::<BTreeMap<String, String>>(stored)
        .is_ok_and(|stored| labels.iter().all(|(name, value)| stored.get(name) == Some(value)))
}

/// Narrows a boxed query to the agents by its column.
macro_rules! of_agents {
    ($query:expr, $column:expr, $agents:expr) => {
        match $agents {
            $crate::matching::Agents::All => $query,
            $crate::matching::Agents::One(id) => $query.filter($column.eq(id.as_str())),
            $crate::matching::Agents::AnyOf(ids) => {
                $query.filter($column.eq_any(ids.iter().map(astranetmon_domain::AgentId::as_str)))
            }
        }
    };
}

/// Narrows a boxed query on counts to the agents, or to the rows of the whole account.
macro_rules! counts_of_agents {
    ($query:expr, $agents:expr) => {
        match $agents {
            $crate::matching::Agents::All => {
                $query.filter($crate::schema::record_count::agent_id.eq($crate::counts::WHOLE_ACCOUNT))
            }
            agents => $crate::matching::of_agents!($query, $crate::schema::record_count::agent_id, agents),
        }
    };
}

pub(crate) use {counts_of_agents, of_agents};

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<AgentId> {
        texts.iter().map(|text| AgentId::parse(text).expect("an id")).collect()
    }

    #[test]
    fn labels_become_the_agents_that_have_them() {
        let labelled = |among: Option<&[&str]>| AgentFilter::Labelled {
            labels: vec![("site".to_owned(), "ber".to_owned())],
            among: among.map(ids),
        };
        for (agent, found, expected) in [
            (labelled(None), &["a", "b"][..], Some(Agents::AnyOf(ids(&["a", "b"])))),
            (labelled(None), &["b"], Some(Agents::One(ids(&["b"]).remove(0)))),
            (labelled(None), &[], None),
            (labelled(Some(&["b", "c"])), &["a", "b"], Some(Agents::One(ids(&["b"]).remove(0)))),
            (labelled(Some(&[])), &["a"], None),
            (AgentFilter::All, &[], Some(Agents::All)),
            (AgentFilter::Nobody, &[], None),
        ] {
            let filter = RecordFilter { agent: agent.clone(), range: TimeRange::ALL };
            assert_eq!(Matching::of(&filter, ids(found)).map(|matching| matching.agents), expected, "{agent:?}");
        }
    }

    #[test]
    fn all_labels_must_be_there_with_their_values() {
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let stored = r#"{"site":"ber","tier":"1"}"#;
        assert!(has_labels(stored, &[]));
        assert!(has_labels(stored, &[label("site", "ber"), label("tier", "1")]));
        assert!(!has_labels(stored, &[label("site", "ber"), label("tier", "2")]));
        assert!(!has_labels(stored, &[label("rack", "")]));
    }
}
