//! Both processes with what belongs to them: a folder, a deployment file, and an operator for each integration.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    application,
    operator::{Operator, TOKEN},
    process::Process,
    vendors::{self, PRICE_CENTS, PRODUCT, REDIRECT_URL},
};

pub(crate) struct World {
    pub(crate) vendors: Process,
    pub(crate) application: Process,
    /// One for each integration.
    pub(crate) operators: Vec<Operator>,
    config: PathBuf,
    counting: bool,
    /// Removed with the world.
    _folder: TempDir,
}

/// What differs from one world to another.
pub(crate) struct Setting<'a> {
    /// How many people each integration has.
    pub(crate) people: &'a [usize],
    /// Lines of the deployment file's table of this name.
    pub(crate) timing: &'a str,
    /// Over what the operator types in.
    pub(crate) settings: Value,
    pub(crate) counting: bool,
    pub(crate) issue_after_ms: u64,
}

impl World {
    /// Connected; nobody is imported yet.
    pub(crate) async fn start(setting: Setting<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let people = setting.people.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let issue_after = setting.issue_after_ms.to_string();
        let (vendors, ready) =
            Process::start(&["vendors", "--people", &people, "--issue-after-ms", &issue_after]).await?;
        let config = folder.path().join("deployment.toml");
        std::fs::write(&config, deployment_file(&folder.path().join("data"), &ready, setting.timing))?;
        let (application, base_url) = start_application(&config, setting.counting).await?;
        let mut operators = Vec::new();
        for mut settings in ready["settings"].as_array().cloned().unwrap_or_default() {
            for (field, value) in setting.settings.as_object().into_iter().flatten() {
                settings[field] = value.clone();
            }
            operators.push(Operator::connect(&base_url, &settings).await?);
        }
        Ok(Self { vendors, application, operators, config, counting: setting.counting, _folder: folder })
    }

    /// The application is killed, and started again over the same data.
    pub(crate) async fn kill_and_start_again(&mut self) -> anyhow::Result<()> {
        // Only the one of the next line may have the folder, so the old one has to be gone.
        let (placeholder, _) = Process::start(&["vendors", "--people", "0"]).await?;
        std::mem::replace(&mut self.application, placeholder).kill().await?;
        let (application, base_url) = start_application(&self.config, self.counting).await?;
        self.application = application;
        self.operators = self.operators.iter().map(|operator| operator.at(&base_url)).collect();
        Ok(())
    }

    pub(crate) async fn report(&mut self) -> anyhow::Result<Value> {
        self.vendors.ask(&vendors::Question::Report).await
    }

    pub(crate) async fn cost(&mut self) -> anyhow::Result<Value> {
        self.application.ask(&application::Question::Cost).await
    }

    pub(crate) async fn bare_key_ms(&mut self, count: u32) -> anyhow::Result<f64> {
        let answer = self.application.ask(&application::Question::Keys { count }).await?;
        answer["cpu_ms"].as_f64().context("no processor time")
    }
}

async fn start_application(config: &Path, counting: bool) -> anyhow::Result<(Process, String)> {
    let config = config.to_str().context("a folder with a strange name")?;
    let mut arguments = vec!["application", "--config", config];
    arguments.extend(counting.then_some("--counting"));
    let (application, ready) = Process::start(&arguments).await?;
    Ok((application, ready["base_url"].as_str().context("no address")?.to_owned()))
}

fn deployment_file(data: &Path, vendors: &Value, timing: &str) -> String {
    let (sslcom, entra, graph) = (&vendors["sslcom"], &vendors["entra"], &vendors["graph"]);
    let token = pki::sha256_hex(TOKEN.as_bytes());
    format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        redirect_url = "{REDIRECT_URL}"
        data = {data}

        [[api_token]]
        name = "operator"
        sha256 = "{token}"
        role = "admin"

        [sslcom]
        base_url = {sslcom}
        first_page = 0

        [microsoft]
        login_url = {entra}
        graph_url = {graph}

        [[product]]
        code = {PRODUCT}
        label = "Personal ID + Organization"
        certificate_type = "sponsor"
        offers = [{{ days = 365, price_cents = {PRICE_CENTS} }}]

        [timing]
        {timing}
        "#,
        data = json!(data),
    )
}
