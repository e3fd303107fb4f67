//! Enrolment tokens and their exchange.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use astranetmon_auth::{AgentToken, EnrolmentRecord, EnrolmentState, EnrolmentToken, NewEnrolment};
use astranetmon_domain::{Account, Agent, AgentFacts, EnrolmentId, EnrolmentTerms, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::agents::add;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{AuditEntry, EnrolRequest, Enrolled, Storage, StorageError};

fn generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// For a day from November on.
fn terms(id: Option<&str>, max_uses: u32) -> EnrolmentTerms {
    let ends_at = NOVEMBER.plus_seconds(86_400);
    EnrolmentTerms::new("rack 7", id.map(agent_id), labels(&[("rack", "7")]), max_uses, ends_at, NOVEMBER)
        .expect("within the bounds")
}

/// Makes a token on these terms.
pub(super) async fn offer(
    storage: &Arc<dyn Storage>,
    owner: &Account,
    seed: u64,
    id: Option<&str>,
    max_uses: u32,
) -> (EnrolmentToken, EnrolmentRecord) {
    let token = EnrolmentToken::generate(&mut generator(seed));
    let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms: terms(id, max_uses) };
    let record = storage.enrolment_create(&scope(owner), &new, NOVEMBER).await.expect("a new token");
    (token, record)
}

/// What an agent of that host hands in, and the token that it wants.
pub(super) fn request(seed: u64, asked: Option<&str>, hostname: &str) -> (AgentToken, EnrolRequest) {
    let token = AgentToken::generate(&mut generator(1_000_000 + seed));
    let request = EnrolRequest {
        asked_id: asked.map(agent_id),
        facts: AgentFacts {
            hostname: hostname.to_owned(),
            os: Some("Debian".to_owned()),
            interval_seconds: Some(10),
            ..AgentFacts::default()
        },
        public_ip: Some("198.51.100.1".to_owned()),
        token_hash: token.hash(),
        token_hint: token.hint(),
    };
    (token, request)
}

/// Enrols an agent of that id.
pub(super) async fn enroll(storage: &Arc<dyn Storage>, owner: &Account, seed: u64, id: &str) -> AgentToken {
    let (enrolment, _) = offer(storage, owner, seed, None, 1).await;
    let (token, request) = request(seed, Some(id), "host");
    let enrolled = storage.agent_enroll(&enrolment.hash(), &request, NOVEMBER).await.expect("answered");
    assert_eq!(enrolled, there(owner, id));
    token
}

fn there(owner: &Account, id: &str) -> Enrolled {
    Enrolled::Agent { account_id: owner.id, account_name: owner.name.clone(), agent_id: agent_id(id) }
}

async fn find(storage: &Arc<dyn Storage>, owner: &Account, id: &str) -> Option<Agent> {
    storage.agent_find(&scope(owner), &agent_id(id)).await.expect("answered")
}

async fn only(storage: &Arc<dyn Storage>, owner: &Account) -> EnrolmentRecord {
    let mut listed = storage.enrolment_list(&scope(owner)).await.expect("listed");
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

/// The agent has the facts, the labels and the address; its token is found and belongs to it; the enrolment shows it.
pub async fn an_enrolment_token_brings_an_agent(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (enrolment, made) = offer(&storage, &owner, 1, None, 2).await;
    assert_eq!(only(&storage, &owner).await, made);
    assert_eq!((made.use_count, made.state(NOVEMBER)), (0, EnrolmentState::Live));
    assert_eq!(made.terms, terms(None, 2));
    let at = NOVEMBER.plus_seconds(60);
    for (seed, id) in [(1, "web.example.com"), (2, "web.example.com-2")] {
        let (token, request) = request(seed, None, "web.example.com");
        assert_eq!(storage.agent_token_find(&token.hash()).await.expect("answered"), None);
        let enrolled = storage.agent_enroll(&enrolment.hash(), &request, at).await.expect("answered");
        assert_eq!(enrolled, there(&owner, id));
        let principal = storage.agent_token_find(&token.hash()).await.expect("answered").expect("an agent");
        assert_eq!((principal.account_id, principal.agent_id), (owner.id, agent_id(id)));
        let expected = Agent {
            id: agent_id(id),
            facts: request.facts.clone(),
            name: None,
            last_seen_at: None,
            created_at: at,
            disabled_at: None,
            public_ip: request.public_ip.clone(),
            labels: labels(&[("rack", "7")]),
        };
        assert_eq!(find(&storage, &owner, id).await, Some(expected));
    }
    let used = only(&storage, &owner).await;
    assert_eq!((used.use_count, used.last_used_at), (2, Some(at)));
    assert_eq!(used.state(at), EnrolmentState::UsedUp);
}

/// Twenty come with it at once, each of a host of its own.
pub async fn of_many_at_once_one_uses_a_single_use_token(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (enrolment, _) = offer(&storage, &owner, 1, None, 1).await;
    let enrolled = all_at_once(&storage, &enrolment, 20, |n| format!("host-{n}")).await;
    let agents = enrolled.iter().filter(|enrolled| matches!(enrolled, Enrolled::Agent { .. })).count();
    let refused = enrolled.iter().filter(|enrolled| **enrolled == Enrolled::Refused).count();
    assert_eq!((agents, refused), (1, 19));
    assert_eq!(storage.agent_page(&scope(&owner), None, None).await.expect("agents").total, 1);
    assert_eq!(only(&storage, &owner).await.use_count, 1);
}

async fn all_at_once(
    storage: &Arc<dyn Storage>,
    enrolment: &EnrolmentToken,
    many: u64,
    hostname: impl Fn(u64) -> String,
) -> Vec<Enrolled> {
    let tasks: Vec<_> = (0..many)
        .map(|n| {
            let (storage, hash, (_, request)) = (Arc::clone(storage), enrolment.hash(), request(n, None, &hostname(n)));
            tokio::spawn(async move { storage.agent_enroll(&hash, &request, NOVEMBER).await.expect("answered") })
        })
        .collect();
    let mut enrolled = Vec::new();
    for task in tasks {
        enrolled.push(task.await.expect("no panic"));
    }
    enrolled
}

/// Hosts of one name that come at once.
pub async fn many_at_once_get_ids_of_their_own(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (enrolment, _) = offer(&storage, &owner, 1, None, 20).await;
    let enrolled = all_at_once(&storage, &enrolment, 20, |_| "localhost".to_owned()).await;
    let ids: BTreeSet<String> = enrolled
        .iter()
        .filter_map(|enrolled| match enrolled {
            Enrolled::Agent { agent_id, .. } => Some(agent_id.to_string()),
            Enrolled::Refused | Enrolled::Taken => None,
        })
        .collect();
    let expected: BTreeSet<String> =
        std::iter::once("localhost".to_owned()).chain((2..=20).map(|n| format!("localhost-{n}"))).collect();
    assert_eq!(ids, expected);
}

/// Unknown, expired, used up, revoked: all the same, and nothing is written.
pub async fn dead_enrolment_tokens_are_refused(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let enroll = async |token: &EnrolmentToken, now: Timestamp| {
        let (_, request) = request(9, None, "late");
        storage.agent_enroll(&token.hash(), &request, now).await.expect("answered")
    };
    assert_eq!(enroll(&EnrolmentToken::generate(&mut generator(9)), NOVEMBER).await, Enrolled::Refused);
    let (expired, _) = offer(&storage, &owner, 1, None, 5).await;
    assert_eq!(enroll(&expired, NOVEMBER.plus_seconds(86_400)).await, Enrolled::Refused);
    let (revoked, record) = offer(&storage, &owner, 2, None, 5).await;
    let manage = scope(&owner);
    assert!(storage.enrolment_revoke(&manage, record.id, NOVEMBER).await.expect("answered"));
    assert!(!storage.enrolment_revoke(&manage, record.id, NOVEMBER.plus_seconds(1)).await.expect("answered"));
    assert!(!storage.enrolment_revoke(&manage, EnrolmentId(1 << 40), NOVEMBER).await.expect("answered"));
    assert_eq!(enroll(&revoked, NOVEMBER).await, Enrolled::Refused);
    let (used_up, _) = offer(&storage, &owner, 3, None, 1).await;
    let (_, first) = request(1, None, "first");
    assert_eq!(
        storage.agent_enroll(&used_up.hash(), &first, NOVEMBER).await.expect("answered"),
        there(&owner, "first")
    );
    assert_eq!(enroll(&used_up, NOVEMBER).await, Enrolled::Refused);
    assert_eq!(find(&storage, &owner, "late").await, None);
}

/// The second who asks for an id does not get it, nor does it use the token up.
pub async fn an_asked_id_is_taken_once(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (enrolment, _) = offer(&storage, &owner, 1, None, 2).await;
    let (first_token, first) = request(1, Some("web-1"), "one");
    let (_, second) = request(2, Some("web-1"), "two");
    let (_, third) = request(3, Some("web-2"), "two");
    for (request, expected) in
        [(&first, there(&owner, "web-1")), (&second, Enrolled::Taken), (&third, there(&owner, "web-2"))]
    {
        assert_eq!(storage.agent_enroll(&enrolment.hash(), request, NOVEMBER).await.expect("answered"), expected);
    }
    assert_eq!(find(&storage, &owner, "web-1").await.expect("there").facts.hostname, "one");
    assert!(storage.agent_token_find(&first_token.hash()).await.expect("answered").is_some());
}

/// The former token ends, the facts are new, what a person gave stays.
pub async fn an_agent_is_enrolled_anew_by_a_token_of_its_own(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let former = enroll(&storage, &owner, 1, "web-1").await;
    let edit = crate::AgentEdit { name: Some(Some("front".to_owned())), labels: Some(labels(&[("site", "ber")])) };
    assert!(storage.agent_edit(&scope(&owner), &agent_id("web-1"), &edit, NOVEMBER).await.expect("answered"));
    let (enrolment, _) = offer(&storage, &owner, 2, Some("web-1"), 1).await;
    // Whatever it asks for.
    let (token, request) = request(2, Some("elsewhere"), "renamed");
    let enrolled = storage.agent_enroll(&enrolment.hash(), &request, NOVEMBER).await.expect("answered");
    assert_eq!(enrolled, there(&owner, "web-1"));
    assert_eq!(storage.agent_token_find(&former.hash()).await.expect("answered"), None);
    let principal = storage.agent_token_find(&token.hash()).await.expect("answered").expect("an agent");
    assert_eq!(principal.agent_id, agent_id("web-1"));
    let agent = find(&storage, &owner, "web-1").await.expect("there");
    assert_eq!((agent.facts.hostname.as_str(), agent.name.as_deref()), ("renamed", Some("front")));
    assert_eq!(agent.labels, labels(&[("rack", "7"), ("site", "ber")]));
    assert_eq!(find(&storage, &owner, "elsewhere").await, None);
}

/// Those that are revoked, used up or expired do not count.
pub async fn a_hundred_live_enrolment_tokens_are_the_bound(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let most = EnrolmentRecord::MAX_LIVE_PER_ACCOUNT as u64;
    let mut records = Vec::new();
    for seed in 0..most {
        records.push(offer(&storage, &owner, seed, None, 1).await);
    }
    let create = async |seed: u64, now: Timestamp| {
        let token = EnrolmentToken::generate(&mut generator(seed));
        let terms =
            EnrolmentTerms::new("x", None, BTreeMap::new(), 1, now.plus_seconds(60), now).expect("within the bounds");
        let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms };
        storage.enrolment_create(&scope(&owner), &new, now).await
    };
    assert!(matches!(create(most, NOVEMBER).await, Err(StorageError::TooMany { most: 100, .. })));
    assert!(storage.enrolment_revoke(&scope(&owner), records[0].1.id, NOVEMBER).await.expect("answered"));
    create(most, NOVEMBER).await.expect("one is revoked");
    let (_, request) = request(1, None, "host");
    storage.agent_enroll(&records[1].0.hash(), &request, NOVEMBER).await.expect("answered");
    create(most + 1, NOVEMBER).await.expect("one is used up");
    assert!(create(most + 2, NOVEMBER).await.is_err());
    let later = NOVEMBER.plus_seconds(86_400);
    create(most + 2, later).await.expect("all others have ended");
    let listed = storage.enrolment_list(&scope(&owner)).await.expect("listed");
    assert_eq!((listed.len() as u64, listed[0].created_at), (most + 3, later));
    let newest_first = |pair: &[EnrolmentRecord]| (pair[0].created_at, pair[0].id) > (pair[1].created_at, pair[1].id);
    assert!(listed.windows(2).all(newest_first));
}

/// Neither listed nor revoked by another account, and an agent comes to the account of its token.
pub async fn enrolment_tokens_of_accounts_are_apart(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let (enrolment, record) = offer(&storage, &owner, 1, None, 1).await;
    assert_eq!(storage.enrolment_list(&scope(&stranger)).await.expect("listed"), []);
    assert!(!storage.enrolment_revoke(&scope(&stranger), record.id, NOVEMBER).await.expect("answered"));
    add(&storage, &stranger, "web", "web").await;
    let (_, request) = request(1, Some("web"), "web");
    let enrolled = storage.agent_enroll(&enrolment.hash(), &request, NOVEMBER).await.expect("answered");
    assert_eq!(enrolled, there(&owner, "web"));
    assert!(find(&storage, &owner, "web").await.is_some());
}

/// Who did what to which token; the exchange names the token as its actor.
pub async fn what_is_done_to_enrolments_is_audited(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (enrolment, record) = offer(&storage, &owner, 1, None, 2).await;
    let (_, request) = request(1, None, "web");
    let at = NOVEMBER.plus_seconds(1);
    storage.agent_enroll(&enrolment.hash(), &request, at).await.expect("answered");
    storage.enrolment_revoke(&scope(&owner), record.id, at.plus_seconds(1)).await.expect("answered");
    let enrolment = format!("enrolment:{}", record.id);
    let entry = |at: Timestamp, actor: &str, action: &str, object: &str| AuditEntry {
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
    };
    let mut entries = storage.audit_list(&scope(&owner), 10).await.expect("listed");
    entries.retain(|entry| entry.action != "account.create");
    assert_eq!(
        entries,
        [
            entry(at.plus_seconds(1), "system:conformance", "enrolment.revoke", &enrolment),
            entry(at, &enrolment, "agent.enroll", "agent:web"),
            entry(NOVEMBER, "system:conformance", "enrolment.create", &enrolment),
        ]
    );
}
