//! What the steps are given: the platform, the vendors' clients, the deployment's choices, and the time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{IntegrationId, integration::Cloud};
use jiff::{SignedDuration, Timestamp};
use ports::{Clock, Platform, Store};
use tokio::sync::Mutex;
use url::Url;

use crate::{ca_pace::Pace, keys::DataKeys};

/// Everything a step needs, cheap to clone.
#[derive(Clone)]
pub struct Flow<P: Platform> {
    pub(crate) platform: P,
    pub(crate) ca: sslcom::Client,
    microsoft: Arc<BTreeMap<Cloud, MicrosoftClients>>,
    pub(crate) deployment: Arc<Deployment>,
    clock: Clock,
    pub(crate) tokens: Arc<Mutex<HashMap<IntegrationId, microsoft::entra::AppToken>>>,
    pub(crate) data_keys: Arc<Mutex<DataKeys>>,
    pub(crate) ca_paces: Arc<Mutex<HashMap<IntegrationId, Pace>>>,
}

/// The clients of one of Microsoft's clouds.
#[derive(Clone)]
pub(crate) struct MicrosoftClients {
    pub(crate) entra: microsoft::Entra,
    pub(crate) graph: microsoft::Graph,
}

/// Where the vendors are. Deployment configuration, never a setting of an integration.
#[derive(Clone, Debug)]
pub struct VendorEndpoints {
    pub sslcom: sslcom::Endpoint,
    pub statuses: sslcom::StatusTable,
    /// Instead of Microsoft's own hosts, for every cloud.
    pub microsoft: Option<microsoft::Endpoints>,
}

/// What the operator of the deployment decides, for all integrations.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Where browsers and the CA reach this deployment; `None`: no callbacks are asked for ("polling only").
    pub public_url: Option<Url>,
    /// The address that is registered in Entra as redirect URI.
    pub redirect_url: Url,
    pub products: sslcom::ProductTable,
    /// Certificates of the CA that complete a chain of which it sends too little. They are never fetched from anywhere.
    pub intermediates: pki::Bundle,
    pub stop_buying: bool,
    /// How long after the Buying write the purchase may still start. Longer is never allowed than 60 s.
    pub purchase_window: SignedDuration,
    /// How long a purchase without an answer is looked for. Longer than the POST's time-out and the function's together.
    pub quiet_time: SignedDuration,
    /// When a lost answer is looked up, counted from one look-up to the next.
    pub look_up_after: Vec<SignedDuration>,
    /// When validation is looked at, counted from one look to the next; the last repeats.
    pub poll_after: Vec<SignedDuration>,
    /// When an unclear import is read back before it is posted again.
    pub read_back_after: Vec<SignedDuration>,
    /// The wait before a vendor that was away is tried again; it doubles with every failure up to an hour.
    pub retry_after: SignedDuration,
    /// Failures of one step in a row after which a person has to look.
    pub failures_allowed: u32,
    /// Purchases of one batch that may be without an answer, or unsure, before no further one is begun.
    pub unanswered_allowed: u64,
    /// Enrollments that one sweep releases for one integration.
    pub released_per_sweep: usize,
    /// Whether orders for domains that are not pre-validated may wait for a click of the mailbox's owner.
    pub clicks_accepted: bool,
}

impl Default for Deployment {
    fn default() -> Self {
        let minutes = |minutes: &[i64]| minutes.iter().copied().map(SignedDuration::from_mins).collect();
        Self {
            public_url: None,
            redirect_url: Url::parse("http://localhost:8080/oauth/callback").expect("a constant URL"),
            products: sslcom::ProductTable::default(),
            intermediates: pki::Bundle::default(),
            stop_buying: false,
            purchase_window: SignedDuration::from_secs(60),
            quiet_time: SignedDuration::from_mins(30),
            look_up_after: vec![
                SignedDuration::from_secs(15),
                SignedDuration::from_mins(1),
                SignedDuration::from_mins(5),
                SignedDuration::from_mins(10),
            ],
            poll_after: minutes(&[1, 2, 5, 15, 60, 360]),
            read_back_after: vec![
                SignedDuration::ZERO,
                SignedDuration::from_secs(30),
                SignedDuration::from_mins(2),
                SignedDuration::from_mins(10),
            ],
            retry_after: SignedDuration::from_secs(60),
            failures_allowed: 20,
            unanswered_allowed: 20,
            released_per_sweep: 120,
            clicks_accepted: true,
        }
    }
}

impl<P: Platform> Flow<P> {
    /// # Errors
    ///
    /// When an endpoint cannot be used, such as plain HTTP to another machine.
    pub fn new(
        platform: P,
        vendors: VendorEndpoints,
        deployment: Deployment,
        clock: Clock,
    ) -> Result<Self, CannotStart> {
        let ca = sslcom::Client::new(vendors.sslcom, vendors.statuses)?.watched(watch("sslcom", &clock));
        let endpoints = |own| vendors.microsoft.clone().unwrap_or_else(|| microsoft::Endpoints::of(own));
        let (first, own) = CLOUDS[0];
        let entra = microsoft::Entra::new(endpoints(own))?.watched(watch("entra", &clock));
        let graph = microsoft::Graph::beside(&entra, endpoints(own))?.watched(watch("graph", &clock));
        let mut clouds = BTreeMap::from([(first, MicrosoftClients { entra: entra.clone(), graph: graph.clone() })]);
        for (cloud, own) in &CLOUDS[1..] {
            let endpoints = endpoints(*own);
            clouds.insert(*cloud, MicrosoftClients { entra: entra.at(&endpoints), graph: graph.at(&endpoints) });
        }
        Ok(Self {
            platform,
            ca,
            microsoft: Arc::new(clouds),
            deployment: Arc::new(deployment),
            clock,
            tokens: Arc::default(),
            data_keys: Arc::default(),
            ca_paces: Arc::default(),
        })
    }

    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The rows of one integration.
    pub fn rows(&self, integration: IntegrationId) -> <P::Store as Store>::Scoped {
        self.platform.store().of(integration)
    }

    pub(crate) fn microsoft(&self, cloud: Cloud) -> &MicrosoftClients {
        // `new` made clients for every cloud.
        &self.microsoft[&cloud]
    }
}

/// Logs how long each request to a vendor took and how it was answered; metrics are made of it.
fn watch(vendor: &'static str, clock: &Clock) -> sslcom::Watch {
    let clock = Arc::clone(clock);
    Arc::new(move || {
        let (began, clock) = (clock(), Arc::clone(&clock));
        Box::new(move |status| {
            let milliseconds = u64::try_from(clock().duration_since(began).as_millis()).unwrap_or_default();
            tracing::debug!(event = "vendor.answered", vendor, milliseconds, status, "{vendor} answered");
            if matches!(status, Some(429 | 503)) {
                tracing::info!(event = "vendor.throttled", vendor, status, "{vendor} asks for patience");
            }
        })
    })
}

/// A client could not be made from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    #[error("the SSL.com endpoint cannot be used")]
    SslCom(#[from] sslcom::Error),
    #[error("the Microsoft endpoints cannot be used")]
    Microsoft(#[from] microsoft::Error),
}

const CLOUDS: [(Cloud, microsoft::Cloud); 4] = [
    (Cloud::Global, microsoft::Cloud::Global),
    (Cloud::UsGovL4, microsoft::Cloud::UsGovL4),
    (Cloud::UsGovL5, microsoft::Cloud::UsGovL5),
    (Cloud::China, microsoft::Cloud::China),
];
