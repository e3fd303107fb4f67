use astranetmon_domain::{AccountId, EnrolmentId, EnrolmentTerms, Timestamp};

use crate::{EnrolmentHash, TokenHint};

/// What storage needs to keep a new enrolment token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrolment {
    /// Of the whole token.
    pub hash: EnrolmentHash,
    /// Shown beside its name.
    pub hint: TokenHint,
    /// What it is good for.
    pub terms: EnrolmentTerms,
}

/// A stored enrolment token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRecord {
    /// Given by the database.
    pub id: EnrolmentId,
    /// To which account it brings agents.
    pub account_id: AccountId,
    /// First characters of its random part.
    pub hint: TokenHint,
    /// What it is good for.
    pub terms: EnrolmentTerms,
    /// How often it was exchanged.
    pub use_count: u32,
    /// When it was last exchanged.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
}

/// Whether an enrolment token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentState {
    /// It works.
    Live,
    /// It was exchanged as often as it may be.
    UsedUp,
    /// It ended by itself.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Somebody ended it.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl EnrolmentRecord {
    /// Live enrolment tokens that an account may have at a time.
    pub const MAX_LIVE_PER_ACCOUNT: usize = 100;
    /// Enrolment tokens that a list shows at most.
    pub const MAX_LISTED: usize = 200;

    /// The state at the time `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> EnrolmentState {
        match self.revoked_at {
            Some(at) => EnrolmentState::Revoked { at },
            None if self.use_count >= self.terms.max_uses() => EnrolmentState::UsedUp,
            None if self.terms.expires_at() <= now => EnrolmentState::Expired { at: self.terms.expires_at() },
            None => EnrolmentState::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_enrolment_ends_by_use_by_time_and_by_hand() {
        let at = Timestamp::from_seconds;
        let terms = EnrolmentTerms::new("rack 7", None, BTreeMap::new(), 2, at(100), at(0)).expect("fit");
        let record = |use_count, revoked_at| EnrolmentRecord {
            id: EnrolmentId(1),
            account_id: AccountId(1),
            hint: TokenHint::from_stored("abcd".to_owned()),
            terms: terms.clone(),
            use_count,
            last_used_at: None,
            created_at: at(0),
            revoked_at,
        };
        for (use_count, revoked_at, now, expected) in [
            (0, None, 99, EnrolmentState::Live),
            (1, None, 99, EnrolmentState::Live),
            (2, None, 99, EnrolmentState::UsedUp),
            (1, None, 100, EnrolmentState::Expired { at: at(100) }),
            (2, Some(at(5)), 100, EnrolmentState::Revoked { at: at(5) }),
        ] {
            assert_eq!(record(use_count, revoked_at).state(at(now)), expected, "{use_count} {revoked_at:?} {now}");
        }
    }
}
