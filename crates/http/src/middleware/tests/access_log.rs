use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use actix_web::test::TestRequest;
use serde_json::{Value, json};
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::util::SubscriberInitExt;

use crate::test_service::{TestService, call, get};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn taken(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("not poisoned"))).expect("text")
    }

    /// Takes what this thread logs.
    fn listen(&self) -> DefaultGuard {
        // While there is one subscriber alone, a test on another thread, which has none, switches off what it is first
        // to log for this one too.
        static SILENT: LazyLock<Dispatch> =
            LazyLock::new(|| tracing_subscriber::fmt().with_max_level(LevelFilter::OFF).finish().into());
        LazyLock::force(&SILENT);
        let writer = self.clone();
        tracing_subscriber::fmt().json().without_time().with_writer(move || writer.clone()).set_default()
    }
}

#[actix_web::test]
async fn a_request_is_one_line_without_its_query_and_headers() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let lines = Lines::default();
    let _guard = lines.listen();

    let send = async |request: TestRequest| {
        let request = request.insert_header(("x-request-id", "test-1")).insert_header(("cookie", "c=secret"));
        call(&app, request.peer_addr("192.0.2.1:1000".parse().expect("address"))).await;
        let text = lines.taken();
        assert!(!text.contains("secret") && !text.contains(&key), "{text}");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        lines.iter().map(|line| line["fields"].clone()).collect::<Vec<_>>()
    };
    let line = |route: &str, status: u16, bytes: u64| {
        json!({
            "message": "request", "method": "GET", "route": route, "status": status, "duration_ms": 0.0,
            "bytes": bytes, "request_id": "test-1", "client": "192.0.2.1",
        })
    };
    let with_key = |mut line: Value| {
        line["account_id"] = json!(7);
        line["key_id"] = json!(1);
        line
    };
    let number = send(get("/api/v1/number/17?name=secret", &key)).await;
    assert_eq!(number, [with_key(line("/api/v1/number/{number}", 200, 2))]);
    let without_key = send(TestRequest::with_uri("/api/v1/metrics?name=secret")).await;
    assert_eq!(without_key, [line("/api/v1/metrics", 401, 87)]);
    let unknown = send(get("/api/v1/secret", &key)).await;
    assert_eq!(unknown, [with_key(line("unmatched", 404, 21))]);
    let outside = send(TestRequest::with_uri("/secret?name=secret")).await;
    assert_eq!(outside, [line("unmatched", 404, 21)]);
}

#[actix_web::test]
async fn a_panic_is_logged_once_beside_its_request() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let lines = Lines::default();
    let _guard = lines.listen();
    call(&app, get("/api/v1/panic", &key).insert_header(("x-request-id", "test-1"))).await;
    let lines: Vec<Value> = lines.taken().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["level"], &line["fields"]["request_id"])).collect();
    assert_eq!(told, [(&json!("ERROR"), &json!("test-1")), (&json!("INFO"), &json!("test-1"))]);
    assert_eq!(lines[1]["fields"]["route"], "/api/v1/panic");
    assert_eq!(lines[1]["fields"]["status"], 500);
}
