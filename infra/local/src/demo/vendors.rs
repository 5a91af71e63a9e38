//! The simulated vendors of the demonstration: one organisation with a funded SSL.com account, an active EPKI agreement,
//! an Entra tenant and an Intune connector.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sim::{
    connector::Outcome,
    entra::App,
    faults::{Fault, Faults, Wait},
    microsoft::{self, Microsoft},
    sslcom::{self, OrderRecord, OrderState, SslCom},
};

use super::{
    Options,
    quirks::{DirectoryEvent, Switches},
};

const ORGANISATION: &str = "Contoso Example Ltd";
const DOMAIN: &str = "contoso.example";

pub(super) struct Vendors {
    sslcom: SslCom,
    microsoft: Microsoft,
    nobody_clicks: bool,
    before_second_import: Option<DirectoryEvent>,
    organisation: microsoft::Organisation,
    account: sslcom::Account,
}

impl Vendors {
    pub(super) async fn start(options: &Options, folder: &Path, base_url: &str) -> anyhow::Result<Self> {
        let switches = Switches::of(&options.vendor_quirk)?;
        let faults = Faults::default();
        for (call, fault) in switches.faults {
            plan_once(&faults, call, fault);
        }
        options.fault.iter().try_for_each(|wish| plan(&faults, wish))?;
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let people = usize::try_from(options.people).unwrap_or(usize::MAX);
        let organisation = microsoft::Organisation {
            redirect_uris: vec![format!("{base_url}/oauth/callback")],
            domains: vec![DOMAIN.to_owned()],
            ..microsoft::Organisation::from_seed(options.seed, people)
        };
        // Secrets follow from the seed, so that they need not be written anywhere.
        let account = sslcom::Account {
            account_key: format!("sim-account-{:016x}", options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            secret_key: format!("sim-secret-{:016x}", options.seed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)),
            funds_cents: u64::MAX / 2,
            products: vec![600, 700],
            organisation: Some(ORGANISATION.to_owned()),
        };
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let sslcom = SslCom::start(sslcom::Options {
            seed: options.seed,
            journal: Some(folder.to_owned()),
            accounts: vec![account.clone()],
            organisations: vec![sslcom::Organisation::with_agreement(ORGANISATION, DOMAIN, today)],
            behaviour: switches.sslcom,
            faults: faults.clone(),
            ..sslcom::Options::default()
        });
        let sslcom = sslcom.await.context("the simulated SSL.com does not start")?;
        let microsoft = Microsoft::start(microsoft::Options {
            folder: Some(folder.to_owned()),
            organisations: vec![organisation.clone()],
            behaviour: switches.graph,
            faults,
            ..microsoft::Options::new(options.seed, people)
        });
        let microsoft = microsoft.await.context("the simulated Microsoft does not start")?;
        let tenant = microsoft.first_tenant();
        if let (Some(roles), Some(app)) = (switches.app_roles, tenant.app(&organisation.client_id)) {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            tenant.register(App { roles, ..app });
        }
        let (nobody_clicks, before_second_import) = (switches.nobody_clicks, switches.before_second_import);
        Ok(Self { sslcom, microsoft, nobody_clicks, before_second_import, organisation, account })
    }

    /// Orders that stay as they are until the mailbox's owner or the customer does something.
    pub(super) fn resting_orders(&self) -> HashSet<String> {
        let clicks = self.sslcom.behaviour().clicks_by_themselves_after.is_some();
        let rests = |order: &OrderRecord| match order.state {
            OrderState::WaitingForValidation => true,
            OrderState::Validating => self.nobody_clicks && !clicks && order.validation_mails > 0,
            _ => false,
        };
        self.sslcom.orders().iter().filter(|order| rests(order)).map(|order| order.reference.clone()).collect()
    }

    /// Lets happen what a second import has to meet. False: there is no reason for one.
    pub(super) fn make_a_second_import_worthwhile(&self) -> bool {
        let directory = self.microsoft.directory();
        match self.before_second_import {
            None => return false,
            Some(DirectoryEvent::LinksExpire) => directory.expire_delta_tokens(),
            Some(DirectoryEvent::SomebodyChanges) => {
                for person in directory.people().iter().take(1) {
                    directory.change(person.id, |person| person.display_name.push_str(" (Sales)"));
                }
            }
        }
        true
    }

    /// The CA's own certificate, as an operator would paste it into the deployment file.
    pub(super) fn intermediates(&self) -> String {
        self.sslcom.issuing_certificate_pem()
    }

    /// What was paid: the references by our order number.
    pub(super) fn paid(&self) -> BTreeMap<String, Vec<String>> {
        self.sslcom.till().by_external_order_number
    }

    pub(super) fn sslcom(&self) -> &str {
        self.sslcom.base_url()
    }

    pub(super) fn entra(&self) -> &str {
        self.microsoft.entra_base_url()
    }

    pub(super) fn graph(&self) -> &str {
        self.microsoft.graph_base_url()
    }

    /// What the operator types into the settings.
    pub(super) fn settings(&self) -> Value {
        let mut settings = sim::operator::settings(&self.organisation, self.microsoft.connector(), &self.account);
        settings["orders_per_batch"] = json!(100_000);
        settings["orders_per_day"] = json!(100_000);
        settings
    }

    pub(super) fn purchases(&self) -> u64 {
        self.sslcom.till().purchases
    }

    pub(super) fn delivered(&self) -> u64 {
        self.microsoft.delivered_count()
    }

    /// Records whose newest attempt failed at the connector or at the device.
    pub(super) fn undeliverable(&self) -> u64 {
        self.microsoft.failed_count()
    }

    /// What the judges saw that must never happen.
    pub(super) fn defects(&self) -> Vec<String> {
        let mut seen = Vec::new();
        let defects = self.sslcom.defects();
        for (what, count) in [
            ("an issued order was re-keyed", defects.rekeys),
            ("a request was replaced", defects.replaced_requests),
            ("an unknown order was written to", defects.updates_of_unknown_references),
            ("an order number was bought again", defects.repeated_purchases),
            ("an order had no number", defects.purchases_without_number),
            ("a callback carried personal data", defects.callbacks_with_personal_data),
            ("a body was not declared as JSON", defects.wrong_content_types),
        ] {
            if count > 0 {
                seen.push(format!("{what} ({count})"));
            }
        }
        for delivery in self.microsoft.deliveries() {
            if let Outcome::Failed { cause, .. } = &delivery.outcome {
                seen.push(format!("record {} did not reach its device: {cause}", delivery.record_id));
            }
        }
        seen
    }
}

/// The product that the demonstration buys, at the simulator's price.
pub(super) fn products() -> anyhow::Result<::sslcom::ProductTable> {
    let rows = json!([{
        "code": 700,
        "label": "Personal ID + Organization (IV+OV) S/MIME",
        "certificate_type": "sponsor",
        "offers": [{ "days": 365, "price_cents": 7_600 }, { "days": 730, "price_cents": 15_200 }],
    }]);
    Ok(serde_json::from_value(rows)?)
}

/// Plans a fault as `--fault CALL=FAULT[:TIMES|:always]` says.
fn plan(faults: &Faults, wish: &str) -> anyhow::Result<()> {
    let (call, fault) = wish.split_once('=').with_context(|| format!("--fault {wish}: write it as CALL=FAULT"))?;
    if !CALLS.contains(&call) {
        bail!("--fault {wish}: {call} is not a call; use one of {}", CALLS.join(", "));
    }
    let (fault, times) = match fault.split_once(':') {
        Some((fault, times)) => (fault, Some(times)),
        None => (fault, None),
    };
    let fault = match fault {
        "fail" => Fault::FailBefore(500),
        "drop" => Fault::DropBefore,
        "lose-answer" => Fault::LoseAnswer,
        "fail-after" => Fault::FailAfter(500),
        "throttle" => Fault::Throttle(Wait::Seconds(1)),
        "slow" => Fault::Slow(Duration::from_secs(5)),
        "malformed" => Fault::Malformed,
        other => bail!("--fault {wish}: {other} is not a fault; see --help"),
    };
    match times {
        Some("always") => faults.always(call, fault),
        Some(times) => {
            let times = times.parse().with_context(|| format!("--fault {wish}: {times} is not a number"))?;
            faults.times(call, times, fault);
        }
        None => plan_once(faults, call, fault),
    }
    Ok(())
}

/// A purchase once for each enrollment, another call once at all.
fn plan_once(faults: &Faults, call: &str, fault: Fault) {
    match call {
        "sslcom.create" => faults.once_per(call, order_number, fault),
        _ => faults.next(call, fault),
    }
}

fn order_number(body: &[u8]) -> Option<String> {
    let order: Value = serde_json::from_slice(body).ok()?;
    let number = order["external_order_number"].as_str()?;
    // Without the attempt: one fault for each enrollment.
    Some(number.rsplit_once('-').map_or(number, |(enrollment, _)| enrollment).to_owned())
}

const CALLS: [&str; 16] = [
    "sslcom.create",
    "sslcom.list",
    "sslcom.retrieve",
    "sslcom.update",
    "sslcom.revoke",
    "entra.token",
    "entra.jwks",
    "entra.authorize",
    "graph.users",
    "graph.user",
    "graph.users_delta",
    "graph.group_members",
    "graph.pfx_create",
    "graph.pfx_get",
    "graph.pfx_list",
    "graph.pfx_update",
];
