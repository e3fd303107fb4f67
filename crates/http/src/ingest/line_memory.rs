//! What is remembered of agents that send line protocol.

use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::AgentPrincipal;
use astranetmon_domain::{AccountId, AgentId};
use astranetmon_ingest::telegraf::AgentMemory;
use moka::sync::Cache;
use tokio::sync::Mutex;

/// What all agents together may take, in bytes.
const ALL_AGENTS: u64 = 64 * 1024 * 1024;
/// What an agent takes of which nothing is known yet, or that is in use.
const ONE_AGENT: u32 = 2 * 1024;
/// An agent that is silent for this long begins anew, as it would after the server's start.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// The last counters of each agent, in this process alone: where they are missing, a rate is unknown once.
pub(crate) struct LineMemory(Cache<(AccountId, AgentId), Arc<Mutex<AgentMemory>>>);

impl Default for LineMemory {
    fn default() -> Self {
        let weigh = |_: &(AccountId, AgentId), memory: &Arc<Mutex<AgentMemory>>| {
            let size = memory.try_lock().map(|memory| u32::try_from(memory.byte_count()).unwrap_or(u32::MAX));
            size.unwrap_or_default().max(ONE_AGENT)
        };
        Self(Cache::builder().max_capacity(ALL_AGENTS).weigher(weigh).time_to_idle(PATIENCE).build())
    }
}

impl LineMemory {
    /// That of an agent; to be locked while a body of it is taken.
    pub(crate) fn of(&self, agent: &AgentPrincipal) -> Arc<Mutex<AgentMemory>> {
        self.0.get_with(key(agent), Arc::default)
    }

    /// Weighs it again, now that it has changed.
    pub(crate) fn keep(&self, agent: &AgentPrincipal, memory: Arc<Mutex<AgentMemory>>) {
        self.0.insert(key(agent), memory);
    }
}

fn key(agent: &AgentPrincipal) -> (AccountId, AgentId) {
    (agent.account_id, agent.agent_id.clone())
}
