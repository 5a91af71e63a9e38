//! What became of each record: the connector opens its password, a device installs its certificate.
//!
//! A record is tried once for each of its revisions, as soon as it changes.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::{
    device,
    graph::record::Record,
    journal::{Entry, Journal},
    microsoft::Tenant,
    pfx::Refused,
};

/// One attempt to bring a record to its person's devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub tenant_id: Uuid,
    pub record_id: String,
    /// The record's revision; a PATCH makes a new one.
    pub revision: u64,
    pub user_id: Uuid,
    pub upn: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Delivered {
        thumbprint: String,
        /// The display name of the profile that asked for it.
        profile: String,
    },
    Failed {
        /// The connector's event: 2052 when the password did not open, 2001 when the device
        /// refused; none when no profile asked for the record, so that no event ever appears.
        event_id: Option<u16>,
        cause: String,
    },
}

impl Outcome {
    pub fn is_delivered(&self) -> bool {
        matches!(self, Self::Delivered { .. })
    }
}

/// Every delivery of a world, in order. Clones share them.
#[derive(Clone)]
pub(crate) struct Deliveries {
    journal: Journal,
    state: Arc<Mutex<State>>,
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    all: Vec<Delivery>,
    last: HashMap<(Uuid, String), usize>,
    delivered: u64,
}

impl Deliveries {
    pub(crate) fn new(journal: Journal, entries: &[Entry]) -> io::Result<Self> {
        let mut state = State::default();
        for entry in entries.iter().filter(|entry| entry.kind == JOURNAL_KIND) {
            state.put(serde_json::from_value(entry.value.clone())?);
        }
        let count = watch::Sender::new(state.all.len() as u64);
        Ok(Self { journal, state: Arc::new(Mutex::new(state)), count })
    }

    pub(crate) fn all(&self) -> Vec<Delivery> {
        self.lock().all.clone()
    }

    /// The newest attempt for a record.
    pub(crate) fn last(&self, tenant: Uuid, record_id: &str) -> Option<Delivery> {
        let state = self.lock();
        let place = state.last.get(&(tenant, record_id.to_owned()))?;
        state.all.get(*place).cloned()
    }

    /// How many records are on the devices now.
    pub(crate) fn delivered_count(&self) -> u64 {
        self.lock().delivered
    }

    /// How many records' newest attempt failed.
    pub(crate) fn failed_count(&self) -> u64 {
        let state = self.lock();
        state.last.len() as u64 - state.delivered
    }

    /// Tells the number of attempts each time the connector looked at a record.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    fn put(&self, delivery: Delivery) {
        let mut state = self.lock();
        let number = state.all.len();
        self.journal
            .append(JOURNAL_KIND, &format!("{number:09}"), &delivery)
            .expect("a world that cannot write its journal must not go on");
        state.put(delivery);
    }

    /// Wakes who waits for the connector.
    fn announce(&self) {
        let count = self.lock().all.len() as u64;
        self.count.send_replace(count);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, delivery: Delivery) {
        self.delivered += u64::from(delivery.outcome.is_delivered());
        let key = (delivery.tenant_id, delivery.record_id.clone());
        if let Some(before) = self.last.insert(key, self.all.len()) {
            self.delivered -= u64::from(self.all[before].outcome.is_delivered());
        }
        self.all.push(delivery);
    }
}

const JOURNAL_KIND: &str = "delivery";

/// Takes each record whose id arrives, until the tenant is gone.
pub(crate) async fn deliver_changes(
    tenant: Arc<Tenant>,
    deliveries: Deliveries,
    mut changed: mpsc::UnboundedReceiver<String>,
) {
    while let Some(record_id) = changed.recv().await {
        // `Tenant::start_connector` sends every record that still waits.
        if tenant.connector().is_running()
            && let Some(record) = tenant.records.find(&record_id)
        {
            let attempting = Arc::clone(&tenant);
            let attempt = tokio::task::spawn_blocking(move || attempt(&attempting, &record));
            let Ok(delivery) = attempt.await else { continue };
            // A record that was changed or deleted meanwhile is judged anew or not at all.
            let revision = delivery.revision;
            if tenant.records.has_revision(&record_id, revision) {
                deliveries.put(delivery);
                tenant.records.tried(&record_id, revision);
            }
        }
        deliveries.announce();
    }
}

fn attempt(tenant: &Tenant, record: &Record) -> Delivery {
    Delivery {
        tenant_id: tenant.id(),
        record_id: record.id.clone(),
        revision: record.revision,
        user_id: record.user_id,
        upn: record.user_principal_name.clone(),
        outcome: outcome(tenant, record),
    }
}

fn outcome(tenant: &Tenant, record: &Record) -> Outcome {
    let purpose = record.intended_purpose;
    let Some(profile) = tenant.profiles().into_iter().find(|profile| profile.intended_purpose == purpose) else {
        return Outcome::Failed {
            event_id: None,
            cause: format!("no imported-PFX profile has the purpose {purpose:?}"),
        };
    };
    let password = match open_password(tenant, record) {
        Ok(password) => password,
        Err(refused) => {
            return Outcome::Failed { event_id: Some(2052), cause: format!("2052 re-encrypt failed: {refused}") };
        }
    };
    match install(tenant, record, &password) {
        Ok(()) => Outcome::Delivered { thumbprint: record.thumbprint.clone(), profile: profile.display_name },
        Err(refused) => Outcome::Failed { event_id: Some(2001), cause: refused.to_string() },
    }
}

fn open_password(tenant: &Tenant, record: &Record) -> Result<String, Refused> {
    let bytes = tenant.connector().decrypt(
        &record.provider_name,
        &record.key_name,
        record.padding_scheme,
        &record.encrypted_pfx_password,
    )?;
    // The connector decodes as ASCII: UTF-16, a NUL or an umlaut gives another password.
    let password = String::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
        .ok_or_else(|| Refused::because("the password is not printable ASCII"))?;
    if password.len() < SHORTEST_PASSWORD {
        return Err(Refused::because("the password is too short to protect the key"));
    }
    Ok(password)
}

/// The password alone protects the private key wherever the record travels.
const SHORTEST_PASSWORD: usize = 16;

fn install(tenant: &Tenant, record: &Record, password: &str) -> Result<(), Refused> {
    let person = tenant.directory().person(record.user_id).ok_or_else(|| Refused::because("the person is gone"))?;
    let address = person.primary_address().ok_or_else(|| Refused::because("the person has no mailbox"))?;
    device::install(
        &record.pfx,
        password,
        &device::Expected {
            thumbprint: &record.thumbprint,
            address,
            not_before: record.start_date_time,
            not_after: record.expiration_date_time,
        },
    )
}
