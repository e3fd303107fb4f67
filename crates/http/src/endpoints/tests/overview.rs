//! The newest of each agent, in one request.

use astranetmon_auth::{Permission, PermissionSet};
use serde_json::Value;

use super::{everything, openapi, schema_check};
use crate::testing::{TestApi, key_principal};

async fn filled() -> TestApi {
    let api = TestApi::new().await;
    api.fill(1, 5).await;
    api.fill(2, 1).await;
    api
}

#[actix_web::test]
async fn each_agent_stands_beside_the_newest_of_each_list() {
    let api = filled().await;
    let document = serde_json::to_value(openapi()).expect("JSON");
    let overview = api.get("/api/v1/overview", Some(&everything())).await.json();
    let agents = api.get("/api/v1/agents", Some(&everything())).await.json();
    let included = api.get("/api/v1/agents?include=latest", Some(&everything())).await.json();
    let schema = &document["paths"]["/api/v1/agents"]["get"]["responses"]["200"]["content"]["application/json"];
    schema_check::check(&included, &schema["schema"], &document).expect("as documented");
    assert_eq!((&overview["total"], &included["total"]), (&2.into(), &2.into()));
    let rows = overview["overview"].as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    for (place, row) in rows.iter().enumerate() {
        assert_eq!(row["agent"], agents["agents"][place]);
        let mut with_latest = included["agents"][place].clone();
        let latest = with_latest.as_object_mut().expect("an object").remove("latest").expect("included");
        assert_eq!(with_latest, row["agent"]);
        let id = row["agent"]["id"].as_str().expect("an id");
        for (list, kind) in [("metrics", "metric"), ("speedtests", "speedtest"), ("traceroutes", "traceroute")] {
            let newest = api.get(&format!("/api/v1/{list}?agent_id={id}&limit=1"), Some(&everything())).await.json();
            assert!(newest[list][0].is_object());
            assert_eq!(row[kind], newest[list][0], "{id} {kind}");
            assert_eq!(latest[kind], newest[list][0], "{id} {kind}");
        }
    }
}

#[actix_web::test]
async fn parts_whose_permission_is_missing_are_null_and_tagged_apart() {
    let api = filled().await;
    let mut tags = Vec::new();
    for others in [
        &[][..],
        &[Permission::ReadMetrics],
        &[Permission::ReadSpeedtests, Permission::ReadTraceroutes],
        &[Permission::ReadMetrics, Permission::ReadSpeedtests, Permission::ReadTraceroutes],
    ] {
        let permissions: PermissionSet = [Permission::ReadAgents].iter().chain(others).copied().collect();
        let caller = key_principal(1, permissions);
        for path in ["/api/v1/overview", "/api/v1/agents?include=latest"] {
            let answer = api.get(path, Some(&caller)).await;
            assert_eq!(answer.status.as_u16(), 200, "{path}");
            tags.push(answer.headers.get("ETag").expect("a tag").to_str().expect("ASCII").to_owned());
            let body = answer.json();
            let row = if path.contains("overview") { &body["overview"][0] } else { &body["agents"][0]["latest"] };
            for (kind, permission) in [
                ("metric", Permission::ReadMetrics),
                ("speedtest", Permission::ReadSpeedtests),
                ("traceroute", Permission::ReadTraceroutes),
            ] {
                assert_eq!(row[kind] == Value::Null, !others.contains(&permission), "{path} {others:?} {kind}");
            }
        }
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 8);
}

#[actix_web::test]
async fn what_is_included_is_a_field_like_any_other() {
    let api = filled().await;
    let get = async |path: &str| api.get(path, Some(&everything())).await;
    let named = get("/api/v1/agents?include=latest&fields=hostname,latest&limit=1").await.json();
    let keys: Vec<_> = named["agents"][0].as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys, ["hostname", "latest"]);
    let without = get("/api/v1/agents?include=latest&fields=hostname&limit=1").await;
    assert_eq!(without.json()["agents"][0], serde_json::json!({ "hostname": "host-agent-123" }));
    assert!(without.next().expect("more").contains("include=latest"));
    assert_eq!(get("/api/v1/agents?fields=latest").await.status.as_u16(), 400, "it was not included");
    let lines = get("/api/v1/overview?format=ndjson&fields=metric").await;
    let text = String::from_utf8(lines.body).expect("text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), lines[2]["row_count"].as_u64()), (3, Some(2)));
    assert_eq!(lines[0]["metric"]["agent_id"], "agent-123");
}
