//! `serve`: the application against real endpoints, as a deployment file says.

use std::sync::Arc;

use anyhow::Context;
use domain::{IntegrationId, operator::Role, transition::Actor};
use flow::{
    Flow, Refusal,
    after_restore::{self, Compared},
    connect,
};
use jiff::Timestamp;
use ports::{Clock, Platform, Store};
use serde_json::{Map, Value};
use tokio::net::TcpListener;

use crate::{
    config::Config,
    platform::LocalPlatform,
    runner::{self, Running},
};

/// The application and how to reach it.
pub struct Served {
    pub running: Running,
    /// `http://127.0.0.1:8080`
    pub base_url: String,
    /// Signs the person in front of this machine in, once.
    pub sign_in_link: String,
    pub access: web::Access,
    pub flow: Flow<LocalPlatform>,
}

/// Listens where the file says, and starts everything.
pub async fn serve(config: Config) -> anyhow::Result<Served> {
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("{} cannot be listened on", config.listen))?;
    start(config, listener, Arc::new(Timestamp::now)).await
}

/// Opens the data folder, brings the configured integrations up to date and starts everything.
pub async fn start(config: Config, listener: TcpListener, clock: Clock) -> anyhow::Result<Served> {
    let platform = LocalPlatform::open(&config.data, clock.clone())
        .with_context(|| format!("the data folder {} cannot be used", config.data.display()))?;
    let flow = Flow::new(platform.clone(), config.vendors, config.deployment, clock.clone())?;
    for input in config.integrations {
        keep_integration(&flow, input).await?;
    }
    let base_url = format!("http://{}", listener.local_addr()?);
    let access = web::Access::new(config.tokens);
    let router =
        web::router(flow.clone(), access.clone(), web::Options { hosts: config.hosts, ..web::Options::default() });
    let ticket = access.one_time_ticket("this machine", Role::Admin, clock());
    let running = runner::start(&platform, &flow, router, listener, &clock, config.pace);
    Ok(Served { running, sign_in_link: format!("{base_url}/#ticket={ticket}"), base_url, access, flow })
}

/// Compares every integration's open enrollments with SSL.com's orders, after a backup was put back. Answers by name what came of
/// each: one that cannot be compared hinders no other.
pub async fn after_restore(config: Config) -> anyhow::Result<Vec<(String, Result<Compared, Refusal>)>> {
    let clock: Clock = Arc::new(Timestamp::now);
    let platform = LocalPlatform::open(&config.data, clock.clone())?;
    let flow = Flow::new(platform, config.vendors, config.deployment, clock)?;
    let by = Actor::Operator { name: "after-restore".to_owned() };
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = flow.platform().store().integrations(after, 100).await?;
        for row in page.items {
            let compared = after_restore::after_restore(&flow, row.id, &by).await;
            all.push((row.settings.name, compared));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Creates the integration of the file, or changes it where one for its tenant exists.
async fn keep_integration(flow: &Flow<LocalPlatform>, input: Map<String, Value>) -> anyhow::Result<()> {
    let by = Actor::Operator { name: "deployment file".to_owned() };
    let tenant = input.get("tenant_id").and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
    let kept = match known(flow, &tenant).await? {
        Some(id) => connect::change_settings(flow, id, input, &by).await,
        None => connect::create_integration(flow, input, &by).await,
    };
    match kept {
        Ok(_) => Ok(()),
        Err(Refusal::Invalid(problems)) => anyhow::bail!("{}", crate::config::Problems(problems)),
        Err(refusal) => Err(refusal).with_context(|| format!("the integration of tenant {tenant} was not stored")),
    }
}

async fn known(flow: &Flow<LocalPlatform>, tenant: &str) -> anyhow::Result<Option<IntegrationId>> {
    let mut after = None;
    loop {
        let page = flow.platform().store().integrations(after, 100).await?;
        let found = page.items.iter().find(|row| row.settings.tenant_id.to_string() == tenant);
        match (found, page.next) {
            (Some(row), _) => return Ok(Some(row.id)),
            (None, Some(next)) => after = Some(next),
            (None, None) => return Ok(None),
        }
    }
}
