//! Plan windows: counted in memory, as one process serves the file, and written each second and when it closes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use astranetmon_domain::{AccountId, QuotaWindowId, Timestamp};
use astranetmon_ratelimit::{Window, WindowTake};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::schema::quota_window;

#[derive(Clone, Copy)]
struct Slot {
    account_id: AccountId,
    window: Window,
    changed: bool,
}

/// A window as it is to be written.
pub(super) type Changed = (AccountId, QuotaWindowId, Window);

#[derive(Default)]
pub(super) struct Windows {
    slots: Mutex<HashMap<QuotaWindowId, Slot>>,
}

impl Windows {
    fn slots(&self) -> MutexGuard<'_, HashMap<QuotaWindowId, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_loaded(&self, id: QuotaWindowId) -> bool {
        self.slots().contains_key(&id)
    }

    /// Remembers what the database holds, unless somebody was faster. A window never opened stands as ended.
    pub(super) fn load(&self, account_id: AccountId, id: QuotaWindowId, stored: Option<Window>) {
        let window = stored.unwrap_or(Window { opened_at: Timestamp::MIN, used: 0 });
        self.slots().entry(id).or_insert(Slot { account_id, window, changed: false });
    }

    /// Takes one request; `None` if the window is not loaded.
    pub(super) fn take(&self, id: QuotaWindowId, limit: u32, now: Timestamp) -> Option<WindowTake> {
        let mut slots = self.slots();
        let slot = slots.get_mut(&id)?;
        if slot.window.resets_at() <= now {
            slot.window = Window { opened_at: now, used: 0 };
        }
        if slot.window.used >= limit {
            return Some(WindowTake::Refused(slot.window));
        }
        slot.window.used += 1;
        slot.changed = true;
        Some(WindowTake::Passed(slot.window))
    }

    /// The window if it is open; the outer `None` if it is not loaded.
    pub(super) fn peek(&self, id: QuotaWindowId, now: Timestamp) -> Option<Option<Window>> {
        let window = self.slots().get(&id)?.window;
        Some((now < window.resets_at()).then_some(window))
    }

    pub(super) fn take_changed(&self) -> Vec<Changed> {
        let mut slots = self.slots();
        let changed = slots.iter_mut().filter(|(_, slot)| slot.changed);
        changed
            .map(|(id, slot)| {
                slot.changed = false;
                (slot.account_id, *id, slot.window)
            })
            .collect()
    }

    /// They were not written: write them next time.
    pub(super) fn put_back(&self, unwritten: &[Changed]) {
        let mut slots = self.slots();
        for (_, id, _) in unwritten {
            if let Some(slot) = slots.get_mut(id) {
                slot.changed = true;
            }
        }
    }

    pub(super) fn write(connection: &mut SqliteConnection, changed: &[Changed]) -> QueryResult<()> {
        for (account_id, id, window) in changed {
            let state = (
                quota_window::opened_at.eq(window.opened_at.as_micros()),
                quota_window::used.eq(i64::from(window.used)),
            );
            diesel::insert_into(quota_window::table)
                .values((quota_window::account_id.eq(account_id.0), quota_window::window_id.eq(id.0), state))
                .on_conflict((quota_window::account_id, quota_window::window_id))
                .do_update()
                .set(state)
                .execute(connection)?;
        }
        Ok(())
    }

    pub(super) fn read(
        connection: &mut SqliteConnection,
        account_id: AccountId,
        id: QuotaWindowId,
    ) -> QueryResult<Option<Window>> {
        let stored: Option<(i64, i64)> = quota_window::table
            .select((quota_window::opened_at, quota_window::used))
            .filter(quota_window::account_id.eq(account_id.0))
            .filter(quota_window::window_id.eq(id.0))
            .first(connection)
            .optional()?;
        Ok(stored.map(|(opened_at, used)| Window {
            opened_at: Timestamp::from_micros(opened_at),
            used: u32::try_from(used).unwrap_or(u32::MAX),
        }))
    }
}
