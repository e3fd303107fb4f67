//! People's passwords and sessions.

use std::sync::Arc;

use astranetmon_auth::{
    ManageAccount, NewSession, OwnUser, PasswordHash, Scope, SessionHash, SessionRecord, SessionToken,
};
use astranetmon_domain::{Account, SessionId, Timestamp, User, UserId, UserRole};

use super::{NOVEMBER, OPERATOR, account, scope};
use crate::{NewUser, Storage};

async fn person(storage: &Arc<dyn Storage>, owner: &Account, email: &str) -> User {
    let new = NewUser { email: email.parse().expect("an address"), role: UserRole::Admin };
    storage.user_create(&scope(owner), &new, NOVEMBER).await.expect("a user")
}

fn new_session(user_id: UserId) -> NewSession {
    NewSession {
        hash: SessionToken::generate(&mut rand::rng()).hash(),
        user_id,
        address: Some("192.0.2.1".to_owned()),
        user_agent: Some("Browser/1".to_owned()),
    }
}

async fn begin(storage: &Arc<dyn Storage>, user: &User, now: Timestamp) -> (SessionHash, SessionRecord) {
    let new = new_session(user.id);
    let record = storage.session_create(&OPERATOR, &new, now).await.expect("stored").expect("a session");
    (new.hash, record)
}

async fn find(storage: &Arc<dyn Storage>, hash: &SessionHash) -> Option<(SessionRecord, User)> {
    storage.session_find_by_hash(hash).await.expect("looked up")
}

async fn listed(storage: &Arc<dyn Storage>, user: &User, now: Timestamp) -> Vec<SessionId> {
    let own: Scope<OwnUser> = Scope::system(user.account_id, "conformance");
    let sessions = storage.session_list(&own, user.id, now).await.expect("listed");
    sessions.into_iter().map(|session| session.id).collect()
}

/// The hash leads to the session and its person; another hash leads nowhere.
pub async fn a_session_is_found_by_its_hash_with_its_person(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let ada = person(&storage, &owner, "ada@example.com").await;
    let (hash, record) = begin(&storage, &ada, NOVEMBER).await;
    assert_eq!((record.user_id, record.account_id), (ada.id, owner.id));
    assert_eq!((record.created_at, record.last_seen_at), (NOVEMBER, NOVEMBER));
    assert_eq!((record.address.as_deref(), record.user_agent.as_deref()), (Some("192.0.2.1"), Some("Browser/1")));
    assert_eq!(find(&storage, &hash).await, Some((record, ada)));
    assert_eq!(find(&storage, &new_session(UserId(1)).hash).await, None);
    let of_nobody = storage.session_create(&OPERATOR, &new_session(UserId(4_711)), NOVEMBER).await;
    assert_eq!(of_nobody.expect("no error"), None);
}

/// The last request only moves forward; what has ended by itself is not listed, and forgotten by a sweep.
pub async fn a_session_moves_forward_and_ends_by_itself(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let ada = person(&storage, &owner, "ada@example.com").await;
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let (idle, first) = begin(&storage, &ada, NOVEMBER).await;
    let (busy, second) = begin(&storage, &ada, at(10)).await;
    for seen in [1_000, 500] {
        storage.session_seen(&OPERATOR, second.id, at(seen)).await.expect("moved");
    }
    assert_eq!(find(&storage, &busy).await.expect("there").0.last_seen_at, at(1_000));
    for (now, expected) in
        [(1_799, vec![second.id, first.id]), (1_800, vec![second.id]), (2_799, vec![second.id]), (2_800, Vec::new())]
    {
        assert_eq!(listed(&storage, &ada, at(now)).await, expected, "{now}");
    }
    assert_eq!(storage.session_sweep(&OPERATOR, at(1_799)).await.expect("swept"), 0);
    assert_eq!(storage.session_sweep(&OPERATOR, at(1_800)).await.expect("swept"), 1);
    assert!(find(&storage, &idle).await.is_none() && find(&storage, &busy).await.is_some());
    storage.session_seen(&OPERATOR, second.id, at(43_205)).await.expect("moved");
    assert_eq!(listed(&storage, &ada, at(43_209)).await, [second.id]);
    assert_eq!(listed(&storage, &ada, at(43_210)).await, []);
    assert_eq!(storage.session_sweep(&OPERATOR, at(43_210)).await.expect("swept"), 1);
}

/// Neither another person's nor another account's.
pub async fn a_person_ends_only_sessions_of_their_own(storage: Arc<dyn Storage>) {
    let (owner, other) = (account(&storage, "owner").await, account(&storage, "other").await);
    let ada = person(&storage, &owner, "ada@example.com").await;
    let bob = person(&storage, &owner, "bob@example.com").await;
    let (hash, session) = begin(&storage, &ada, NOVEMBER).await;
    let end = async |account: &Account, user: &User| {
        storage.session_end(&scope(account), user.id, session.id, NOVEMBER).await.expect("no error")
    };
    assert!(!end(&owner, &bob).await && !end(&other, &ada).await);
    assert_eq!(listed(&storage, &bob, NOVEMBER).await, []);
    assert!(find(&storage, &hash).await.is_some());
    assert!(end(&owner, &ada).await && !end(&owner, &ada).await);
    assert!(find(&storage, &hash).await.is_none());
}

/// The password is found by the address, and whoever was signed in with the one before no longer is.
pub async fn a_new_password_ends_all_sessions(storage: Arc<dyn Storage>) {
    let (owner, other) = (account(&storage, "owner").await, account(&storage, "other").await);
    let ada = person(&storage, &owner, "ada@example.com").await;
    let bob = person(&storage, &owner, "bob@example.com").await;
    let password = async |user: &User| {
        let found = storage.user_find_to_sign_in(&OPERATOR, &user.email).await.expect("found").expect("there");
        assert_eq!(&found.0, user);
        found.1
    };
    assert_eq!(password(&ada).await, None);
    let ((of_ada, _), (of_bob, _)) = (begin(&storage, &ada, NOVEMBER).await, begin(&storage, &bob, NOVEMBER).await);
    let hash = PasswordHash::from_stored("$argon2id$1".to_owned());
    let set = async |account: &Account, user: &User| {
        storage.user_set_password(&scope(account), user.id, &hash, NOVEMBER).await.expect("no error")
    };
    assert_eq!(set(&other, &ada).await, None);
    assert_eq!((password(&ada).await, find(&storage, &of_ada).await.is_some()), (None, true));
    assert_eq!(set(&owner, &ada).await, Some(ada.clone()));
    assert_eq!((password(&ada).await, password(&bob).await), (Some(hash.clone()), None));
    assert!(find(&storage, &of_ada).await.is_none() && find(&storage, &of_bob).await.is_some());
    let own: Scope<OwnUser> = scope(&owner);
    let changed = PasswordHash::from_stored("$argon2id$2".to_owned());
    let change = async |account: &Account| {
        storage.user_change_password(&scope(account), bob.id, &changed, NOVEMBER).await.expect("no error")
    };
    assert_eq!((change(&other).await, find(&storage, &of_bob).await.is_some()), (None, true));
    assert_eq!((change(&owner).await, password(&bob).await), (Some(bob.clone()), Some(changed.clone())));
    assert!(find(&storage, &of_bob).await.is_none());
    assert_eq!(storage.session_list(&own, bob.id, NOVEMBER).await.expect("listed"), []);
    let nobody = "nobody@example.com".parse().expect("an address");
    assert_eq!(storage.user_find_to_sign_in(&OPERATOR, &nobody).await.expect("no error"), None);
}

/// Their sessions end, none begins, under concurrency too, until they are enabled again.
pub async fn the_disabled_have_no_sessions(storage: Arc<dyn Storage>) {
    let (owner, other) = (account(&storage, "owner").await, account(&storage, "other").await);
    let ada = person(&storage, &owner, "ada@example.com").await;
    let later = NOVEMBER.plus_seconds(9);
    let set = async |account: &Account, disabled, now| {
        let user = storage.user_set_disabled(&scope(account), ada.id, disabled, now).await.expect("no error");
        user.map(|user| user.disabled_at)
    };
    assert_eq!(set(&other, true, NOVEMBER).await, None);
    let mut beginning = Vec::new();
    for _ in 0..10 {
        let (storage, new) = (Arc::clone(&storage), new_session(ada.id));
        beginning.push(tokio::spawn(async move {
            storage.session_create(&OPERATOR, &new, NOVEMBER).await.expect("no error");
            new.hash
        }));
    }
    assert_eq!(set(&owner, true, NOVEMBER).await, Some(Some(NOVEMBER)));
    for beginning in beginning {
        let hash = beginning.await.expect("no panic");
        assert!(find(&storage, &hash).await.is_none());
    }
    assert_eq!(set(&owner, true, later).await, Some(Some(NOVEMBER)), "the first time stays");
    assert_eq!(storage.session_create(&OPERATOR, &new_session(ada.id), later).await.expect("no error"), None);
    assert_eq!(set(&owner, false, later).await, Some(None));
    begin(&storage, &ada, later).await;
}

/// Who did what to whom.
pub async fn what_is_done_to_people_is_audited(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let ada = person(&storage, &owner, "ada@example.com").await;
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let (_, session) = begin(&storage, &ada, at(1)).await;
    storage.session_end(&scope(&owner), ada.id, session.id, at(2)).await.expect("ended");
    let hash = PasswordHash::from_stored("$argon2id$1".to_owned());
    storage.user_set_password(&manage, ada.id, &hash, at(3)).await.expect("set");
    storage.user_set_disabled(&manage, ada.id, true, at(4)).await.expect("disabled");
    storage.user_set_disabled(&manage, ada.id, false, at(5)).await.expect("enabled");
    storage.user_change_password(&scope(&owner), ada.id, &hash, at(6)).await.expect("changed");
    let audit = storage.audit_list(&manage.read_account(), 6).await.expect("audit");
    let (user, session) = (format!("user:{}", ada.id), format!("session:{}", session.id));
    let lines: Vec<_> =
        audit.iter().rev().map(|line| (line.actor.as_str(), line.action.as_str(), line.object.as_str())).collect();
    assert_eq!(
        lines,
        [
            (user.as_str(), "session.create", session.as_str()),
            ("system:conformance", "session.end", &session),
            ("system:conformance", "user.set_password", &user),
            ("system:conformance", "user.disable", &user),
            ("system:conformance", "user.enable", &user),
            ("system:conformance", "user.change_password", &user),
        ]
    );
}
