//! What cannot be used is refused with a sentence that names the field and the fix, and nothing is stored or sent. A field
//! that is added to a request without a bad value here fails.

mod batch;
mod settings;

use std::collections::BTreeSet;

use domain::{State, enrollment::Blocked, operator::Role};
use ports::IntegrationStore;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Answer, Server, answer,
    document::{document, operations},
    token,
};

/// A value in the place that the pointer (RFC 6901) names, and what is said about it.
struct Bad {
    at: &'static str,
    value: Value,
    field: &'static str,
    problem: &'static str,
    fix: &'static str,
}

fn bad(at: &'static str, value: Value, field: &'static str, problem: &'static str, fix: &'static str) -> Bad {
    Bad { at, value, field, problem, fix }
}

impl Bad {
    /// The good body with this value in it.
    fn within(&self, good: &Value) -> Value {
        let mut body = good.clone();
        let (above, name) = self.at.rsplit_once('/').unwrap();
        let above = body.pointer_mut(above).unwrap_or_else(|| panic!("{}", self.at));
        above.as_object_mut().unwrap().insert(name.to_owned(), self.value.clone());
        body
    }

    /// It is the only problem, and is told in its own words.
    fn must_be_told(&self, answer: &Answer) {
        let place = format!("{} {}", self.at, self.value);
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            "{place}"
        );
        let errors = answer.json()["errors"].clone();
        let [error] = errors.as_array().unwrap().as_slice() else { panic!("{place}: {errors}") };
        assert_eq!(error["field"], self.field, "{place}: {error}");
        assert!(error["problem"].as_str().unwrap().contains(self.problem), "{place}: {error}");
        assert!(error["fix"].as_str().unwrap().contains(self.fix), "{place}: {error}");
        assert!(!self.problem.is_empty() && !self.fix.is_empty(), "{place}");
    }
}

/// Every field that has no row.
fn without_a_row(leaves: &BTreeSet<String>, rows: &[Bad]) -> Vec<String> {
    let in_rows: BTreeSet<String> = rows.iter().map(|row| without_places(row.field)).collect();
    leaves.difference(&in_rows).cloned().collect()
}

/// `groups[1]` is a row of `groups`.
fn without_places(field: &str) -> String {
    let mut name = String::new();
    for part in field.split('[') {
        name += part.split_once(']').map_or(part, |(_, rest)| rest);
    }
    name
}

/// Every field of this schema that holds no further fields, as a problem names it.
fn leaves(document: &Value, schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(document, schema, "", &mut found);
    found
}

fn collect(document: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return collect(document, document.pointer(&reference[1..]).unwrap(), path, found);
    }
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    for part in parts.filter(|part| part["type"] != "null" && part.get("const").is_none()) {
        collect(document, part, path, found);
    }
    match (&schema["properties"], &schema["items"]) {
        (Value::Object(properties), _) => {
            for (name, property) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let known = found.len();
                collect(document, property, &path, found);
                if found.len() == known {
                    found.insert(path);
                }
            }
        }
        (_, items @ Value::Object(_)) => collect(document, items, path, found),
        _ => {}
    }
}

#[test]
fn a_field_without_a_row_is_found() {
    let document = json!({ "components": { "schemas": { "Inner": { "properties": { "c": { "type": "string" } } } } } });
    let inner = json!({ "$ref": "#/components/schemas/Inner" });
    let schema = json!({ "allOf": [
        { "properties": { "a": { "type": "string" }, "list": { "type": "array", "items": { "type": "string" } } } },
        { "properties": { "b": { "type": "array", "items": inner }, "d": { "oneOf": [{ "type": "null" }, inner] } } },
    ] });
    let leaves = leaves(&document, &schema);
    assert_eq!(leaves, ["a", "b.c", "d.c", "list"].map(str::to_owned).into());
    let rows = ["list[3]", "b[0].c"].map(|field| bad("/x", json!(1), field, "p", "f"));
    assert_eq!(without_a_row(&leaves, &rows), ["a", "d.c"]);
}

/// Whatever a request takes: a value of a kind that nothing has is refused in each of its fields.
#[tokio::test]
async fn a_value_of_the_wrong_kind_is_refused_in_every_field_of_every_request() {
    let server = Server::start().await;
    let id = server.integration().await;
    let blocked = server.enrollment(id, State::Blocked { cause: Blocked::Funds { detail: "none".into() } }).await;
    let document = document(&server).await;
    let audit = server.rows(id).audit(None, 100).await.unwrap();
    let mut tried = 0;
    for operation in operations(&server).await.iter().filter(|operation| operation.is_api()) {
        let schema = &operation.body["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let path = operation.path(|name| match name {
            "id" => id.0,
            "batch" => blocked.batch.0,
            "enrollment" => blocked.id.0,
            other => panic!("{other} is a new kind of id"),
        });
        for leaf in leaves(&document, schema) {
            for wrong in [json!({ "unheard_of": 1 }), json!([[["x"]]]), json!(-1.5)] {
                let body = leaf.rsplit('.').fold(wrong.clone(), |inner, name| json!({ name: inner }));
                let request = server.request(operation.method.clone(), &path).bearer_auth(token(Role::Admin));
                let answer = answer(request.json(&body)).await;
                assert_eq!(answer.problem(), "invalid", "{} {body}: {}", operation.name(), answer.text);
                let names_it = |field: &String| {
                    let field = without_places(field);
                    field == leaf || field.starts_with(&format!("{leaf}.")) || leaf.starts_with(&format!("{field}."))
                };
                assert!(answer.fields().iter().any(names_it), "{} {body}: {}", operation.name(), answer.text);
                tried += 1;
            }
        }
        let twice = answer(
            server
                .request(operation.method.clone(), &path)
                .bearer_auth(token(Role::Admin))
                .header("content-type", "application/json")
                .body(r#"{"reason": "one", "reason": "two"}"#),
        );
        assert_eq!(twice.await.json()["errors"][0]["problem"], "it is there twice", "{}", operation.name());
    }
    assert!(tried > 100, "{tried} requests were made");
    assert_eq!(server.rows(id).enrollment(blocked.id).await.unwrap(), Some(blocked));
    assert_eq!(server.rows(id).audit(None, 100).await.unwrap(), audit);
    assert_eq!(server.rows(id).batches(None, 100).await.unwrap().items.len(), 1);
    assert_eq!(server.get("/api/integrations").await.json()["items"].as_array().map(Vec::len), Some(1));
}

async fn put(server: &Server, path: &str, body: &Value) -> Answer {
    answer(server.request(Method::PUT, path).bearer_auth(token(Role::Admin)).json(body)).await
}
