//! The first owner.

use std::sync::Arc;

use astranetmon_auth::{ManageAccount, PasswordHash, Scope, SetupHash, SetupToken};
use astranetmon_domain::{Plan, UserRole};
use futures_util::future::join_all;

use super::{NOVEMBER, OPERATOR, account};
use crate::{FirstOwner, Setup, Storage};

fn token_hash() -> SetupHash {
    SetupToken::generate(&mut rand::rng()).hash()
}

fn first_owner(email: &str) -> FirstOwner {
    FirstOwner {
        account: "home".parse().expect("a name"),
        plan: Plan::Professional,
        email: email.parse().expect("an address"),
        password: PasswordHash::from_stored("a hash".to_owned()),
    }
}

/// Twenty come with the token at once: one becomes the owner of a new account, with the password, and the others are
/// told that there are people.
pub async fn of_many_at_once_one_becomes_the_first_owner(storage: Arc<dyn Storage>) {
    let hash = token_hash();
    assert!(storage.setup_is_open(&OPERATOR).await.expect("looked up"));
    assert!(storage.setup_offer(&OPERATOR, &hash, NOVEMBER.plus_seconds(60)).await.expect("stored"));
    let comers = (0..20).map(|number| {
        let (storage, owner) = (&storage, first_owner(&format!("owner-{number}@example.com")));
        async move { storage.setup_complete(&OPERATOR, &hash, &owner, NOVEMBER).await.expect("an outcome") }
    });
    let outcomes = join_all(comers).await;
    let done: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Setup::Done(account, user) => Some((account, user)),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Setup::Closed).count(), 19, "{outcomes:?}");
    let [(account, user)] = done[..] else { panic!("{done:?}") };
    assert_eq!((account.name.as_str(), account.plan), ("home", Plan::Professional));
    assert_eq!((user.role, user.account_id), (UserRole::Owner, account.id));
    let (_, password) =
        storage.user_find_to_sign_in(&OPERATOR, &user.email).await.expect("looked up").expect("a person");
    assert_eq!(password, Some(PasswordHash::from_stored("a hash".to_owned())));
    assert!(!storage.setup_is_open(&OPERATOR).await.expect("looked up"));
    assert!(!storage.setup_offer(&OPERATOR, &token_hash(), NOVEMBER.plus_seconds(60)).await.expect("looked up"));
    let scope: Scope<ManageAccount> = Scope::system(account.id, "conformance");
    let actions: Vec<_> = storage
        .audit_list(&scope.read_account(), 10)
        .await
        .expect("listed")
        .into_iter()
        .map(|entry| entry.action)
        .collect();
    assert_eq!(actions.len(), 2);
    assert!(actions.contains(&"account.create".to_owned()) && actions.contains(&"user.create".to_owned()));
}

/// Another token, one that a later one replaced, and one whose time is over are refused.
pub async fn only_the_last_token_and_only_in_its_time_makes_the_owner(storage: Arc<dyn Storage>) {
    let (old, new, ends_at) = (token_hash(), token_hash(), NOVEMBER.plus_seconds(60));
    let complete = async |hash, now| {
        let owner = first_owner("owner@example.com");
        storage.setup_complete(&OPERATOR, hash, &owner, now).await.expect("an outcome")
    };
    assert_eq!(complete(&new, NOVEMBER).await, Setup::Refused, "nothing is offered");
    assert!(storage.setup_offer(&OPERATOR, &old, ends_at).await.expect("stored"));
    assert!(storage.setup_offer(&OPERATOR, &new, ends_at).await.expect("stored"));
    assert_eq!(complete(&old, NOVEMBER).await, Setup::Refused);
    let unknown = token_hash();
    assert_eq!(complete(&unknown, NOVEMBER).await, Setup::Refused);
    assert_eq!(complete(&new, ends_at).await, Setup::Refused);
    assert!(storage.setup_is_open(&OPERATOR).await.expect("looked up"));
    // An account that the operator has made is taken as it is.
    let made = account(&storage, "home").await;
    let Setup::Done(account, _) = complete(&new, ends_at.plus_seconds(-1)).await else { panic!("not done") };
    assert_eq!(account, made);
    assert_eq!(complete(&new, NOVEMBER).await, Setup::Closed);
}
