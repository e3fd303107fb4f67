use std::num::{NonZeroU32, NonZeroUsize};

use actix_web::http::StatusCode;
use serde_json::json;

use super::service::Service;

async fn switched_on() -> Service {
    Service::with(|settings| {
        settings.speedtest_server = true;
        settings.speedtest_concurrency = NonZeroUsize::MIN;
        settings.speedtest_mebibytes = NonZeroU32::new(2).expect("not zero");
    })
    .await
}

#[actix_web::test]
async fn speed_tests_are_off_until_the_operator_switches_them_on() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    for path in ["garbage", "empty", "getIP"] {
        let path = format!("/ingest/v1/speedtest/{path}");
        assert_eq!(service.get(&path, &token).await.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(service.get(&path, "").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(service.post("/ingest/v1/speedtest/empty", &token, &[], "x").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_download_is_of_random_bytes_and_bounded() {
    let service = switched_on().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    for (query, mebibytes) in [("?ckSize=1&r=0.5&cors=true", 1), ("?ckSize=2", 2), ("?ckSize=1024", 2), ("", 2)] {
        let answer = service.get(&format!("/ingest/v1/speedtest/garbage{query}"), &token).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body.len(), mebibytes * 1024 * 1024, "{query}");
        assert!(super::service::gzip(&answer.body[..1024 * 1024]).len() > 1024 * 1024, "it can be compressed");
    }
    for size in ["0", "-1", "x", "1.5", "", "9223372036854775808"] {
        let answer = service.get(&format!("/ingest/v1/speedtest/garbage?ckSize={size}"), &token).await;
        assert_eq!(answer.error(), "Invalid ckSize: it is a number of MiB from 1 upwards, for example ckSize=100");
    }
}

#[actix_web::test]
async fn an_upload_is_thrown_away_and_bounded() {
    let service = switched_on().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let upload = async |bytes: usize| {
        service.post("/ingest/v1/speedtest/empty", &token, &[("content-type", "x/y")], vec![7; bytes]).await
    };
    assert_eq!(upload(2 * 1024 * 1024).await.status, StatusCode::OK);
    let refused = upload(2 * 1024 * 1024 + 1).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.get("/ingest/v1/speedtest/empty", &token).await.body.len(), 0);
    let address = service.get("/ingest/v1/speedtest/getIP", &token).await;
    assert_eq!(address.json(), json!({ "processedString": "0.0.0.0", "rawIspInfo": "" }));
}

#[actix_web::test]
async fn agents_measure_one_after_the_other() {
    let service = switched_on().await;
    let account = service.account("one").await;
    let (first, second) = (service.agent(account, "web-1").await, service.agent(account, "web-2").await);
    let status = async |token: &str| service.get("/ingest/v1/speedtest/garbage?ckSize=1", token).await;
    assert_eq!(status(&first).await.status, StatusCode::OK);
    let busy = status(&second).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, Some("30")));
    assert_eq!(status(&first).await.status, StatusCode::OK);
    service.clock.advance_seconds(6);
    assert_eq!(status(&second).await.status, StatusCode::OK);
}
