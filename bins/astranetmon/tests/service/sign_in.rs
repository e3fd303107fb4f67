//! What somebody learns, and costs, who guesses passwords.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, web};
use astranetmon_domain::{Plan, SystemClock, UserRole};
use astranetmon_http::{ApiSettings, ApiState, auth};
use reqwest::Method;
use serde_json::json;

use crate::support::{Caller, Database, Kind, PASSWORD, Server, alone, count};

/// A thousand wrong passwords for Ada, half of them from one address and half from 200: few are looked at, memory stays
/// bounded, and Ada signs in with the browser that she uses.
#[tokio::test]
async fn guesses_are_held_up_and_the_owner_is_not() {
    let _alone = alone().await;
    let database = Database::sqlite();
    let office = database.office().await;
    let account = office.account("home", Plan::Enterprise).await;
    office.person(&account, "ada@example.com", UserRole::Owner).await;
    let key = office.key(&account).await;
    office.close().await;
    let variables = [("ASTRANETMON_TRUSTED_PROXIES", "127.0.0.1"), ("ASTRANETMON_LIMITS_SIGN_INS_PER_MINUTE", "20")];
    let (server, caller) = (Server::start_with(&database, &variables), Caller::new());
    let sign_in = async |address: String, password: &str, cookies: &str| {
        let headers = [("x-forwarded-for", address.as_str()), ("x-forwarded-proto", "https"), ("cookie", cookies)];
        let body = json!({ "email": "ada@example.com", "password": password });
        caller.send_json(&server, Method::POST, "/auth/v1/session", &headers, &body).await
    };
    let owner = sign_in("203.0.113.1".to_owned(), PASSWORD, "").await;
    assert_eq!(owner.status, 201, "{owner:?}");
    let resident = server.resident_bytes();

    let guesses = (0..1_000).map(|number| {
        let address =
            if number % 2 == 0 { "198.51.100.1".to_owned() } else { format!("198.51.101.{}", number / 2 % 200) };
        sign_in(address, "wrong", "")
    });
    let reading = async {
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            let asked = Instant::now();
            assert_eq!(caller.get(&server, "/api/v1/agents", &key.secret).await.status, 200);
            longest = longest.max(asked.elapsed());
        }
        longest
    };
    let (answers, longest) = tokio::join!(futures_util::future::join_all(guesses), reading);
    let evaluated = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((1..=100).contains(&evaluated), "{evaluated} were looked at");
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429 | 503)), "{answers:?}");
    assert!(answers.iter().filter(|answer| answer.status == 429).all(|answer| answer.header("retry-after").is_some()));
    let grown = server.resident_bytes().saturating_sub(resident);
    assert!(grown <= 200 << 20, "{grown} bytes more, twice what four hashes and their callers take");
    assert!(longest < Duration::from_secs(2), "a reader waited {longest:?}");

    let owner = sign_in("203.0.113.1".to_owned(), PASSWORD, &owner.cookies()).await;
    assert_eq!(owner.status, 201, "{owner:?}");
}

/// Further apart than this nobody may find the two; promised is one millisecond, on a machine that does nothing else.
const APART: i64 = 2_000;

/// Known and unknown people, in turns, on the service itself: answers are equal, and so are their times. What is judged
/// is the median of the differences within a turn, to which a busy machine does the same on both sides; there are turns
/// until it is known closely enough to be told from [`APART`], or four times as many as a quiet machine needs.
#[actix_web::test]
async fn a_wrong_password_takes_as_long_as_an_unknown_person() {
    let _alone = alone().await;
    let rounds = count(200, 2_000);
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("home", Plan::Enterprise).await;
        for number in 0..4 * rounds {
            office.person_without_password(&account, &format!("known-{number}@example.com")).await;
        }
        office.give_all_passwords(&account).await;
        let settings = ApiSettings { sign_ins_per_minute: std::num::NonZeroU32::MAX, ..ApiSettings::default() };
        let state = ApiState::new(Arc::clone(&office.storage), Arc::new(SystemClock), settings).await.expect("a state");
        let app = init_service(App::new().service(auth(web::Data::new(state)))).await;
        let mut differences = Vec::new();
        let mut bodies = Vec::new();
        for number in 0..4 * rounds {
            let mut times = [0, 0];
            // Each goes first as often as the other.
            for index in [number % 2, (number + 1) % 2] {
                let who = ["known", "other"][index];
                let request = TestRequest::post()
                    .uri("/auth/v1/session")
                    .peer_addr("127.0.0.1:50000".parse().expect("an address"))
                    .insert_header(("host", "localhost"))
                    .set_json(json!({ "email": format!("{who}-{number}@example.com"), "password": "wrong" }))
                    .to_request();
                let began = Instant::now();
                let answer = app.call(request).await.expect("an answer");
                times[index] = i64::try_from(began.elapsed().as_micros()).expect("not for ever");
                let (status, mut headers) = (answer.status(), answer.headers().clone());
                headers.remove("x-request-id");
                let body = to_bytes(answer.into_body()).await.expect("a body");
                bodies.push(format!("{status} {headers:?} {body:?}"));
            }
            differences.push(times[0] - times[1]);
            if differences.len().is_multiple_of(rounds) {
                let [least, median, most] = median_within(&mut differences);
                println!("{kind:?}: {} turns, {median} us apart, surely {least} to {most}", differences.len());
                if least > -APART && most < APART {
                    break;
                }
                let is_surely_apart = least >= APART || most <= -APART;
                assert!(!is_surely_apart, "{kind:?}: known people take {median} us more ({least} to {most})");
            }
        }
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "{kind:?}: {bodies:#?}");
        assert!(bodies[0].starts_with("401"), "{bodies:?}");
        let [_, median, _] = median_within(&mut differences);
        assert!(median.abs() < APART, "{kind:?}: known people take {median} us more");
        office.close().await;
    }
}

/// The median, and between which values it lies 999 times in 1,000, whatever the numbers are distributed like: as many
/// of them lie below it as heads come in so many throws of a coin.
fn median_within(numbers: &mut [i64]) -> [i64; 3] {
    numbers.sort_unstable();
    let middle = numbers.len() / 2;
    // 3.29 standard deviations, each half of the root of the count.
    let aside = numbers.len().isqrt() * 33 / 20;
    [middle.saturating_sub(aside), middle, (middle + aside).min(numbers.len() - 1)].map(|at| numbers[at])
}
