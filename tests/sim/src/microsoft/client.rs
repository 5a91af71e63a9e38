//! The least client that can talk to the simulated Microsoft, for tests.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;

use super::{Microsoft, Organisation};

/// A client with an app-only token of the first organisation.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
    graph: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// The objects of a page.
    pub(crate) fn value(&self) -> &[Value] {
        self.body["value"].as_array().unwrap()
    }

    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        self.body[name].as_str()
    }
}

impl Client {
    pub(crate) async fn connect(microsoft: &Microsoft, organisation: &Organisation) -> Self {
        let http = http();
        let answer = app_token(&http, microsoft, organisation).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let token = answer.body["access_token"].as_str().unwrap().to_owned();
        Self { http, token, graph: microsoft.graph_base_url().to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call(Method::GET, path, None, headers).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None, &[]).await
    }

    /// Every object of a list, page by page.
    pub(crate) async fn all(&self, path: &str, headers: &[(&str, &str)]) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let page = self.get_with(&path, headers).await;
            assert_eq!(page.status, 200, "{}", page.body);
            found.extend_from_slice(page.value());
            next = page.link("@odata.nextLink").map(str::to_owned);
        }
        found
    }

    /// `path` is a path or an absolute link.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Answer {
        let url = if path.starts_with('/') { format!("{}{path}", self.graph) } else { path.to_owned() };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    }
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

pub(crate) async fn app_token(http: &reqwest::Client, microsoft: &Microsoft, organisation: &Organisation) -> Answer {
    let scope = format!("{}/.default", microsoft.graph_base_url());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &organisation.client_id),
        ("client_secret", &organisation.client_secret),
        ("scope", &scope),
    ];
    post_form(http, &token_url(microsoft, &organisation.tenant_id.to_string()), &form).await
}

pub(crate) fn token_url(microsoft: &Microsoft, tenant: &str) -> String {
    format!("{}/{tenant}/oauth2/v2.0/token", microsoft.entra_base_url())
}

pub(crate) async fn post_form(http: &reqwest::Client, url: &str, form: &[(&str, &str)]) -> Answer {
    read(http.post(url).form(form).send().await.unwrap()).await
}

pub(crate) async fn read(answer: reqwest::Response) -> Answer {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answer { status, headers, body }
}
