//! The operator: everything by the application's API, as a script would do it.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Method, header, redirect};
use serde_json::{Value, json};
use url::Url;

use crate::vendors::PRODUCT;

/// Of a test only. The deployment file has its hash.
pub(crate) const TOKEN: &str = "a token of the measurements, longer than thirty-two characters";

/// The API tells nobody that something changed, so it is asked again this often.
const GLANCE: Duration = Duration::from_millis(250);

#[derive(Clone)]
pub(crate) struct Operator {
    http: reqwest::Client,
    base_url: String,
    pub(crate) integration: String,
}

impl Operator {
    /// For the integration that these settings make.
    pub(crate) async fn connect(base_url: &str, settings: &Value) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build()?;
        let mut operator = Self { http, base_url: base_url.to_owned(), integration: String::new() };
        let created = operator.send(Method::POST, "/api/integrations", Some(settings)).await?;
        operator.integration = text(&created, "id")?;
        operator.authorize().await?;
        Ok(operator)
    }

    /// The same integration, where the application listens now.
    pub(crate) fn at(&self, base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), ..self.clone() }
    }

    async fn authorize(&self) -> anyhow::Result<()> {
        let begun = self.post("/authorize", &json!({})).await?;
        let began = self.http.get(self.here(&text(&begun, "url")?)?).send().await?;
        let cookie = began.headers().get(header::SET_COOKIE).context("Authorize set no cookie")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let entra = self.http.get(location(&began)?).send().await?;
        let back = self.http.get(self.here(&location(&entra)?)?).header(header::COOKIE, cookie).send().await?;
        anyhow::ensure!(back.status().is_redirection(), "Authorize ended with {}", back.status());
        Ok(())
    }

    pub(crate) async fn start_import(&self) -> anyhow::Result<()> {
        self.post("/people/import", &json!({})).await.map(drop)
    }

    /// Waits until so many people were read, or the import is over, and answers where it stands.
    pub(crate) async fn until_imported(&self, people: u64) -> anyhow::Result<Value> {
        self.until(async || {
            let import = self.get("/people/import").await?;
            if let Some(problem) = import["problem"].as_str() {
                bail!("the import met a problem: {problem}");
            }
            let far_enough = import["seen"].as_u64().unwrap_or_default() >= people && import["running"] == json!(true);
            Ok((far_enough || import["running"] == json!(false)).then_some(import))
        })
        .await
    }

    /// A plan for everybody, ready to be approved.
    pub(crate) async fn plan(&self) -> anyhow::Result<String> {
        let wanted = json!({ "everybody": true, "product": PRODUCT, "days": 365, "purpose": "general" });
        let batch = text(&self.post("/batches", &wanted).await?, "id")?;
        let path = format!("/batches/{batch}");
        self.until(async || Ok((self.get(&path).await?["status"] == "ready").then_some(()))).await?;
        Ok(batch)
    }

    pub(crate) async fn approve(&self, batch: &str) -> anyhow::Result<()> {
        self.post(&format!("/batches/{batch}/approve"), &json!({})).await.map(drop)
    }

    /// How many enrollments of the batch are in this state.
    pub(crate) async fn count(&self, batch: &str, state: &str) -> anyhow::Result<u64> {
        let batch = self.get(&format!("/batches/{batch}")).await?;
        let rows = batch["counts"].as_array().into_iter().flatten();
        Ok(rows.filter(|row| row["state"] == state).filter_map(|row| row["count"].as_u64()).sum())
    }

    /// Decides about what nobody can be sure of as the runbook says: looked for once more, and ruled out if not there.
    pub(crate) async fn resolve_unsure(&self) -> anyhow::Result<u64> {
        let unsure = self.get("/enrollments?state=unsure&limit=200").await?;
        let mut resolved = 0;
        for row in unsure["items"].as_array().into_iter().flatten() {
            let path = format!("/enrollments/{}/resolve", text(row, "id")?);
            resolved += u64::from(self.post(&path, &json!({ "not_bought": true })).await.is_ok());
        }
        Ok(resolved)
    }

    pub(crate) async fn until<T>(&self, ask: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
        let mut glances = tokio::time::interval(GLANCE);
        loop {
            glances.tick().await;
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, &self.path(path), None).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, &self.path(path), Some(body)).await
    }

    fn path(&self, path: &str) -> String {
        format!("/api/integrations/{}{path}", self.integration)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base_url)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        anyhow::ensure!(status.is_success(), "{method} {path} was answered with {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// The registered address leads to the application, wherever it listens.
    fn here(&self, address: &str) -> anyhow::Result<String> {
        let address = Url::parse(address)?;
        Ok(format!("{}{}?{}", self.base_url, address.path(), address.query().unwrap_or_default()))
    }
}

fn location(answer: &reqwest::Response) -> anyhow::Result<String> {
    let location = answer.headers().get(header::LOCATION);
    Ok(location.with_context(|| format!("{} does not lead anywhere", answer.status()))?.to_str()?.to_owned())
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("the answer has no {name}: {value}"))?.to_owned())
}
