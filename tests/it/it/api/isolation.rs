//! Two integrations on one server, with everything in each: no id of one is known under the other, on any route of the
//! document, and neither an answer nor a line of the log about one speaks of the other.

mod between;
mod furnished;

use std::collections::BTreeSet;

use domain::operator::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use self::furnished::Furnished;
use super::{
    Answer, Server, answer,
    document::{Operation, operations},
    log::Log,
    token,
};

const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Operations with an id below an integration. A new one is tried without being named here.
async fn with_ids(server: &Server) -> Vec<Operation> {
    let mut operations = operations(server).await;
    operations.retain(|operation| operation.is_api() && operation.template.matches('{').count() > 1);
    assert!(operations.len() >= 15, "{} operations were found", operations.len());
    operations
}

/// Sends what the operation needs, as an administrator.
async fn sent(server: &Server, method: &Method, path: &str) -> Answer {
    let request = server.request(method.clone(), path).bearer_auth(token(Role::Admin));
    let request = match path.rsplit('/').next().unwrap() {
        "cancel" | "accept" | "revoke" | "give-up" => request.json(&json!({ "reason": "test" })),
        "give-order" => request.json(&json!({ "order": "co-1" })),
        "release-order" => request.json(&json!({ "order": "co-1", "reason": "test" })),
        "resolve" => request.json(&json!({ "not_bought": true, "checked": "test" })),
        _ => request,
    };
    answer(request).await
}

/// An answer without what differs from one request to the next.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut headers: Vec<_> = answer.headers.iter().map(header).filter(|(name, _)| name != "date").collect();
    headers.sort();
    let text = match serde_json::from_str::<Value>(&answer.text) {
        Ok(mut body) => {
            for member in ["reference", "instance"] {
                body.as_object_mut().and_then(|body| body.remove(member));
            }
            body.to_string()
        }
        Err(_) => answer.text.clone(),
    };
    (answer.status.as_u16(), headers, text)
}

/// What exists under another integration, what exists as another kind of thing, and what does not exist at all are one
/// 404, word for word.
#[tokio::test]
async fn nothing_tells_whether_an_id_exists_in_another_integration() {
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    let before = other.stored(&server).await;
    let mut tried = 0;
    for operation in with_ids(&server).await {
        let kind = operation.template.split(['{', '}']).nth(3).unwrap();
        let at = |id: Uuid| operation.path(|name| if name == "id" { own.id.0 } else { id });
        let unknown = sent(&server, &operation.method, &at(Uuid::from_u128(7))).await;
        assert_eq!(unknown.problem(), "not-found", "{}", operation.name());
        let wrong_kind = own.ids().into_iter().filter(|(of, _)| *of != kind).map(|(_, id)| id);
        for id in other.ids().into_iter().map(|(_, id)| id).chain(wrong_kind) {
            let answer = sent(&server, &operation.method, &at(id)).await;
            assert_eq!(told(&answer), told(&unknown), "{} {id}", operation.name());
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried} requests were made");
    assert_eq!(other.stored(&server).await, before, "nothing was done to what was asked about");
}

#[tokio::test]
async fn no_method_tells_whether_an_id_exists_in_another_integration() {
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    let templates: BTreeSet<_> = with_ids(&server).await.into_iter().map(|operation| operation.template).collect();
    for template in templates {
        for method in METHODS {
            let operation = Operation { method, template: template.clone(), body: Value::Null };
            let at = |id: Uuid| operation.path(|name| if name == "id" { own.id.0 } else { id });
            let unknown = sent(&server, &operation.method, &at(Uuid::from_u128(7))).await;
            assert!([404, 405].contains(&unknown.status.as_u16()), "{}: {unknown:?}", operation.name());
            for (_, id) in other.one_of_each_kind() {
                let answer = sent(&server, &operation.method, &at(id)).await;
                assert_eq!(told(&answer), told(&unknown), "{} {id}", operation.name());
            }
        }
    }
}

/// Every answer that can be read about an integration: each route with each of its own ids, each filter with the ids and
/// names of both, and the places in lists of both.
async fn everything_read(server: &Server, own: &Furnished, other: &Furnished) -> Vec<(String, Answer)> {
    let mut paths = Vec::new();
    for operation in operations(server).await {
        if operation.method != Method::GET || !operation.template.contains("{id}") {
            continue;
        }
        let kind = operation.template.split(['{', '}']).nth(3);
        let ids: Vec<_> = match kind {
            None => vec![own.id.0],
            Some(kind) => own.ids().into_iter().filter(|(of, _)| *of == kind).map(|(_, id)| id).collect(),
        };
        paths.extend(ids.into_iter().map(|id| operation.path(|name| if name == "id" { own.id.0 } else { id })));
    }
    let at = format!("/api/integrations/{}", own.id);
    for side in [own, other] {
        let [batch, enrollment, person] = side.one_of_each_kind().map(|(_, id)| id);
        let mark = &side.mark;
        for question in [
            format!("enrollments?batch={batch}"),
            format!("enrollments?batch={batch}&state=planned"),
            format!("enrollments?person={person}"),
            format!("enrollments?batch={enrollment}"),
            format!("counts?batch={batch}"),
            format!("people?name={mark}"),
            format!("people?address={}", mark.to_lowercase()),
            "people?limit=2".to_owned(),
            "enrollments?limit=2".to_owned(),
            "enrollments?state=held".to_owned(),
            "batches?limit=1".to_owned(),
            "audit?limit=1".to_owned(),
        ] {
            paths.push(format!("{at}/{question}"));
        }
        // The place in a list that was given out under one integration, used under the other.
        for list in ["people?limit=1", "enrollments?limit=1", "batches?limit=1", "audit?limit=1"] {
            let first = server.get(&format!("/api/integrations/{}/{list}", side.id)).await.json();
            let mut url = url::Url::parse(&format!("{}{at}/{list}", server.base)).unwrap();
            url.query_pairs_mut().append_pair("after", first["next"].as_str().unwrap());
            paths.push(format!("{}?{}", url.path(), url.query().unwrap()));
        }
    }
    let mut read = Vec::new();
    for path in paths {
        let answer = server.get(&path).await;
        // A filter that names what is elsewhere finds nothing, or is told that there is no such thing. No vendor is here.
        let is_fair = answer.status.is_success() || ["not-found", "vendor"].contains(&answer.problem().as_str());
        assert!(is_fair, "{path}: {}", answer.text);
        read.push((path, answer));
    }
    read
}

#[tokio::test]
async fn no_answer_about_an_integration_holds_anything_of_another() {
    let server = Server::start().await;
    let sides = [Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await];
    for [own, other] in [[&sides[0], &sides[1]], [&sides[1], &sides[0]]] {
        let read = everything_read(&server, own, other).await;
        for (path, answer) in &read {
            // Who asks with a name or an id may be answered with it, so only what was not asked counts.
            let found = other.traces().into_iter().filter(|trace| !path.contains(trace.as_str()));
            let found: Vec<_> = found.filter(|trace| answer.text.contains(trace.as_str())).collect();
            assert!(found.is_empty(), "{found:?} at {path}: {}", answer.text);
        }
        let holds_own = |(_, answer): &&(String, Answer)| answer.text.contains(&own.mark);
        assert!(read.iter().filter(holds_own).count() > 40, "the answers do hold what is their own");
        for trace in own.traces() {
            let is_shown = read.iter().any(|(_, answer)| answer.text.contains(&trace));
            assert!(is_shown, "{trace} is in no answer, so it proves nothing");
        }
    }
}

#[tokio::test]
async fn no_line_of_the_log_about_an_integration_speaks_of_another() {
    let log = Log::of_this_thread();
    let server = Server::start().await;
    let (own, other) = (Furnished::new(&server, "Own").await, Furnished::new(&server, "Other").await);
    log.begin_again();
    everything_read(&server, &own, &other).await;
    for operation in with_ids(&server).await {
        for (_, id) in other.one_of_each_kind().into_iter().chain(own.one_of_each_kind()) {
            let path = operation.path(|name| if name == "id" { own.id.0 } else { id });
            sent(&server, &operation.method, &path).await;
        }
    }
    let lines = log.ours();
    assert!(lines.len() > 100, "{} lines", lines.len());
    for line in lines {
        let text = line.to_string();
        let found: Vec<_> = other.traces().into_iter().filter(|trace| text.contains(trace.as_str())).collect();
        assert!(found.is_empty(), "{found:?} in {text}");
    }
}
