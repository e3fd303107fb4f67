//! How long an account's measured data is kept.

use std::sync::Arc;

use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Plan, Retention};

use super::{NOVEMBER, account, scope};
use crate::{IngestRetention, RetentionSetting, Storage, StorageError};

fn days(raw: u32, hourly: u32, daily: u32) -> Retention {
    Retention::new(raw, hourly, daily).expect("a retention")
}

/// Without a choice the plan's lengths, never more than those.
pub async fn an_account_keeps_what_its_plan_does_or_less_by_choice(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (manage, read) = (scope::<ManageAccount>(&owner), scope::<ReadAccount>(&owner));
    let plan = Retention::of_plan(Plan::Starter);
    let setting = storage.retention_of(&read).await.expect("a setting");
    assert_eq!((setting, setting.effective()), (RetentionSetting { plan, chosen: None }, plan));
    for (choice, is_taken) in [
        (days(7, 30, 365), true),
        (days(32, 400, 1_100), false),
        (days(31, 401, 1_100), false),
        (days(31, 400, 1_101), false),
        (plan, true),
    ] {
        let set = storage.retention_set(&manage, Some(choice), NOVEMBER).await;
        if is_taken {
            set.expect("chosen");
            let setting = storage.retention_of(&read).await.expect("a setting");
            assert_eq!((setting.chosen, setting.effective()), (Some(choice), choice));
        } else {
            assert!(matches!(set, Err(StorageError::BeyondPlan { most }) if most == plan), "{choice} {set:?}");
        }
    }
    storage.retention_set(&manage, None, NOVEMBER).await.expect("chosen");
    assert_eq!(storage.retention_of(&read).await.expect("a setting"), setting);
    let nobody = AccountId(4_711);
    let missing = [
        storage.retention_of(&Scope::system(nobody, "conformance")).await.err(),
        storage.retention_set(&Scope::system(nobody, "conformance"), None, NOVEMBER).await.err(),
        storage.retention_for_ingest(&Scope::system(nobody, "conformance")).await.err(),
    ];
    for error in missing {
        assert!(matches!(error, Some(StorageError::Missing { .. })), "{error:?}");
    }
}

/// The choice stays for when the plan is a larger one again.
pub async fn a_smaller_plan_shortens_what_was_chosen(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (manage, read) = (scope::<ManageAccount>(&owner), scope::<ReadAccount>(&owner));
    let choice = days(90, 100, 2_000);
    for (plan, effective) in
        [(Plan::Enterprise, choice), (Plan::Starter, days(31, 100, 1_100)), (Plan::Enterprise, choice)]
    {
        storage.account_set_plan(&manage, plan, NOVEMBER).await.expect("set");
        if storage.retention_of(&read).await.expect("a setting").chosen.is_none() {
            storage.retention_set(&manage, Some(choice), NOVEMBER).await.expect("chosen");
        }
        assert_eq!(storage.retention_of(&read).await.expect("a setting").effective(), effective, "{plan}");
    }
}

/// One line of the audit log, another data version, and nothing of it for other accounts.
pub async fn a_choice_is_audited_and_seen(storage: Arc<dyn Storage>) {
    let (owner, other) = (account(&storage, "owner").await, account(&storage, "other").await);
    let manage = scope::<ManageAccount>(&owner);
    storage.retention_set(&manage, Some(days(1, 2, 3)), NOVEMBER.plus_seconds(1)).await.expect("chosen");
    storage.retention_set(&manage, None, NOVEMBER.plus_seconds(2)).await.expect("chosen");
    let audit = storage.audit_list(&manage.read_account(), 2).await.expect("audit");
    let audit: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    let (chosen, plan) = (format!("account:{} days:1/2/3", owner.id), format!("account:{} days:as the plan", owner.id));
    assert_eq!(audit, [("account.set_retention", plan.as_str()), ("account.set_retention", chosen.as_str())]);
    let kept = storage.retention_for_ingest(&scope::<Ingest>(&other)).await.expect("kept");
    let IngestRetention { retention, folded_before } = kept;
    assert_eq!(retention, Retention::of_plan(Plan::Starter));
    assert!(folded_before <= NOVEMBER.plus_seconds(-3_000_000_000));
    assert_eq!(kept.oldest_metric(NOVEMBER), NOVEMBER.plus_seconds(-31 * 86_400));
    assert_eq!(kept.oldest_record(NOVEMBER), NOVEMBER.plus_seconds(-400 * 86_400));
}
