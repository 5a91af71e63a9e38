//! One tenant: its people, applications, profiles and records, and its connector.

use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Organisation;
use crate::{
    connector::{Connector, Outcome, delivery::Deliveries},
    directory::{Directory, id_from},
    entra::{App, SignIn},
    graph::{profiles::Profile, record::Records},
    journal::{Entry, Journal},
};

/// One tenant of the world.
pub struct Tenant {
    id: Uuid,
    directory: Directory,
    connector: Connector,
    deliveries: Deliveries,
    journal: Journal,
    pub(crate) records: Records,
    state: Mutex<TenantState>,
}

struct TenantState {
    apps: BTreeMap<String, App>,
    profiles: Vec<Profile>,
    sign_in: SignIn,
}

impl Tenant {
    pub(super) fn new(
        seed: u64,
        organisation: &Organisation,
        journal: &Journal,
        entries: &[Entry],
        deliveries: &Deliveries,
        changed: mpsc::UnboundedSender<String>,
    ) -> io::Result<Self> {
        let id = organisation.tenant_id;
        let directory = Directory::new(seed, id, &organisation.domains, organisation.people, journal.clone());
        directory.resume(entries)?;
        let bits = organisation.connector_key_bits;
        let connector = Connector::new(seed, id, bits, journal.clone(), entries)?;
        let attempts = deliveries.all();
        let revision = attempts.iter().filter(|delivery| delivery.tenant_id == id);
        let revision = revision.map(|delivery| delivery.revision).max().unwrap_or(0);
        let records = Records::new(id, journal.clone(), entries, revision, changed)?;
        for record in records.all() {
            let last = deliveries.last(id, &record.id);
            if last.is_none_or(|last| last.revision != record.revision) {
                records.announce(&record.id);
            }
        }
        let upn = format!("admin@{}", organisation.domains.first().map_or("", String::as_str));
        let oid = id_from(&format!("administrator of {id}"));
        let profiles = entries
            .iter()
            .find(|entry| entry.kind == PROFILES && entry.key == id.to_string())
            .map(|entry| serde_json::from_value(entry.value.clone()))
            .transpose()?
            .unwrap_or_else(|| Profile::one_for_each_purpose(id));
        let tenant = Self {
            id,
            directory,
            connector,
            deliveries: deliveries.clone(),
            journal: journal.clone(),
            records,
            state: Mutex::new(TenantState {
                apps: BTreeMap::new(),
                profiles,
                sign_in: SignIn::Automatically { oid, upn },
            }),
        };
        tenant.register(App::importer(
            &organisation.client_id,
            &organisation.client_secret,
            &organisation.redirect_uris,
        ));
        Ok(tenant)
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Registers an application, or replaces the one with its client id.
    pub fn register(&self, app: App) {
        self.lock().apps.insert(app.client_id.clone(), app);
    }

    pub fn app(&self, client_id: &str) -> Option<App> {
        self.lock().apps.get(client_id).cloned()
    }

    /// What an administrator's click on the consent page does.
    pub(crate) fn consent(&self, client_id: &str) {
        if let Some(app) = self.lock().apps.get_mut(client_id) {
            app.consented = true;
        }
    }

    pub fn signs_in(&self) -> SignIn {
        self.lock().sign_in.clone()
    }

    pub fn set_sign_in(&self, sign_in: SignIn) {
        self.lock().sign_in = sign_in;
    }

    pub fn profiles(&self) -> Vec<Profile> {
        self.lock().profiles.clone()
    }

    /// Replaces the profiles. Records that waited for one are tried again.
    pub fn set_profiles(&self, profiles: Vec<Profile>) {
        self.journal
            .append(PROFILES, &self.id.to_string(), &profiles)
            .expect("a world that cannot write its journal must not go on");
        self.lock().profiles = profiles;
        for record in self.records.all() {
            let last = self.deliveries.last(self.id, &record.id);
            if last.is_some_and(|last| matches!(last.outcome, Outcome::Failed { event_id: None, .. })) {
                self.records.announce(&record.id);
            }
        }
    }

    /// The connector's server comes up again and takes what waited.
    pub fn start_connector(&self) {
        self.connector.set_running();
        for id in self.records.waiting() {
            self.records.announce(&id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, TenantState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const PROFILES: &str = "profiles";
