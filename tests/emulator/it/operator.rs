//! An operator at the deployed API, with a token of the sign-in app, and a browser for Authorize.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::text;

pub(crate) struct Operator {
    http: reqwest::Client,
    base_url: String,
    token: String,
    integration: String,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of what was done.
    #[track_caller]
    pub(crate) fn done(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }
}

impl Operator {
    pub(crate) fn new(base_url: &str, token: String) -> Self {
        Self { http: crate::http(), base_url: base_url.to_owned(), token, integration: String::new() }
    }

    /// Somebody else, at the same integration.
    pub(crate) fn with_token(&self, token: String) -> Self {
        let (http, base_url, integration) = (self.http.clone(), self.base_url.clone(), self.integration.clone());
        Self { http, base_url, token, integration }
    }

    pub(crate) fn integration(&self) -> &str {
        &self.integration
    }

    pub(crate) async fn create_integration(&mut self, settings: &Value) {
        let created = self.request(Method::POST, "/api/integrations", Some(settings.clone())).await.done();
        self.integration = text(&created["id"]);
    }

    /// What the integration has at this path.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await.done()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// To a path of the integration.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.request(method, &format!("/api/integrations/{}{path}", self.integration), body).await
    }

    pub(crate) async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        Answer { status, body: serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))) }
    }

    /// Presses Authorize and signs in: our link, Entra's page, and the way back with the browser's cookie.
    pub(crate) async fn authorize(&self) {
        let link = text(&self.post("/authorize", json!({})).await.done()["url"]);
        self.try_authorize(&link).await.unwrap();
    }

    /// Follows a link of Authorize to its end. An error is the page on which it ended otherwise.
    pub(crate) async fn try_authorize(&self, link: &str) -> Result<(), String> {
        let began = redirected(self.http.get(link).send().await.unwrap()).await?;
        let cookie = began.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let signed_in = redirected(self.http.get(location(&began)).send().await.unwrap()).await?;
        let back = self.http.get(location(&signed_in)).header(header::COOKIE, cookie).send().await.unwrap();
        redirected(back).await.map(drop)
    }
}

async fn redirected(answer: reqwest::Response) -> Result<reqwest::Response, String> {
    match answer.status() {
        StatusCode::SEE_OTHER | StatusCode::FOUND => Ok(answer),
        status => Err(format!("{status}: {}", answer.text().await.unwrap())),
    }
}

#[track_caller]
fn location(answer: &reqwest::Response) -> String {
    answer.headers().get(header::LOCATION).expect("a redirection").to_str().unwrap().to_owned()
}
