use std::fmt;

use astranetmon_domain::{AccountId, AgentId};
use async_trait::async_trait;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{Actor, AgentTokenHash, EnrolmentHash, Ingest, LookupError, Scope, checked_secret};

/// The text is no token of this kind: wrong prefix, length, alphabet or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not such a token")]
pub struct MalformedAgentToken;

macro_rules! agent_tokens {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal => $hash:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// What every token of this kind begins with.
            pub const PREFIX: &str = $prefix;
            /// Length in bytes: the prefix, 30 base62 characters, and a checksum of 6 over what precedes.
            pub const LENGTH: usize = checked_secret::length($prefix);

            /// Makes a token of 178 random bits.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                Self(checked_secret::generate($prefix, rng))
            }

            /// Takes presented text whose form and checksum are right.
            ///
            /// # Errors
            /// [`MalformedAgentToken`] for any other text.
            pub fn parse(text: &str) -> Result<Self, MalformedAgentToken> {
                checked_secret::parse($prefix, text).map(Self).ok_or(MalformedAgentToken)
            }

            /// The secret, to be shown to its owner once.
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0
            }

            /// What storage keeps.
            #[must_use]
            pub fn hash(&self) -> $hash {
                $hash::of(&self.0)
            }

            /// What a person may be shown of it later: its first four random characters.
            #[must_use]
            pub fn hint(&self) -> TokenHint {
                TokenHint(checked_secret::hint($prefix, &self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

agent_tokens! {
    /// What an agent is enrolled with: exchanged for an [`AgentToken`], as often as it was made for. Wiped when
    /// dropped, never printed by `Debug`.
    EnrolmentToken = "astra_enroll_" => EnrolmentHash;
    /// What an agent reports with: writes for this one agent, reads nothing. Wiped when dropped, never printed by
    /// `Debug`.
    AgentToken = "astra_agent_" => AgentTokenHash;
}

/// The first four random characters of a token, by which its owner tells tokens apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHint(String);

impl TokenHint {
    /// From storage.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The four characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An agent that has shown its token. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentPrincipal {
    /// Whose agent it is.
    pub account_id: AccountId,
    /// The agent.
    pub agent_id: AgentId,
}

impl AgentPrincipal {
    /// The scope in which it writes what it measured, and nothing of other agents.
    #[must_use]
    pub fn ingest(&self) -> Scope<Ingest> {
        Scope::granted(self.account_id, Actor::Agent(self.agent_id.clone()))
    }
}

/// Where agents' tokens are kept. Implemented by storage.
#[async_trait]
pub trait AgentTokenLookup: Send + Sync {
    /// The agent whose token has that hash; `None` if there is none, none any more, or if the agent is disabled.
    async fn agent_token_find(&self, hash: &AgentTokenHash) -> Result<Option<AgentPrincipal>, LookupError>;
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::ApiKey;

    #[test]
    fn a_token_has_the_form_of_its_kind_and_is_read_back() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let (enrolment, agent) = (EnrolmentToken::generate(&mut rng), AgentToken::generate(&mut rng));
            assert_eq!((enrolment.reveal().len(), agent.reveal().len()), (49, 48));
            assert!(enrolment.reveal().starts_with("astra_enroll_") && agent.reveal().starts_with("astra_agent_"));
            assert_eq!(EnrolmentToken::parse(enrolment.reveal()).expect("well-formed").hash(), enrolment.hash());
            assert_eq!(AgentToken::parse(agent.reveal()).expect("well-formed").hash(), agent.hash());
            assert_eq!(enrolment.hint().as_str(), &enrolment.reveal()[13..17]);
            assert_eq!(agent.hint().as_str(), &agent.reveal()[12..16]);
        }
    }

    #[test]
    fn a_token_of_another_kind_or_with_a_wrong_character_is_refused() {
        let mut rng = StdRng::seed_from_u64(2);
        let (key, enrolment, agent) =
            (ApiKey::generate(&mut rng), EnrolmentToken::generate(&mut rng), AgentToken::generate(&mut rng));
        for text in [key.reveal(), enrolment.reveal(), "", "astra_agent_", &agent.reveal()[..47]] {
            assert!(AgentToken::parse(text).is_err(), "{text}");
        }
        for text in [key.reveal(), agent.reveal()] {
            assert!(EnrolmentToken::parse(text).is_err(), "{text}");
        }
        for text in [enrolment.reveal(), agent.reveal()] {
            assert!(ApiKey::parse(text).is_err(), "{text}");
        }
        for at in 0..AgentToken::LENGTH {
            let mut bytes = agent.reveal().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(AgentToken::parse(&String::from_utf8(bytes).expect("ASCII")).is_err(), "{at}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut rng = StdRng::seed_from_u64(3);
        let (enrolment, agent) = (EnrolmentToken::generate(&mut rng), AgentToken::generate(&mut rng));
        assert_eq!(
            format!("{enrolment:?} {:?} {agent:?} {:?}", enrolment.hash(), agent.hash()),
            "EnrolmentToken(…) EnrolmentHash(…) AgentToken(…) AgentTokenHash(…)"
        );
    }

    #[test]
    fn an_agent_writes_in_its_own_name_only() {
        let id = AgentId::parse("web-1").expect("an id");
        let principal = AgentPrincipal { account_id: AccountId(7), agent_id: id.clone() };
        assert_eq!((principal.ingest().account_id(), principal.ingest().agent_id()), (AccountId(7), Some(&id)));
        assert_eq!(Scope::<Ingest>::system(AccountId(7), "test").agent_id(), None);
    }
}
