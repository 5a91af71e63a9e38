//! What is sent and what comes back: bodies, queries, keys that make a request count once, and polling.

use domain::{
    PersonId, State,
    enrollment::{Blocked, StateName},
    operator::Role,
};
use ports::{EnrollmentFilter, IntegrationStore};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Server, answer, person, settings, token};

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

#[tokio::test]
async fn settings_come_back_in_the_fields_in_which_they_were_sent_and_can_be_sent_again() {
    let server = Server::start().await;
    let id = server.integration().await;
    let path = format!("/api/integrations/{id}");
    let read = server.get(&path).await.json();
    assert_eq!(read["settings"]["registrant"]["organization"], "Example GmbH");
    assert_eq!(read["connector_key"]["bits"], 2048);
    assert_eq!(read["connected"], Value::Null);

    let changed = with(read["settings"].clone(), "name", json!("Renamed"));
    let request = server.request(Method::PUT, &path).bearer_auth(token(Role::Admin)).json(&changed);
    let changed = answer(request).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(changed.json()["settings"]["name"], "Renamed");
    let list = server.get("/api/integrations").await.json();
    assert_eq!(list["items"][0]["settings"]["name"], "Renamed");
    let audit = server.get(&format!("{path}/audit")).await.json();
    assert_eq!(audit["items"][1]["action"], "integration.created");
    assert_eq!(audit["items"][0]["by"], "admin");
}

#[tokio::test]
async fn every_wrong_setting_is_named_at_once_and_nothing_is_stored() {
    let server = Server::start().await;
    let body = with(settings(), "tenant_id", json!("x"));
    let body = with(body, "intune_public_key", json!("x"));
    let body = with(body, "surprise", json!(1));
    let refused = server.post("/api/integrations", body).await;
    assert_eq!(refused.problem(), "invalid");
    let fields = refused.fields();
    for field in ["tenant_id", "intune_public_key", "surprise"] {
        assert!(fields.iter().any(|named| named == field), "{field} in {fields:?}");
    }
    assert_eq!(server.get("/api/integrations").await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_stop_switch_takes_true_or_false() {
    let server = Server::start().await;
    let id = server.integration().await;
    let put = |body: Value| {
        let path = format!("/api/integrations/{id}/stop-buying");
        answer(server.request(Method::PUT, &path).bearer_auth(token(Role::Admin)).json(&body))
    };
    assert_eq!(put(json!({ "stopped": true })).await.json()["settings"]["stop_buying"], true);
    for (body, field) in
        [(json!({}), "stopped"), (json!({ "stopped": "yes" }), "stopped"), (json!({ "stop": true }), "stop")]
    {
        assert_eq!(put(body).await.fields(), [field]);
    }
    // Settings that do not speak of it leave it as it is.
    let path = format!("/api/integrations/{id}");
    let admin = |method| server.request(method, &path).bearer_auth(token(Role::Admin));
    let mut settings = answer(admin(Method::GET)).await.json()["settings"].clone();
    settings.as_object_mut().unwrap().remove("stop_buying");
    let changed = answer(admin(Method::PUT).json(&settings)).await.json();
    assert_eq!(changed["settings"]["stop_buying"], true, "{changed}");
    settings["stop_buying"] = json!(false);
    let changed = answer(admin(Method::PUT).json(&settings)).await.json();
    assert_eq!(changed["settings"]["stop_buying"], false, "{changed}");
}

#[tokio::test]
async fn a_batch_is_planned_read_and_abandoned() {
    let server = Server::start().await;
    let id = server.integration().await;
    let rows = server.rows(id);
    let anna = person();
    rows.put_people(std::slice::from_ref(&anna)).await.unwrap();
    let at = format!("/api/integrations/{id}");
    let products = server.get(&format!("{at}/products")).await.json();
    let (code, offer) = (&products[0]["code"], &products[0]["offers"][0]);
    let body = json!({ "people": [anna.id], "product": code, "days": offer["days"], "purpose": "general" });

    let planned = server.post(&format!("{at}/batches"), body).await;
    assert_eq!(planned.status, StatusCode::ACCEPTED, "{}", planned.text);
    let location = planned.header("location").to_owned();
    let read = server.get(&location).await.json();
    assert_eq!((&read["status"], &read["requested_by"]), (&json!("planning"), &json!("admin")));
    assert_eq!(read["product"]["price"], offer["price"]);
    assert_eq!(read["counts"].as_array().map(Vec::len), Some(StateName::ALL.len()));
    let plan = server.get(&format!("{location}/plan")).await.json();
    assert_eq!((&plan["items"][0]["name"], &plan["items"][0]["assessment"]), (&json!("Anna Berg"), &Value::Null));
    assert_eq!(server.post(&format!("{location}/approve"), json!({})).await.problem(), "conflict");
    assert_eq!(server.post(&format!("{location}/abandon"), json!({})).await.json()["status"], "abandoned");
    assert_eq!(server.get(&format!("{at}/batches")).await.json()["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_a_person_decides_needs_a_reason_and_a_state_that_it_fits() {
    let server = Server::start().await;
    let id = server.integration().await;
    let cause = Blocked::Funds { detail: "balance 0".into() };
    let blocked = server.enrollment(id, State::Blocked { cause }).await;
    let at = format!("/api/integrations/{id}/enrollments/{}", blocked.id);

    let read = server.get(&at).await.json();
    assert_eq!((&read["state"], &read["needs_a_person"]), (&json!("blocked"), &json!(true)));
    assert_eq!(read["says"], "Not ordered: the SSL.com account has no funds: balance 0.");
    assert_eq!(read["product"]["price"], json!({ "cents": 3800, "text": "$38.00" }));

    assert_eq!(server.post(&format!("{at}/retry"), json!({})).await.problem(), "conflict");
    assert_eq!(server.post(&format!("{at}/cancel"), json!({})).await.fields(), ["reason"]);
    assert_eq!(server.post(&format!("{at}/resolve"), json!({})).await.fields(), ["bought"]);
    let both = json!({ "bought": "co-1", "not_bought": true });
    assert_eq!(server.post(&format!("{at}/resolve"), both).await.problem(), "invalid");

    let cancelled = server.post(&format!("{at}/cancel"), json!({ "reason": "left the company" })).await;
    assert_eq!(cancelled.json()["state"], "cancelled", "{}", cancelled.text);
    let timeline = server.get(&format!("{at}/timeline")).await.json();
    let last = timeline["items"].as_array().and_then(|items| items.last()).unwrap();
    assert_eq!((&last["event"], &last["detail"]), (&json!("cancelled"), &json!("left the company")));
    assert_eq!((&last["by"], &last["by_operator"]), (&json!("admin"), &json!(true)));
}

#[tokio::test]
async fn lists_are_filtered_and_read_part_by_part() {
    let server = Server::start().await;
    let id = server.integration().await;
    let at = format!("/api/integrations/{id}");
    for _ in 0..3 {
        server.enrollment(id, State::Planned).await;
    }
    server.enrollment(id, State::Cancelled { reason: "test".into() }).await;

    let mut seen = Vec::new();
    let mut path = format!("{at}/enrollments?limit=3");
    loop {
        let part = server.get(&path).await.json();
        seen.extend(part["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        let Some(next) = part["next"].as_str() else { break };
        let mut url = url::Url::parse(&format!("{}{at}/enrollments", server.base)).unwrap();
        url.query_pairs_mut().append_pair("limit", "3").append_pair("after", next);
        path = format!("{}?{}", url.path(), url.query().unwrap());
    }
    assert_eq!(seen.len(), 4);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "no row twice");

    let planned = server.get(&format!("{at}/enrollments?state=planned")).await.json();
    assert_eq!(planned["items"].as_array().map(Vec::len), Some(3));
    let people = server.get(&format!("{at}/people?name=ANNA")).await.json();
    assert_eq!(people["items"].as_array().map(Vec::len), Some(4));
    let nobody = server.get(&format!("{at}/people?address=zoe")).await.json();
    assert_eq!(nobody, json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn a_query_that_cannot_be_used_is_refused_by_name() {
    let server = Server::start().await;
    let id = server.integration().await;
    let at = format!("/api/integrations/{id}");
    for (path, field) in [
        ("enrollments?limit=201", "limit"),
        ("people?limit=0", "limit"),
        ("enrollments?state=lost", "state"),
        ("enrollments?batch=7", "batch"),
        ("counts?batch=7", "batch"),
        ("people?name=a&address=b", "address"),
    ] {
        let refused = server.get(&format!("{at}/{path}")).await;
        assert_eq!(
            (refused.problem().as_str(), refused.fields().as_slice()),
            ("invalid", &[field.to_owned()][..]),
            "{path}"
        );
    }
    for path in ["people?nmae=a", "enrollments?state=held&state=failed", "batches?page=2"] {
        assert_eq!(server.get(&format!("{at}/{path}")).await.problem(), "malformed", "{path}");
    }
    // An `after` that was made up starts over or ends the list; it never breaks it.
    assert_eq!(server.get(&format!("{at}/enrollments?after=%00garbage")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_object_is_a_typed_problem() {
    let server = Server::start().await;
    let post = |media: &str, body: Vec<u8>| {
        let request = server.request(Method::POST, "/api/integrations").bearer_auth(token(Role::Admin));
        answer(request.header("content-type", media).body(body))
    };
    let exactly = |size: usize| format!("{{\"name\":\"{}\"}}", "a".repeat(size - 11)).into_bytes();
    assert_eq!(post("application/json", exactly(1 << 20)).await.problem(), "invalid");
    assert_eq!(post("application/json", exactly((1 << 20) + 1)).await.problem(), "too-large");
    assert_eq!(post("application/json", b"{".to_vec()).await.problem(), "malformed");
    assert_eq!(post("application/json", b"[]".to_vec()).await.problem(), "malformed");
    assert_eq!(post("application/json", vec![0xff, 0xfe]).await.problem(), "malformed");
    assert_eq!(post("text/plain", b"{}".to_vec()).await.problem(), "media-type");
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert_eq!(
        post("application/json", [b"{\"a\":".to_vec(), deep, b"}".to_vec()].concat()).await.problem(),
        "malformed"
    );
}

async fn keyed(server: &Server, role: Role, path: &str, key: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, path).bearer_auth(token(role)).header("idempotency-key", key);
    answer(request.json(body)).await
}

#[tokio::test]
async fn the_same_key_with_the_same_body_creates_once() {
    let server = Server::start().await;
    let id = server.integration().await;
    let anna = person();
    server.rows(id).put_people(std::slice::from_ref(&anna)).await.unwrap();
    let products = server.get(&format!("/api/integrations/{id}/products")).await.json();
    let (code, days) = (&products[0]["code"], &products[0]["offers"][0]["days"]);
    let body = json!({ "everybody": true, "product": code, "days": days, "purpose": "signing" });
    let path = format!("/api/integrations/{id}/batches");

    let first = keyed(&server, Role::Operator, &path, "one", &body).await;
    let again = keyed(&server, Role::Operator, &path, "one", &body).await;
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(again.header("content-type"), "application/json");

    let other = with(body.clone(), "purpose", json!("encryption"));
    assert_eq!(keyed(&server, Role::Operator, &path, "one", &other).await.problem(), "key-reused");
    // Another caller's key of the same text is another key.
    let second = keyed(&server, Role::Approver, &path, "one", &body).await;
    assert_ne!(second.header("location"), first.header("location"));
    assert_eq!(server.get(&path).await.json()["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_refusal_is_remembered_with_its_key() {
    let server = Server::start().await;
    let id = server.integration().await;
    let path = format!("/api/integrations/{id}/batches");
    let body = json!({ "people": [PersonId(Uuid::nil())], "product": 1, "days": 1, "purpose": "general" });
    let first = keyed(&server, Role::Operator, &path, "k", &body).await;
    let again = keyed(&server, Role::Operator, &path, "k", &body).await;
    assert_eq!(first.problem(), again.problem());
    assert_eq!(first.json()["errors"], again.json()["errors"]);
    assert_ne!(first.json()["reference"], again.json()["reference"], "each answer has its own line in the log");
    assert_eq!(keyed(&server, Role::Operator, &path, "has a space", &body).await.fields(), ["Idempotency-Key"]);
    // Roles come first: whoever may not create learns nothing about keys.
    assert_eq!(keyed(&server, Role::Viewer, &path, "k", &body).await.problem(), "forbidden");
}

#[tokio::test]
async fn one_key_sent_at_once_many_times_creates_once() {
    let server = Server::start().await;
    let body = settings();
    let sent: Vec<_> = (0..8)
        .map(|_| {
            let request = server.request(Method::POST, "/api/integrations").bearer_auth(token(Role::Admin));
            tokio::spawn(answer(request.header("idempotency-key", "race").json(&body)))
        })
        .collect();
    let mut statuses = Vec::new();
    for answered in sent {
        statuses.push(answered.await.unwrap().status);
    }
    assert!(statuses.contains(&StatusCode::CREATED));
    assert!(statuses.iter().all(|status| *status == StatusCode::CREATED || *status == StatusCode::CONFLICT));
    assert_eq!(server.get("/api/integrations").await.json()["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn polling_answers_304_until_something_changes() {
    let server = Server::start().await;
    let id = server.integration().await;
    for list in ["counts", "enrollments"] {
        let path = format!("/api/integrations/{id}/{list}");
        let poll = async |tag: &str| {
            let request = server.request(Method::GET, &path).bearer_auth(token(Role::Viewer));
            answer(request.header("if-none-match", tag)).await
        };
        let first = poll("\"other\"").await;
        assert_eq!(first.status, StatusCode::OK);
        let same = poll(first.header("etag")).await;
        assert_eq!((same.status, same.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(same.header("etag"), first.header("etag"));
        server.enrollment(id, State::Planned).await;
        assert_eq!(poll(first.header("etag")).await.status, StatusCode::OK);
    }
    let counts = server.get(&format!("/api/integrations/{id}/counts")).await.json();
    let stored = server.rows(id).enrollments(&EnrollmentFilter::State(StateName::Planned), None, 10).await.unwrap();
    assert_eq!((&counts["states"][0]["count"], &counts["total"]), (&json!(stored.items.len()), &json!(2)));
}
