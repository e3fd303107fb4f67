use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use astranetmon_domain::{AccountId, Agent};

use crate::{AgentPage, StorageError};

/// How long a list is believed. What another instance writes is seen within a second; what this one writes, at once.
const BELIEVED_FOR: Duration = Duration::from_millis(700);
/// Longer lists are read anew each time, so that memory stays bounded.
const LONGEST: usize = 1_000;
/// Accounts whose lists are kept.
const MOST_ACCOUNTS: usize = 1_000;

/// The newest whole lists of agents, by account: what dashboards ask for most.
#[derive(Default)]
pub(crate) struct AgentLists {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lists: HashMap<AccountId, (Instant, Arc<[Agent]>)>,
    /// Rises with every write, so that a list read before a write is not kept after it.
    writes: u64,
}

/// What was known when a list began to be read.
#[derive(Clone, Copy)]
struct ReadingSince {
    writes: u64,
    at: Instant,
}

impl AgentLists {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` gives; a whole list that was read a moment ago is not read again.
    pub(crate) async fn page(
        &self,
        account: AccountId,
        whole_list: bool,
        read: impl Future<Output = Result<AgentPage, StorageError>>,
    ) -> Result<AgentPage, StorageError> {
        if !whole_list {
            return read.await;
        }
        let since = match self.get(account) {
            Ok(agents) => return Ok(AgentPage { total: agents.len() as u64, agents, more: false }),
            Err(since) => since,
        };
        let page = read.await?;
        self.keep(account, &page.agents, since);
        Ok(page)
    }

    /// The account's list, or what to hand to [`AgentLists::keep`] with a list that is read now.
    fn get(&self, account: AccountId) -> Result<Arc<[Agent]>, ReadingSince> {
        let kept = self.kept();
        match kept.lists.get(&account) {
            Some((read_at, agents)) if read_at.elapsed() < BELIEVED_FOR => Ok(Arc::clone(agents)),
            _ => Err(ReadingSince { writes: kept.writes, at: Instant::now() }),
        }
    }

    fn keep(&self, account: AccountId, agents: &Arc<[Agent]>, since: ReadingSince) {
        let mut kept = self.kept();
        if kept.writes != since.writes || agents.len() > LONGEST {
            return;
        }
        if kept.lists.len() >= MOST_ACCOUNTS {
            kept.lists.retain(|_, (read_at, _)| read_at.elapsed() < BELIEVED_FOR);
            if kept.lists.len() >= MOST_ACCOUNTS {
                kept.lists.clear();
            }
        }
        kept.lists.insert(account, (since.at, Arc::clone(agents)));
    }

    /// To be called after each write, whether it succeeded or not.
    pub(crate) fn changed(&self, account: AccountId) {
        let mut kept = self.kept();
        kept.writes += 1;
        kept.lists.remove(&account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_kept_until_its_account_is_written() {
        let lists = AgentLists::default();
        let account = AccountId(1);
        let none: Arc<[Agent]> = Arc::default();
        let since = lists.get(account).expect_err("nothing is kept yet");
        lists.keep(account, &none, since);
        assert!(lists.get(account).is_ok() && lists.get(AccountId(2)).is_err());
        lists.changed(account);
        assert!(lists.get(account).is_err());
    }

    #[test]
    fn a_list_read_before_a_write_is_not_kept_after_it() {
        let lists = AgentLists::default();
        let account = AccountId(1);
        let since = lists.get(account).expect_err("nothing is kept yet");
        lists.changed(account);
        lists.keep(account, &Arc::default(), since);
        assert!(lists.get(account).is_err());
    }
}
