//! The operator: everything by the application's own HTTP API, as a script of an administrator would do it.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};

use super::{progress::Progress, vendors::Vendors};

/// Asked again this soon while something is under way.
const GLANCE: Duration = Duration::from_millis(150);
/// Nothing moved for so long: something is stuck, and waiting longer would not help.
const STALLED: Duration = Duration::from_secs(180);
/// Whether SSL.com shows by now what it did not show before.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The states in which a machine is still to do something.
pub(super) const MOVING: [&str; 6] = ["requested", "buying", "bought", "validating", "issued", "importing"];

pub(super) struct Operator {
    http: reqwest::Client,
    base_url: String,
    token: String,
}

/// How many enrollments of the batch are in each state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(Value);

impl Counts {
    pub(super) fn of_all(&self) -> u64 {
        self.0.as_array().into_iter().flatten().map(|row| number(row, "count")).sum()
    }

    pub(super) fn of(&self, states: &[&str]) -> u64 {
        let rows = self.0.as_array().into_iter().flatten();
        rows.filter(|row| row["state"].as_str().is_some_and(|state| states.contains(&state)))
            .map(|row| number(row, "count"))
            .sum()
    }
}

/// How an import ended.
pub(super) struct Imported {
    pub(super) people: u64,
    /// Why it was refused.
    pub(super) problem: Option<String>,
}

impl Operator {
    pub(super) fn new(base_url: &str, token: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Self { http, base_url: base_url.to_owned(), token })
    }

    /// Saves the settings and presses Authorize, unless an earlier run did.
    pub(super) async fn connect(&self, vendors: &Vendors) -> anyhow::Result<String> {
        let known = self.get("/api/integrations").await?;
        let integration = match known["items"].get(0) {
            Some(integration) => integration.clone(),
            None => self.post("/api/integrations", &vendors.settings()).await?,
        };
        let id = text(&integration, "id")?;
        // An earlier run may have ended between its settings and its sign-in; the redirect URI names a new port.
        let begun = self.post(&format!("/api/integrations/{id}/authorize"), &json!({})).await?;
        self.sign_in(&text(&begun, "url")?).await?;
        Ok(id)
    }

    /// What a browser does with the Authorize link.
    async fn sign_in(&self, link: &str) -> anyhow::Result<()> {
        let began = self.http.get(link).send().await?;
        let cookie = began.headers().get(header::SET_COOKIE).context("Authorize set no cookie")?;
        let cookie = cookie.to_str()?.split(';').next().unwrap_or_default().to_owned();
        let entra = self.http.get(location(&began)?).send().await?;
        let back = self.http.get(location(&entra)?).header(header::COOKIE, cookie).send().await?;
        if back.status() != StatusCode::SEE_OTHER {
            bail!("Authorize ended with {}: {}", back.status(), back.text().await?);
        }
        Ok(())
    }

    /// Imports the directory, unless an earlier run did.
    pub(super) async fn import_people(&self, integration: &str, progress: &Progress) -> anyhow::Result<Imported> {
        let import = self.get(&format!("/api/integrations/{integration}/people/import")).await?;
        let imported = match import["finished_at"].is_null() || import["problem"].is_string() {
            true => self.import_again(integration, progress).await?,
            false => Imported { people: number(&import, "seen"), problem: None },
        };
        progress.people(imported.people);
        Ok(imported)
    }

    /// Imports the directory, or what changed in it since.
    pub(super) async fn import_again(&self, integration: &str, progress: &Progress) -> anyhow::Result<Imported> {
        let path = format!("/api/integrations/{integration}/people/import");
        if self.get(&path).await?["running"] != json!(true) {
            self.post(&path, &json!({})).await?;
        }
        let since = Instant::now();
        loop {
            let import = self.get(&path).await?;
            let people = number(&import, "seen");
            if import["running"] == json!(false) {
                return Ok(Imported { people, problem: import["problem"].as_str().map(str::to_owned) });
            }
            progress.people(people);
            if since.elapsed() > STALLED {
                bail!("the import does not end: {import}");
            }
            glance().await;
        }
    }

    /// Plans a batch for everybody and approves it, or goes on with that of an earlier run.
    pub(super) async fn approve_everybody(&self, integration: &str, progress: &Progress) -> anyhow::Result<String> {
        let path = format!("/api/integrations/{integration}/batches");
        let known = self.get(&path).await?;
        let batch = match known["items"].get(0) {
            Some(batch) => batch.clone(),
            None => {
                let wanted = json!({ "everybody": true, "product": 700, "days": 365, "purpose": "general" });
                self.post(&path, &wanted).await?
            }
        };
        let id = text(&batch, "id")?;
        let path = format!("{path}/{id}");
        let since = Instant::now();
        loop {
            let batch = self.get(&path).await?;
            match batch["status"].as_str() {
                Some("ready") => {
                    progress.say(&format!(
                        "planned: {} orders for {}, {} people left out",
                        number(&batch, "planned"),
                        batch["total"]["text"].as_str().unwrap_or("?"),
                        number(&batch, "left_out"),
                    ));
                    // Somebody may have approved it in this moment; the next look tells.
                    let _ = self.post(&format!("{path}/approve"), &json!({})).await?;
                }
                Some("planning" | "approving") => {}
                Some(_) => return Ok(id),
                None => bail!("the batch has no status: {batch}"),
            }
            if since.elapsed() > STALLED {
                bail!("the plan does not get ready: {batch}");
            }
            glance().await;
        }
    }

    /// Follows the batch until nothing moves by itself any more and the devices have opened what was imported.
    /// Purchases that nobody can be sure of are decided as the runbook says: looked for once more, and ruled out
    /// only if SSL.com's listing shows none.
    pub(super) async fn watch(
        &self,
        integration: &str,
        batch: &str,
        vendors: &Vendors,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let mut before = (Counts::default(), 0);
        let mut since = Instant::now();
        let mut asked = Instant::now();
        loop {
            let counts = self.counts(integration, batch).await?;
            let delivered = vendors.delivered();
            progress.counts(&counts, delivered);
            let moving = counts.of(&MOVING).saturating_sub(self.waiting_outside(integration, &counts, vendors).await?);
            let delivering = counts.of(&["imported"]).saturating_sub(delivered + vendors.undeliverable());
            let is_last_look = moving == 0 && delivering == 0;
            let resolved = match counts.of(&["unsure"]) {
                unsure if unsure > 0 && (is_last_look || asked.elapsed() > ASK_AGAIN) => {
                    asked = Instant::now();
                    self.resolve_unsure(integration, progress).await?
                }
                _ => 0,
            };
            if moving == 0 && resolved == 0 && delivering == 0 {
                return Ok(());
            }
            let now = (counts, delivered);
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > STALLED {
                return Ok(());
            }
            glance().await;
        }
    }

    /// Enrollments that no machine moves, although their state is one that machines move: under validation, where an order
    /// rests until a person does what is said; and not yet ordered, until a person resolved some of the unsure ones.
    pub(super) async fn waiting_outside(
        &self,
        integration: &str,
        counts: &Counts,
        vendors: &Vendors,
    ) -> anyhow::Result<u64> {
        let resting = vendors.resting_orders();
        let mut waiting = 0;
        for (state, may_wait) in [("validating", !resting.is_empty()), ("requested", counts.of(&["unsure"]) > 0)] {
            if may_wait && counts.of(&[state]) > 0 {
                let rows = self.enrollments(integration, &format!("state={state}&")).await?;
                waiting += rows.iter().filter(|row| asks_for_a_person(row, &resting)).count() as u64;
            }
        }
        Ok(waiting)
    }

    /// Every enrollment, as far as this begins its query.
    pub(super) async fn enrollments(&self, integration: &str, query: &str) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/integrations/{integration}/enrollments?{query}limit=200{after}");
            let mut page = self.get(&path).await?;
            if let Some(items) = page["items"].as_array_mut() {
                all.append(items);
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(all),
            }
        }
    }

    async fn resolve_unsure(&self, integration: &str, progress: &Progress) -> anyhow::Result<u64> {
        let path = format!("/api/integrations/{integration}/enrollments");
        let unsure = self.get(&format!("{path}?state=unsure&limit=200")).await?;
        let mut resolved = 0;
        for row in unsure["items"].as_array().into_iter().flatten() {
            let id = text(row, "id")?;
            let path = format!("{path}/{id}/resolve");
            let (status, _) = self.send(Method::POST, &path, Some(&json!({ "not_bought": true }))).await?;
            if status.is_success() {
                resolved += 1;
                progress.say(&format!("looked once more for the purchase of enrollment {id}"));
            }
        }
        Ok(resolved)
    }

    pub(super) async fn counts(&self, integration: &str, batch: &str) -> anyhow::Result<Counts> {
        let batch = self.get(&format!("/api/integrations/{integration}/batches/{batch}")).await?;
        Ok(Counts(batch["counts"].clone()))
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answered(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.answered(Method::POST, path, Some(body)).await
    }

    async fn answered(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.send(method.clone(), path, body).await?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {answer}");
        }
        Ok(answer)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        Ok((status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? }))
    }
}

pub(super) fn asks_for_a_person(row: &Value, resting: &HashSet<String>) -> bool {
    let says = |what| row["note"].as_str().is_some_and(|note| note.contains(what));
    let rests = row["order"]["reference"].as_str().is_some_and(|reference| resting.contains(reference));
    match row["state"].as_str() {
        Some("validating") => rests && (says("link") || says("portal")),
        Some("requested") => says("too many purchases of this batch have no answer"),
        _ => false,
    }
}

/// The pause before the API is asked again.
#[expect(clippy::disallowed_methods, reason = "the API does not tell by itself that something changed")]
async fn glance() {
    tokio::time::sleep(GLANCE).await;
}

fn location(answer: &reqwest::Response) -> anyhow::Result<String> {
    let location = answer.headers().get(header::LOCATION);
    let location = location.with_context(|| format!("{} does not lead anywhere", answer.status()))?;
    Ok(location.to_str()?.to_owned())
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("the answer has no {name}: {value}"))?.to_owned())
}

pub(super) fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}
