use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use astranetmon_domain::{AccountId, Timestamp};
use astranetmon_http::ApiError;

/// Between two test messages of an account, in seconds: enough for a person, too few for a flood.
const APART: i64 = 5;

/// When each account last sent a test message.
#[derive(Debug, Default)]
pub(crate) struct ChannelTests(Mutex<HashMap<AccountId, Timestamp>>);

impl ChannelTests {
    /// Counts a test message.
    ///
    /// # Errors
    /// 429 too soon after the one before.
    pub(super) fn begin(&self, account_id: AccountId, now: Timestamp) -> Result<(), ApiError> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, at| at.plus_seconds(APART) > now);
        if last.contains_key(&account_id) {
            return Err(ApiError::TooManyRequests {
                message: "A test message was sent just now: wait a few seconds, then try again",
                retry_after: u32::try_from(APART).unwrap_or(1),
            });
        }
        last.insert(account_id, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_tests_once_in_five_seconds() {
        let (tests, at) = (ChannelTests::default(), Timestamp::from_seconds);
        assert!(tests.begin(AccountId(1), at(0)).is_ok() && tests.begin(AccountId(1), at(4)).is_err());
        assert!(tests.begin(AccountId(2), at(4)).is_ok() && tests.begin(AccountId(1), at(5)).is_ok());
    }
}
