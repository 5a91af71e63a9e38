//! An operator: everything by the API, and a browser for the sign-in.

use std::time::Duration;

use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::Url;

use super::text;

/// Of an administrator.
pub(crate) const TOKEN: &str = "an+api/token&of=5c1e09d7b2a84f63";

pub(crate) struct Operator {
    http: reqwest::Client,
    base_url: String,
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
    pub(crate) fn done(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }

    /// The sentence of a refusal with this status.
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        text(&self.body["detail"])
    }
}

/// Half of a sign-in: a browser with its cookie on Entra's page.
pub(crate) struct Begun {
    pub(crate) cookie: String,
    /// Entra's page.
    pub(crate) page: String,
}

impl Operator {
    /// For an application that listens there. It belongs to no integration until one is created.
    pub(crate) fn new(base_url: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self { http, base_url: base_url.to_owned(), integration: String::new() }
    }

    /// The application listens there now.
    pub(super) fn go_to(&mut self, base_url: &str) {
        base_url.clone_into(&mut self.base_url);
    }

    /// The id of the integration that was created.
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

    async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.bytes().await.unwrap());
        // What was only begun has no answer.
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status, body }
    }

    /// Presses Authorize and signs in.
    pub(crate) async fn authorize(&self) {
        let link = self.authorize_link().await;
        let begun = self.begin(&link).await.unwrap();
        let back = self.sign_in(&begun).await;
        let (status, page) = self.come_back(&back, Some(&begun.cookie)).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    }

    /// The link to open in a browser.
    pub(crate) async fn authorize_link(&self) -> String {
        text(&self.post("/authorize", json!({})).await.done()["url"])
    }

    /// Opens the link; an error is the page that says why it cannot be used.
    pub(crate) async fn begin(&self, link: &str) -> Result<Begun, (StatusCode, String)> {
        let answer = self.http.get(self.here(link)).send().await.unwrap();
        if answer.status() != StatusCode::SEE_OTHER {
            return Err((answer.status(), answer.text().await.unwrap()));
        }
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Ok(Begun { cookie, page: location(&answer) })
    }

    /// Signs in at Entra, and answers the address to which that sends the browser back.
    pub(crate) async fn sign_in(&self, begun: &Begun) -> String {
        location(&self.http.get(&begun.page).send().await.unwrap())
    }

    /// Follows the way back with a browser that has this cookie: what the application answers, and its page.
    pub(crate) async fn come_back(&self, back: &str, cookie: Option<&str>) -> (StatusCode, String) {
        let mut request = self.http.get(self.here(back));
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// The registered address leads to the application, wherever it listens.
    fn here(&self, address: &str) -> String {
        let address = Url::parse(address).unwrap();
        format!("{}{}?{}", self.base_url, address.path(), address.query().unwrap_or_default())
    }
}

fn location(answer: &reqwest::Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}
