use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

macro_rules! number_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

number_id! {
    /// An account, the owner of everything else. Given by the database.
    AccountId;
    /// A person who signs in. Given by the database.
    UserId;
    /// A signed-in browser. Given by the database; not a secret.
    SessionId;
    /// An API key. Given by the database; not a secret.
    ApiKeyId;
    /// A plan window. A rolled key's successor shares the window of the key it replaces.
    QuotaWindowId;
    /// A token that enrols agents. Given by the database; not a secret.
    EnrolmentId;
}

macro_rules! record_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

record_id! {
    /// A speed test; a UUIDv7 made by its sender, unique within (account, agent).
    SpeedtestId;
    /// A traceroute; a UUIDv7 made by its sender, unique within (account, agent).
    TracerouteId;
    /// An alert rule; a UUIDv7 made by storage, unique within its account.
    AlertRuleId;
    /// A channel of alerts; a UUIDv7 made by storage, unique within its account.
    AlertChannelId;
    /// An event of an alert's history; a UUIDv7 made when it fires, unique within its account.
    AlertEventId;
    /// One event on its way to one channel; a UUIDv7 made by storage, unique within its account.
    AlertDeliveryId;
}

/// An agent, unique within its account: 1 to 64 of `[A-Za-z0-9._-]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId(Arc<str>);

/// The text is not 1 to 64 of `[A-Za-z0-9._-]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agent id is 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
pub struct InvalidAgentId;

impl AgentId {
    /// Longest id, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// Checks and takes the text.
    ///
    /// # Errors
    /// [`InvalidAgentId`] for any text of another form.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentId> {
        let well_formed = (1..=Self::MAX_LENGTH).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if well_formed { Ok(Self(text.into())) } else { Err(InvalidAgentId) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_id_takes_only_its_alphabet_and_length() {
        for good in ["a", "agent-123", "A.b_c-9", &"x".repeat(64)] {
            assert_eq!(AgentId::parse(good).expect("well-formed").as_str(), good);
        }
        for bad in ["", " ", "a b", "a/b", "ä", "a\0", &"x".repeat(65)] {
            assert_eq!(AgentId::parse(bad), Err(InvalidAgentId), "{bad:?}");
        }
    }
}
