//! The process of the simulators: one SSL.com, and one Microsoft with as many tenants as there are integrations.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sim::{
    graph,
    microsoft::{self, Microsoft},
    sslcom::{self, SslCom},
};

use crate::process::{Questions, say};

#[derive(Args)]
pub(crate) struct Options {
    /// How many people each organisation has.
    #[arg(long, value_delimiter = ',', required = true)]
    people: Vec<usize>,
    /// How long issuing takes.
    #[arg(long, default_value_t = 20)]
    issue_after_ms: u64,
}

/// What it can be asked.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Question {
    /// What arrived, what was bought, what was delivered, and what must never happen.
    Report,
    /// How they answer from now on.
    Answer {
        /// Seconds of their world that pass in one of ours.
        speed: u32,
        /// SSL.com answers so late, in its own time.
        sslcom_after_ms: u64,
        /// SSL.com takes so many calls in a minute of its own time.
        sslcom_calls_per_minute: Option<u32>,
        /// Graph's documented limits hold.
        graph_limits: bool,
    },
}

/// Registered in Entra; whoever follows the sign-in goes on to where the application listens.
pub(crate) const REDIRECT_URL: &str = "http://localhost:8080/oauth/callback";
/// A sponsor-validated certificate for a year, and its price.
pub(crate) const PRODUCT: u32 = 700;
pub(crate) const PRICE_CENTS: u64 = 7_600;

const DOMAIN: &str = "contoso.example";
const SECRET_KEY: &str = "sim-secret";
const SEED: u64 = 11;

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let organisations: Vec<_> = options.people.iter().zip(SEED..).map(organisation).collect();
    let microsoft = Microsoft::start(microsoft::Options {
        organisations: organisations.clone(),
        ..microsoft::Options::new(SEED, 0)
    });
    let microsoft = microsoft.await?;
    let sslcom = SslCom::start(shop(&organisations, Duration::from_millis(options.issue_after_ms))).await?;
    let settings: Vec<_> = organisations.iter().map(|organisation| settings(organisation, &microsoft)).collect();
    say(&json!({
        "sslcom": sslcom.base_url(),
        "entra": microsoft.entra_base_url(),
        "graph": microsoft.graph_base_url(),
        "settings": settings,
    }));

    let mut questions = Questions::of_this_process();
    while let Some(question) = questions.next().await? {
        match question {
            Question::Report => say(&report(&sslcom, &microsoft)),
            Question::Answer { speed, sslcom_after_ms, sslcom_calls_per_minute, graph_limits } => {
                sslcom.set_behaviour(sslcom::Behaviour {
                    speed,
                    answers_after: Duration::from_millis(sslcom_after_ms),
                    limits: sslcom_calls_per_minute
                        .map(|calls| sslcom::behaviour::Limits { calls, window: Duration::from_mins(1) }),
                    ..sslcom.behaviour()
                });
                microsoft.set_behaviour(graph::behaviour::Behaviour {
                    speed,
                    limits: graph_limits.then_some(graph::behaviour::Limits::DOCUMENTED),
                    ..microsoft.behaviour()
                });
                say(&json!({}));
            }
        }
    }
    Ok(())
}

fn organisation((people, seed): (&usize, u64)) -> microsoft::Organisation {
    microsoft::Organisation {
        redirect_uris: vec![REDIRECT_URL.to_owned()],
        domains: vec![DOMAIN.to_owned()],
        ..microsoft::Organisation::from_seed(seed, *people)
    }
}

/// Each organisation has an account of its own.
fn shop(organisations: &[microsoft::Organisation], issue_after: Duration) -> sslcom::Options {
    let validated_on = Timestamp::now().to_zoned(TimeZone::UTC).date();
    sslcom::Options {
        seed: SEED,
        accounts: organisations.iter().map(account).collect(),
        organisations: organisations
            .iter()
            .map(|organisation| sslcom::Organisation::with_agreement(&name(organisation), DOMAIN, validated_on))
            .collect(),
        issue_after: Some(issue_after),
        ..sslcom::Options::default()
    }
}

fn account(organisation: &microsoft::Organisation) -> sslcom::Account {
    sslcom::Account {
        account_key: account_key(organisation),
        secret_key: SECRET_KEY.to_owned(),
        funds_cents: u64::MAX / 2,
        products: vec![PRODUCT],
        organisation: Some(name(organisation)),
    }
}

fn account_key(organisation: &microsoft::Organisation) -> String {
    format!("sim-account-{}", organisation.tenant_id)
}

fn name(organisation: &microsoft::Organisation) -> String {
    format!("Contoso {}", organisation.tenant_id)
}

/// What the operator types in; as many orders as there are people may be placed at once.
fn settings(organisation: &microsoft::Organisation, microsoft: &Microsoft) -> Value {
    let tenant = microsoft.tenant(organisation.tenant_id).expect("each organisation is a tenant");
    let mut settings = sim::operator::settings(organisation, tenant.connector(), &account(organisation));
    settings["orders_per_batch"] = json!(100_000);
    settings["orders_per_day"] = json!(100_000);
    settings
}

fn report(sslcom: &SslCom, microsoft: &Microsoft) -> Value {
    let ca: BTreeMap<_, _> = CA_CALLS.into_iter().map(|call| (call, sslcom.calls(call))).collect();
    let graph: BTreeMap<_, _> = MICROSOFT_CALLS.into_iter().map(|call| (call, microsoft.calls(call))).collect();
    let defects = sslcom.defects();
    json!({
        "sslcom": ca,
        "microsoft": graph,
        "purchases": sslcom.till().purchases,
        "delivered": microsoft.delivered_count(),
        "undeliverable": microsoft.failed_count(),
        "defects": (defects != sslcom::Defects::default()).then(|| format!("{defects:?}")),
    })
}

const CA_CALLS: [&str; 8] = [
    "sslcom.create",
    "sslcom.list",
    "sslcom.retrieve",
    "sslcom.update",
    "sslcom.revoke",
    "sslcom.validations",
    "sslcom.retry_validation",
    "sslcom.other",
];

const MICROSOFT_CALLS: [&str; 10] = [
    "entra.token",
    "graph.users",
    "graph.users_delta",
    "graph.user",
    "graph.pfx_create",
    "graph.pfx_get",
    "graph.pfx_list",
    "graph.pfx_update",
    "graph.group_members",
    "graph.other",
];
