use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Facts, display};
use crate::row::row;
use astranetmon_domain::AgentId;

row! {
    /// A machine asks for the token of its agent.
    EnrollBody {
        /// The enrolment token.
        #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, example = "astra_enroll_"))]
        token: Secret,
        /// The id that the agent would have; without it the token's own, or one made from the host's name.
        #[serde(serialize_with = "display")]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "web-1"))]
        agent_id: AgentId,
        /// What the agent says of its host.
        #[cfg_attr(feature = "openapi", schema(value_type = Facts, required = true))]
        facts: Facts,
    }
}

/// A token in the clear: never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl crate::field::FromJson for Secret {
    fn from_json(json: crate::field::Json<'_>) -> Result<Self, crate::field::Reason> {
        String::from_json(json).map(Self)
    }
}

/// The token of an agent, told this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrollAnswer {
    /// The agent that the token writes for.
    #[cfg_attr(feature = "openapi", schema(example = "web-1"))]
    pub agent_id: String,
    /// The agent token; keep it where nobody else can read it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "astra_agent_"))]
    pub agent_token: Secret,
    /// The account's name.
    #[cfg_attr(feature = "openapi", schema(example = "Example Ltd"))]
    pub account: String,
}
