use super::service::{Service, gzip};

const BATCH: &str = "JSON, Content-Type: application/json, plain or with Content-Encoding: gzip or zstd, of at most 4 MiB \
                     as sent and 32 MiB unpacked";
const OBJECT: &str =
    "JSON, Content-Type: application/json, plain or with Content-Encoding: gzip or zstd, of at most 64 KiB";
const METRIC_FORM: &str =
    r#"; send JSON such as {"metrics": [{"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 12.5}]}"#;
const TRACEROUTE_FORM: &str = r#"; send JSON such as {"traceroutes": [{"id": "019ab123-4567-7abc-8def-0123456789ab", "timestamp": "2026-11-23T11:26:58Z", "target": "example.com", "protocol": "icmp", "status": "completed", "hops": []}]}"#;
const HEARTBEAT_FORM: &str = r#"; for example {"facts": {"hostname": "web-1"}, "interval_seconds": 10}"#;
const ENROLL_FORM: &str = r#"; for example {"token": "astra_enroll_…", "facts": {"hostname": "web-1"}}"#;

#[actix_web::test]
async fn every_bad_request_gets_its_status_and_sentence() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let too_large = |accepted: &str| format!("Request body too large: this path takes {accepted}");
    let unsupported = |accepted: &str| format!("Unsupported media type: this path takes {accepted}");
    let plain: &[(&str, &str)] = &[];
    let text: &[(&str, &str)] = &[("content-type", "text/plain")];
    let (as_gzip, as_zstd): (&[_], &[_]) = (&[("content-encoding", "gzip")], &[("content-encoding", "zstd")]);
    let spaces = vec![b' '; 4 * 1024 * 1024 + 1];
    let bomb = gzip(&vec![b' '; 32 * 1024 * 1024 + 1]);
    let rows = format!(r#"{{"metrics": [{}]}}"#, vec!["{}"; 10_001].join(","));
    let metrics = "/ingest/v1/metrics";
    for (path, headers, body, status, sentence) in [
        (
            metrics,
            plain,
            &b""[..],
            400,
            format!("Invalid body: EOF while parsing a value at line 1 column 0{METRIC_FORM}"),
        ),
        (metrics, plain, b"{}", 400, format!("Invalid body: missing field `metrics` at line 1 column 2{METRIC_FORM}")),
        (
            metrics,
            plain,
            b"[]",
            400,
            format!(
                "Invalid body: invalid type: sequence, expected an object with the list \"metrics\" at line 1 column 0{METRIC_FORM}"
            ),
        ),
        (
            metrics,
            plain,
            b"{\"metrics\": [}",
            400,
            format!("Invalid body: expected value at line 1 column 14{METRIC_FORM}"),
        ),
        (
            "/ingest/v1/traceroutes",
            plain,
            b"{\"metrics\": []}",
            400,
            format!("Invalid body: missing field `traceroutes` at line 1 column 15{TRACEROUTE_FORM}"),
        ),
        (
            metrics,
            as_gzip,
            b"{\"metrics\": []}",
            400,
            "Damaged body: it is not gzip as Content-Encoding says, send it again or without Content-Encoding"
                .to_owned(),
        ),
        (
            metrics,
            as_zstd,
            b"{\"metrics\": []}",
            400,
            "Damaged body: it is not zstd as Content-Encoding says, send it again or without Content-Encoding"
                .to_owned(),
        ),
        (
            "/ingest/v1/metrics?precision=s",
            plain,
            b"{\"metrics\": []}",
            400,
            "Unknown parameter: this path takes none, for example send it without a query".to_owned(),
        ),
        (metrics, plain, &spaces, 413, too_large(BATCH)),
        (metrics, as_gzip, &bomb, 413, too_large(BATCH)),
        (metrics, plain, rows.as_bytes(), 413, too_large("at most 10000 rows: send more in another body")),
        (metrics, text, b"{\"metrics\": []}", 415, unsupported(BATCH)),
        (metrics, &[("content-encoding", "br")], b"x", 415, unsupported(BATCH)),
        (metrics, &[("content-encoding", "gzip, gzip")], b"x", 415, unsupported(BATCH)),
        ("/ingest/v1/heartbeat", text, b"{}", 415, unsupported(OBJECT)),
        ("/ingest/v1/heartbeat", plain, &spaces[..65_537], 413, too_large(OBJECT)),
        ("/ingest/v1/heartbeat", as_gzip, &gzip(&spaces[..65_537]), 413, too_large(OBJECT)),
        (
            "/ingest/v1/heartbeat",
            plain,
            b"{}",
            400,
            "Invalid body: facts.hostname is missing: send the host's name, such as \"web-1\"".to_owned(),
        ),
        (
            "/ingest/v1/heartbeat",
            plain,
            b"7",
            400,
            format!("Invalid body: it must be an object, in braces{HEARTBEAT_FORM}"),
        ),
        (
            "/ingest/v1/heartbeat",
            plain,
            br#"{"facts": {"hostname": "a"}, "interval_seconds": 0}"#,
            400,
            "Invalid body: interval_seconds must be from 1 to 86400".to_owned(),
        ),
        (
            "/ingest/v1/heartbeat",
            plain,
            br#"{"facts": {"hostname": "a"}, "cost": {"cpu_percent": -1}}"#,
            400,
            "Invalid body: cost.cpu_percent must be from 0 to 1000000".to_owned(),
        ),
        (
            "/ingest/v1/enroll",
            plain,
            br#"{"facts": {"hostname": "a"}}"#,
            400,
            "Invalid body: token is missing: send the enrolment token, such as \"astra_enroll_…\"".to_owned(),
        ),
        (
            "/ingest/v1/enroll",
            plain,
            br#"{"token": "x", "agent_id": "a b"}"#,
            400,
            format!("Invalid body: agent_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ -{ENROLL_FORM}"),
        ),
    ] {
        let answer = service.post(path, &token, headers, body.to_vec()).await;
        assert_eq!((answer.status.as_u16(), answer.error()), (status, sentence), "{path} {headers:?}");
    }
    assert!(service.stored(account).await.is_empty());
}
