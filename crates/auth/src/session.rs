use astranetmon_domain::{AccountId, SessionId, Timestamp, User, UserId};
use async_trait::async_trait;

use crate::{LookupError, SessionHash};

/// What storage needs to keep a new session.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Of its token.
    pub hash: SessionHash,
    /// Who signed in.
    pub user_id: UserId,
    /// The address that signed in.
    pub address: Option<String>,
    /// What the browser says it is.
    pub user_agent: Option<String>,
}

/// A stored session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Given by the database.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// That person's account.
    pub account_id: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// Its last request, at most a minute old.
    pub last_seen_at: Timestamp,
    /// The address that signed in.
    pub address: Option<String>,
    /// What the browser said it is.
    pub user_agent: Option<String>,
}

impl SessionRecord {
    /// A session ends so many seconds after its last request (OWASP ASVS 4.0.3 §3.3.2).
    pub const IDLE_SECONDS: i64 = 30 * 60;
    /// A session ends so many seconds after its beginning, whatever happens in it.
    pub const LONGEST_SECONDS: i64 = 12 * 60 * 60;

    /// When it ends by itself if nothing more happens.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let idle = self.last_seen_at.plus_seconds(Self::IDLE_SECONDS);
        idle.min(self.created_at.plus_seconds(Self::LONGEST_SECONDS))
    }

    /// Whether it has not ended by itself at the time `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }
}

/// Where sessions are kept. Implemented by storage.
#[async_trait]
pub trait SessionLookup: Send + Sync {
    /// The session of that hash and its person, whether or not it has ended by itself or the person is disabled; `None`
    /// if there is none, or none any more.
    async fn session_find_by_hash(&self, hash: &SessionHash) -> Result<Option<(SessionRecord, User)>, LookupError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_half_an_hour_after_its_last_request_and_after_twelve_hours() {
        let at = Timestamp::from_seconds;
        let session = |seen| SessionRecord {
            id: SessionId(1),
            user_id: UserId(1),
            account_id: AccountId(1),
            created_at: at(0),
            last_seen_at: at(seen),
            address: None,
            user_agent: None,
        };
        for (seen, now, live) in
            [(0, 1_799, true), (0, 1_800, false), (1_000, 2_799, true), (43_000, 43_199, true), (43_000, 43_200, false)]
        {
            assert_eq!(session(seen).is_live(at(now)), live, "{seen} {now}");
        }
    }
}
