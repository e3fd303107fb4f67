//! The audit log.

use std::collections::BTreeSet;
use std::sync::Arc;

use astranetmon_domain::{Account, Timestamp};

use super::{NOVEMBER, OPERATOR, account, scope};
use crate::{AuditEntry, Storage};

fn entry(at: Timestamp, object: &str) -> AuditEntry {
    AuditEntry {
        at,
        actor: "address:192.0.2.1".to_owned(),
        action: "session.refuse".to_owned(),
        object: object.to_owned(),
    }
}

async fn append(storage: &Arc<dyn Storage>, owner: &Account, entry: &AuditEntry) {
    storage.audit_append(&OPERATOR, owner.id, entry).await.expect("appended");
}

/// In pages of every size, each entry once, though many are of one moment; those of other accounts are not there.
pub async fn audit_pages_walk_the_whole_log(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    for number in 0..20_i64 {
        append(&storage, &owner, &entry(NOVEMBER.plus_seconds(1 + number / 7), &format!("try:{number}"))).await;
        append(&storage, &stranger, &entry(NOVEMBER.plus_seconds(2), "try:foreign")).await;
    }
    let whole = storage.audit_page(&scope(&owner), None, 1_000).await.expect("a page");
    assert_eq!((whole.entries.len(), whole.next), (21, None));
    assert!(whole.entries.is_sorted_by_key(|entry| std::cmp::Reverse(entry.at)));
    let objects: BTreeSet<_> = whole.entries.iter().map(|entry| entry.object.as_str()).collect();
    assert!(objects.len() == 21 && !objects.contains("try:foreign"), "{objects:?}");
    for limit in 1..=22 {
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let page = storage.audit_page(&scope(&owner), after, limit).await.expect("a page");
            assert!(page.entries.len() <= limit as usize);
            walked.extend(page.entries);
            after = page.next;
            assert_eq!(after.is_some(), walked.len() < 21);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(walked, whole.entries, "{limit}");
    }
    assert_eq!(storage.audit_list(&scope(&owner), 5).await.expect("a list"), whole.entries[..5]);
}

/// As it was given, but for control characters and what is too long.
pub async fn an_appended_entry_is_kept_clean_and_short(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let most = AuditEntry::MAX_TEXT_CHARS;
    for (second, given, kept) in [
        (1, "email:ada@example.com".to_owned(), "email:ada@example.com".to_owned()),
        (2, "a\r\nb\u{1b}[31m\u{202e}c\0".to_owned(), "ab[31mc".to_owned()),
        (3, "ä".repeat(most), "ä".repeat(most)),
        (4, "ä".repeat(100_000), "ä".repeat(most)),
        (5, String::new(), String::new()),
    ] {
        let at = NOVEMBER.plus_seconds(second);
        let given = AuditEntry { at, actor: given.clone(), action: given.clone(), object: given };
        append(&storage, &owner, &given).await;
        let page = storage.audit_page(&scope(&owner), None, 1).await.expect("a page");
        assert_eq!(page.entries, [AuditEntry { at, actor: kept.clone(), action: kept.clone(), object: kept }]);
    }
}
