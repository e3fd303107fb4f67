use std::collections::BTreeMap;

use crate::{AgentId, Timestamp, clean_text};

/// Whether an agent is reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentStatus {
    /// Seen within three of its intervals.
    Online,
    /// Seen before, but not within three of its intervals.
    Offline,
    /// Never seen.
    Pending,
    /// Switched off by its account.
    Disabled,
}

impl AgentStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Online, Self::Offline, Self::Pending, Self::Disabled];

    /// The name used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Pending => "pending",
            Self::Disabled => "disabled",
        }
    }
}

/// An agent: one machine that reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Unique within the account.
    pub id: AgentId,
    /// What the agent said of its host.
    pub facts: AgentFacts,
    /// An alias that a person gave.
    pub name: Option<String>,
    /// When it last reported.
    pub last_seen_at: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Set while it is switched off.
    pub disabled_at: Option<Timestamp>,
    /// The address it reports from, as the server saw it.
    pub public_ip: Option<String>,
    /// Names and values that a person gave.
    pub labels: BTreeMap<String, String>,
}

impl Agent {
    /// Interval assumed for an agent that never said its own, in seconds.
    pub const DEFAULT_INTERVAL_SECONDS: u32 = 60;

    /// The status at the time `now`.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> AgentStatus {
        if self.disabled_at.is_some() {
            return AgentStatus::Disabled;
        }
        match self.online_until() {
            None => AgentStatus::Pending,
            Some(until) if now <= until => AgentStatus::Online,
            Some(_) => AgentStatus::Offline,
        }
    }

    /// The last moment at which it is online, unless it reports again or is switched off; `None` if it never reported.
    #[must_use]
    pub fn online_until(&self) -> Option<Timestamp> {
        let interval = self.facts.interval_seconds.unwrap_or(Self::DEFAULT_INTERVAL_SECONDS);
        self.last_seen_at.map(|seen| seen.plus_seconds(3 * i64::from(interval)))
    }
}

/// What an agent says of its host when it starts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentFacts {
    /// The host's name.
    pub hostname: String,
    /// Version of the agent program.
    pub agent_version: Option<String>,
    /// Operating system, such as `Debian GNU/Linux`.
    pub os: Option<String>,
    /// Version of the operating system.
    pub os_version: Option<String>,
    /// Version of the kernel.
    pub kernel_version: Option<String>,
    /// Processor architecture, such as `x86_64`.
    pub arch: Option<String>,
    /// The processor's own name.
    pub cpu_model: Option<String>,
    /// Logical processors.
    pub cpu_core_count: Option<u32>,
    /// Installed memory in bytes.
    pub memory_total_bytes: Option<i64>,
    /// When the host started.
    pub boot_time: Option<Timestamp>,
    /// The host's own addresses.
    pub ip_addresses: Vec<String>,
    /// Seconds between metric samples.
    pub interval_seconds: Option<u32>,
}

impl AgentFacts {
    /// The facts as they are stored: cleaned text of bounded length, at most 64 addresses.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.hostname = clean_text(&self.hostname, 253);
        for text in [
            &mut self.agent_version,
            &mut self.os,
            &mut self.os_version,
            &mut self.kernel_version,
            &mut self.arch,
            &mut self.cpu_model,
        ]
        .into_iter()
        .flatten()
        {
            *text = clean_text(text, 200);
        }
        self.ip_addresses.truncate(64);
        for address in &mut self.ip_addresses {
            *address = clean_text(address, 64);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(last_seen_at: Option<i64>, interval_seconds: Option<u32>) -> Agent {
        Agent {
            id: AgentId::parse("a").expect("valid"),
            facts: AgentFacts { interval_seconds, ..AgentFacts::default() },
            name: None,
            last_seen_at: last_seen_at.map(Timestamp::from_seconds),
            created_at: Timestamp::from_seconds(0),
            disabled_at: None,
            public_ip: None,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn an_agent_is_online_for_three_of_its_intervals() {
        let now = Timestamp::from_seconds(10_000);
        for (seen, interval, expected) in [
            (None, Some(60), AgentStatus::Pending),
            (Some(9_820), Some(60), AgentStatus::Online),
            (Some(9_819), Some(60), AgentStatus::Offline),
            (Some(9_820), None, AgentStatus::Online),
            (Some(9_984), Some(5), AgentStatus::Offline),
            (Some(10_005), Some(5), AgentStatus::Online),
        ] {
            assert_eq!(agent(seen, interval).status(now), expected, "{seen:?} {interval:?}");
        }
        let switched_off = Agent { disabled_at: Some(now), ..agent(Some(10_000), None) };
        assert_eq!(switched_off.status(now), AgentStatus::Disabled);
    }
}
