//! Nothing of one account reaches another, whatever its key names.

use astranetmon_domain::{Plan, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::support::{Answer, Caller, Database, Kind, Server, alone, count, fleet, now, record_id, setting};

const ACCOUNTS: usize = 50;
/// Every account has agents of these names.
const SHARED_AGENTS: [&str; 3] = ["web-1", "web-2", "db"];
const LISTS: [&str; 4] = ["agents", "metrics", "speedtests", "traceroutes"];

struct Tenant {
    key: String,
    /// In every text of its records.
    canary: String,
    /// An agent that no other account has.
    own_agent: String,
    metrics: usize,
    /// Of its first speed test; its first traceroute lies [`Tenant::few`] behind.
    first_id: u64,
    /// What leads its own callers to the second page of each list.
    next: Vec<String>,
}

impl Tenant {
    fn agents(&self) -> [&str; 4] {
        let [a, b, c] = SHARED_AGENTS;
        [a, b, c, &self.own_agent]
    }

    /// Speed tests of each agent, and traceroutes.
    fn few(&self) -> usize {
        self.metrics.div_ceil(10)
    }

    fn records(&self, list: &str) -> usize {
        if list == "metrics" { self.metrics } else { self.few() }
    }
}

async fn tenants(database: &Database, until: Timestamp) -> Vec<Tenant> {
    let office = database.office().await;
    let mut tenants = Vec::new();
    for number in 0..ACCOUNTS {
        let account = office.account(&format!("tenant {number}"), Plan::Enterprise).await;
        let tenant = Tenant {
            key: office.key(&account).await.secret,
            canary: format!("canary-{number:04}x"),
            own_agent: format!("own-{number:04}"),
            metrics: 11 + number % 17,
            first_id: 1_000 * (number as u64 + 1),
            next: Vec::new(),
        };
        fleet(&office, &account, &tenant.agents(), tenant.metrics, until, &tenant.canary, tenant.first_id).await;
        tenants.push(tenant);
    }
    office.close().await;
    tenants
}

/// What an answer's sender can be recognised by, without what differs between any two answers.
fn comparable(answer: &Answer) -> (u16, &str, HeaderMap) {
    let mut headers = answer.headers.clone();
    // A tag is of the request as well as of the answer, and knows nothing of other accounts.
    for name in ["date", "x-request-id", "etag", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        headers.remove(name);
    }
    (answer.status, &answer.body, headers)
}

fn check_no_other(tenant: &Tenant, path: &str, answer: &Answer) {
    let text = format!("{:?} {}", answer.headers, answer.body);
    for (at, _) in text.match_indices("canary-") {
        assert!(text[at..].starts_with(&tenant.canary), "{path}: of another account: {text}");
    }
    for (at, _) in answer.body.match_indices("\"own-") {
        assert!(answer.body[at + 1..].starts_with(&tenant.own_agent), "{path}: of another account: {text}");
    }
}

/// A page of a list with exactly the records that are this account's.
fn check_list(tenant: &Tenant, path: &str, list: &str, answer: &Answer, expected_total: usize, limit: usize) {
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    let body = answer.json();
    assert_eq!(body["total"], Value::from(expected_total), "{path}");
    let rows = body[list].as_array().expect("rows");
    assert_eq!(rows.len(), expected_total.min(limit), "{path}");
    for row in rows {
        let agent = row[if list == "agents" { "id" } else { "agent_id" }].as_str().expect("an agent");
        assert!(tenant.agents().contains(&agent), "{path}: {agent}");
    }
}

struct Stage {
    caller: Caller,
    server: Server,
    tenants: Vec<Tenant>,
    until: Timestamp,
}

impl Stage {
    async fn get(&self, tenant: &Tenant, path: &str) -> Answer {
        let answer = self.caller.get(&self.server, path, &tenant.key).await;
        check_no_other(tenant, path, &answer);
        answer
    }

    /// A list, filtered at random, by an agent of this account or of another.
    async fn list(&self, rng: &mut StdRng, tenant: &Tenant, other: &Tenant) {
        let list = *LISTS.choose(rng).expect("some");
        let limit = rng.random_range(1..=60_usize);
        if list == "agents" {
            let path = format!("/api/v1/agents?limit={limit}");
            check_list(tenant, &path, list, &self.get(tenant, &path).await, tenant.agents().len(), limit);
            return;
        }
        let agents = tenant.agents();
        let asked = match rng.random_range(0..4) {
            0 => None,
            1 => Some(other.own_agent.as_str()),
            _ => Some(*agents.choose(rng).expect("some")),
        };
        let (start, end) = (rng.random_range(-5..40_i64), rng.random_range(-5..40_i64));
        let at = |minutes_ago: i64| self.until.plus_seconds(-60 * minutes_ago);
        let (start_date, end_date) = (at(start), at(end));
        let mut path = format!("/api/v1/{list}?start_date={start_date}&end_date={end_date}&limit={limit}");
        if let Some(asked) = asked {
            path.push_str(&format!("&agent_id={asked}"));
        }
        let within = (0..tenant.records(list)).filter(|&minutes| {
            let timestamp = at(i64::try_from(minutes).expect("few"));
            start_date <= timestamp && timestamp < end_date
        });
        let matching_agents = agents.iter().filter(|agent| asked.is_none_or(|asked| asked == **agent)).count();
        let expected = within.count() * matching_agents;
        check_list(tenant, &path, list, &self.get(tenant, &path).await, expected, limit);
    }

    /// The same request, once with something of another account and once with something that nobody has.
    async fn same_answer(&self, tenant: &Tenant, foreign: &str, unknown: &str, status: u16) {
        let (foreign_answer, unknown_answer) = (self.get(tenant, foreign).await, self.get(tenant, unknown).await);
        assert_eq!(foreign_answer.status, status, "{foreign}: {foreign_answer:?}");
        assert_eq!(comparable(&foreign_answer), comparable(&unknown_answer), "{foreign} and {unknown} differ");
    }

    async fn foreign_agent(&self, rng: &mut StdRng, tenant: &Tenant, other: &Tenant) {
        let (foreign, unknown) = (&other.own_agent, "own-none");
        if rng.random() {
            let path = |agent: &str| format!("/api/v1/agents/{agent}");
            self.same_answer(tenant, &path(foreign), &path(unknown), 404).await;
        } else {
            let list = LISTS[rng.random_range(1..4)];
            let path = |agent: &str| format!("/api/v1/{list}?agent_id={agent}");
            self.same_answer(tenant, &path(foreign), &path(unknown), 200).await;
            assert_eq!(self.get(tenant, &path(foreign)).await.body, format!("{{\"{list}\":[],\"total\":0}}"));
        }
    }

    async fn record(&self, rng: &mut StdRng, tenant: &Tenant, other: &Tenant) {
        let (kind, offset) = *[("speedtests", 0), ("traceroutes", 1)].choose(rng).expect("some");
        let path = |number: u64| format!("/api/v1/{kind}/{}", record_id(number));
        let first = |owner: &Tenant| owner.first_id + offset * owner.few() as u64;
        self.same_answer(tenant, &path(first(other)), &path(999_999_999), 404).await;
        let own = self.get(tenant, &path(first(tenant))).await;
        assert!(own.status == 200 && own.body.contains(&tenant.canary), "{own:?}");
    }

    async fn foreign_cursor(&self, rng: &mut StdRng, tenant: &Tenant, other: &Tenant) {
        let path = other.next.choose(rng).expect("some");
        let answer = self.get(tenant, path).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        let (before, cursor) = path.split_once("cursor=").expect("a cursor");
        let garbled: String = cursor.chars().rev().collect();
        let garbled = self.get(tenant, &format!("{before}cursor={garbled}")).await;
        assert_eq!(comparable(&answer), comparable(&garbled), "{path}");
    }
}

/// The path behind `rel="next"`.
fn next_of(answer: &Answer) -> String {
    let link = answer.header("link").expect("a next page");
    let (target, relation) = link.strip_prefix('<').and_then(|link| link.split_once('>')).expect("a link");
    assert_eq!(relation, "; rel=\"next\"");
    target.to_owned()
}

async fn nothing_leaks(kind: Kind) {
    let _alone = alone().await;
    let seed = setting("ASTRANETMON_TEST_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("ASTRANETMON_TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Database::new(kind).await;
    let until = Timestamp::from_seconds(now().as_seconds());
    let tenants = tenants(&database, until).await;
    let mut stage = Stage { caller: Caller::new(), server: Server::start(&database), tenants, until };
    for number in 0..ACCOUNTS {
        for list in LISTS {
            let path = format!("/api/v1/{list}?limit=2");
            let next = next_of(&stage.get(&stage.tenants[number], &path).await);
            let owner = &stage.tenants[number];
            assert_eq!(stage.get(owner, &next).await.status, 200, "{next}");
            stage.tenants[number].next.push(next);
        }
    }
    for _ in 0..count(1_000, 10_000) {
        let number = rng.random_range(0..ACCOUNTS);
        let (tenant, other) =
            (&stage.tenants[number], &stage.tenants[(number + rng.random_range(1..ACCOUNTS)) % ACCOUNTS]);
        match rng.random_range(0..10) {
            0..5 => stage.list(&mut rng, tenant, other).await,
            5..7 => stage.foreign_agent(&mut rng, tenant, other).await,
            7..9 => stage.record(&mut rng, tenant, other).await,
            _ => stage.foreign_cursor(&mut rng, tenant, other).await,
        }
    }
    stage.server.stop().await;
}

#[tokio::test]
async fn no_row_count_or_cursor_of_another_account_shows_on_sqlite() {
    nothing_leaks(Kind::Sqlite).await;
}

#[tokio::test]
async fn no_row_count_or_cursor_of_another_account_shows_on_postgresql() {
    nothing_leaks(Kind::Postgres).await;
}
