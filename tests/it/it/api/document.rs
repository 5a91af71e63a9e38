//! The OpenAPI document: complete, and every operation in it answers.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Server, answer};

/// One operation of the document.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) template: String,
    pub(super) body: Value,
}

impl Operation {
    /// `GET /api/integrations/{id}`
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    pub(super) fn is_api(&self) -> bool {
        self.template.starts_with("/api/")
    }

    /// The path with an id in each place. What is no id gets a text that is none.
    pub(super) fn path(&self, id: impl Fn(&str) -> Uuid) -> String {
        let fill = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some("token") => "guessed".to_owned(),
            Some(name) => id(name).to_string(),
            None => part.to_owned(),
        };
        self.template.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

pub(super) async fn document(server: &Server) -> Value {
    answer(server.request(Method::GET, "/openapi.json")).await.json()
}

pub(super) async fn operations(server: &Server) -> Vec<Operation> {
    let document = document(server).await;
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, body) in item.as_object().unwrap() {
            let method = method.to_ascii_uppercase().parse().unwrap();
            operations.push(Operation { method, template: template.clone(), body: body.clone() });
        }
    }
    operations
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_every_reference_in_it_leads_somewhere() {
    let server = Server::start().await;
    let document = document(&server).await;
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn every_operation_has_its_own_id_a_summary_and_its_problems() {
    let server = Server::start().await;
    let operations = operations(&server).await;
    let ids: BTreeSet<_> = operations.iter().map(|operation| operation.body["operationId"].to_string()).collect();
    assert_eq!(ids.len(), operations.len());
    for operation in &operations {
        assert!(operation.body["summary"].is_string(), "{}", operation.name());
        let statuses = operation.body["responses"].as_object().unwrap();
        let problems: &[&str] = if operation.is_api() { &["401", "403", "404", "503"] } else { &[] };
        for status in problems {
            let schema = &statuses[*status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{} {status}", operation.name());
        }
        let parameters = operation.body["parameters"].as_array().cloned().unwrap_or_default();
        for part in operation.template.split('/').filter_map(|part| part.strip_prefix('{')) {
            let name = part.trim_end_matches('}');
            let named = parameters.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "path");
            assert!(named, "{} does not describe {name}", operation.name());
        }
    }
}

/// `routes!` registers what it documents; this holds the other direction.
#[tokio::test]
async fn every_operation_of_the_document_is_a_route() {
    let server = Server::start().await;
    for operation in operations(&server).await {
        let path = operation.path(|_| Uuid::nil());
        let Answer { status, .. } = answer(server.request(operation.method.clone(), &path)).await;
        assert!(![404, 405, 500].contains(&status.as_u16()), "{}: {status}", operation.name());
    }
}
