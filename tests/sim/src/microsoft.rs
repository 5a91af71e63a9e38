//! One simulated Microsoft: Entra ID and Graph on two ports, and for each tenant a directory, its
//! records, its connector and a device.
//!
//! People, records, profiles, deliveries and the connector's key are journaled before the answer
//! goes out, so that a world can be killed and started again. Codes and tokens are forgotten, and
//! applications come from the options.

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
pub(crate) mod client;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test may panic")]
pub(crate) mod fixture;
mod options;
mod tenant;

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock},
    time::Instant,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use uuid::Uuid;

pub use options::{Options, Organisation};
pub use tenant::Tenant;

use crate::{
    connector::{
        Connector, Delivery,
        delivery::{Deliveries, deliver_changes},
    },
    directory::Directory,
    entra::{self, grants::Grants, keys::SigningKeys},
    faults::Faults,
    graph::{self, behaviour::Behaviour, record::Record, throttle::Throttle},
    journal::Journal,
    server::Server,
};

/// A running world. Dropping it stops everything.
pub struct Microsoft {
    world: Arc<World>,
    entra: Server,
    graph: Server,
    _connectors: JoinSet<()>,
}

impl Microsoft {
    /// # Errors
    /// When a port cannot be bound, the journal cannot be read or was made with another seed, or an
    /// organisation's key has no usable size.
    pub async fn start(options: Options) -> io::Result<Self> {
        let path = options.folder.as_ref().map(|folder| folder.join("microsoft.jsonl"));
        let (journal, entries) = Journal::open(path.as_deref())?;
        let deliveries = Deliveries::new(journal.clone(), &entries)?;
        let mut tenants = BTreeMap::new();
        let mut connectors = JoinSet::new();
        for organisation in &options.organisations {
            let (changed, changes) = mpsc::unbounded_channel();
            let tenant = Tenant::new(options.seed, organisation, &journal, &entries, &deliveries, changed)?;
            let tenant = Arc::new(tenant);
            connectors.spawn(deliver_changes(Arc::clone(&tenant), deliveries.clone(), changes));
            tenants.insert(tenant.id(), tenant);
        }
        let world = Arc::new(World {
            first: options.organisations.first().map(|organisation| organisation.tenant_id),
            tenants,
            behaviour: RwLock::new(options.behaviour),
            keys: SigningKeys::generate().map_err(io::Error::other)?,
            grants: Grants::default(),
            throttle: Throttle::default(),
            began: Instant::now(),
            deliveries,
            refusals: Mutex::default(),
            entra_url: OnceLock::new(),
            graph_url: OnceLock::new(),
        });
        let entra = Server::start(
            entra::router(Arc::clone(&world)),
            options.faults.clone(),
            entra::call_name,
            options.entra_port,
        );
        let entra = entra.await?;
        let graph =
            Server::start(graph::router(Arc::clone(&world)), options.faults, graph::call_name, options.graph_port);
        let graph = graph.await?;
        // Nobody knows the addresses before this function returns.
        let _ = world.entra_url.set(entra.base_url().to_owned());
        let _ = world.graph_url.set(graph.base_url().to_owned());
        Ok(Self { world, entra, graph, _connectors: connectors })
    }

    /// What the product has as the login host, e.g. `https://login.microsoftonline.com`.
    pub fn entra_base_url(&self) -> &str {
        self.entra.base_url()
    }

    /// What the product has as the Graph host, e.g. `https://graph.microsoft.com`.
    pub fn graph_base_url(&self) -> &str {
        self.graph.base_url()
    }

    pub fn tenant(&self, id: Uuid) -> Option<Arc<Tenant>> {
        self.world.tenant(id)
    }

    /// The tenant of the first organisation.
    ///
    /// # Panics
    /// When the world was made without one.
    pub fn first_tenant(&self) -> &Arc<Tenant> {
        let first = self.world.first.and_then(|id| self.world.tenants.get(&id));
        first.expect("the world was made without an organisation")
    }

    /// The first tenant's directory.
    pub fn directory(&self) -> &Directory {
        self.first_tenant().directory()
    }

    /// The first tenant's connector.
    pub fn connector(&self) -> &Connector {
        self.first_tenant().connector()
    }

    /// Every attempt of every tenant's connector, in order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.world.deliveries.all()
    }

    /// How many records' newest attempt brought them to a device.
    pub fn delivered_count(&self) -> u64 {
        self.world.deliveries.delivered_count()
    }

    /// How many records' newest attempt failed, those for which there was no profile included.
    pub fn failed_count(&self) -> u64 {
        self.world.deliveries.failed_count()
    }

    /// Tells the number of attempts each time it grows.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.world.deliveries.subscribe()
    }

    /// Waits until every record of every tenant was tried in its newest revision. It does not end
    /// while a connector with waiting records is stopped.
    pub async fn settled(&self) {
        let mut attempts = self.subscribe();
        while self.world.tenants.values().any(|tenant| tenant.records.has_waiting()) {
            if attempts.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until so many records are delivered.
    pub async fn delivered(&self, count: u64) {
        let mut attempts = self.subscribe();
        while self.delivered_count() < count {
            if attempts.changed().await.is_err() {
                return;
            }
        }
    }

    /// Every record of every tenant with its write-only fields.
    pub fn records(&self) -> Vec<Record> {
        self.world.tenants.values().flat_map(|tenant| tenant.records.all()).collect()
    }

    pub fn behaviour(&self) -> Behaviour {
        self.world.behaviour()
    }

    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self.world.behaviour.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// The faults of both servers.
    pub fn faults(&self) -> &Faults {
        self.graph.faults()
    }

    /// How many requests of each call arrived.
    pub fn all_calls(&self) -> BTreeMap<&'static str, u64> {
        self.entra.all_calls().into_iter().chain(self.graph.all_calls()).collect()
    }

    /// How many requests of this call arrived, e.g. `graph.pfx_create`.
    pub fn calls(&self, name: &str) -> u64 {
        self.entra.calls(name) + self.graph.calls(name)
    }

    /// What was refused and why, also where the answer did not say: call and cause.
    pub fn refusals(&self) -> Vec<(&'static str, String)> {
        self.world.refusals().clone()
    }

    /// Entra signs with a new key from now on.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate_keys(&self) -> io::Result<()> {
        self.world.keys.rotate().map_err(io::Error::other)
    }

    /// Every refresh token of the tenant is dead.
    pub fn revoke_sessions(&self, tenant: Uuid) {
        self.world.grants.revoke(tenant);
    }
}

/// What both servers share.
pub(crate) struct World {
    first: Option<Uuid>,
    tenants: BTreeMap<Uuid, Arc<Tenant>>,
    behaviour: RwLock<Behaviour>,
    pub(crate) keys: SigningKeys,
    pub(crate) grants: Grants,
    pub(crate) throttle: Throttle,
    pub(crate) began: Instant,
    deliveries: Deliveries,
    refusals: Mutex<Vec<(&'static str, String)>>,
    entra_url: OnceLock<String>,
    graph_url: OnceLock<String>,
}

impl World {
    pub(crate) fn tenant(&self, id: Uuid) -> Option<Arc<Tenant>> {
        self.tenants.get(&id).cloned()
    }

    pub(crate) fn behaviour(&self) -> Behaviour {
        self.behaviour.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn entra_url(&self) -> &str {
        self.entra_url.get().map_or("", String::as_str)
    }

    pub(crate) fn graph_url(&self) -> &str {
        self.graph_url.get().map_or("", String::as_str)
    }

    /// The audience of Graph's tokens, wherever this one listens.
    pub(crate) fn graph_audience(&self) -> &'static str {
        "https://graph.microsoft.com"
    }

    pub(crate) fn note_refusal(&self, call: &'static str, cause: &str) {
        self.refusals().push((call, cause.to_owned()));
    }

    fn refusals(&self) -> MutexGuard<'_, Vec<(&'static str, String)>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
