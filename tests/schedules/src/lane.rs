//! What is made once and serves many schedules, one after the other: the gate, the proxies, the product's flows and
//! clients, the receiver of callbacks, and the vendors' keys.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path as PathOf, State},
    http::{HeaderMap, StatusCode, header},
    routing::any,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use flow::{Deployment, Flow, VendorEndpoints};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use sim::{
    microsoft::{self, Microsoft},
    sslcom::{self, Behaviour, SslCom},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    clock::VirtualClock,
    gate::{Arrival, Gate},
    platform::GatedPlatform,
    proxy::{Proxy, Server},
    queue::Messages,
};

const ORGANISATION: &str = "Contoso Example Ltd";
/// Validated beforehand.
const DOMAIN: &str = "contoso.example";
pub(crate) const ACCOUNT_KEY: &str = "account-of-the-schedules";
pub(crate) const SECRET_KEY: &str = "secret-of-the-schedules";
pub(crate) const PRODUCT: u32 = 700;
pub(crate) const PRICE_CENTS: u64 = 7_600;
/// As many as any schedule needs.
pub(crate) const MOST_PEOPLE: usize = 4;
const SEED: u64 = 20;

/// A callback as it came from SSL.com.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) token: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

pub(crate) struct Lane {
    pub(crate) clock: VirtualClock,
    pub(crate) platform: GatedPlatform,
    pub(crate) arrived: mpsc::UnboundedReceiver<Arrival>,
    /// One for each worker, as separate functions have, and one for everybody else.
    pub(crate) flows: [Flow<GatedPlatform>; 3],
    pub(crate) proxies: BTreeMap<&'static str, Proxy>,
    pub(crate) hooks: mpsc::UnboundedReceiver<Hook>,
    pub(crate) http: reqwest::Client,
    /// Nine o'clock of the day on which it was made: certificates have to be valid when the devices look.
    pub(crate) start: Timestamp,
    template: TempDir,
}

impl Lane {
    pub(crate) async fn new() -> Self {
        let clock = VirtualClock::default();
        let day = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let start = day.at(9, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        clock.set(start);
        let (gate, arrived) = Gate::new();
        let messages = Messages::new(clock.clone());
        let platform = GatedPlatform::new(gate.clone(), messages);
        let proxy = |server| Proxy::start(server, gate.clone()).unwrap();
        let proxies = BTreeMap::from([
            ("SSL.com", proxy(Server::SslCom)),
            ("Entra", proxy(Server::Entra)),
            ("Graph", proxy(Server::Graph)),
        ]);
        let (public_url, hooks) = receive_hooks().await;
        let flow = || {
            let endpoints = endpoints(&proxies);
            Flow::new(platform.clone(), endpoints, deployment(&public_url), clock.as_clock()).unwrap()
        };
        let flows = [flow(), flow(), flow()];
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap();
        let template = folder();
        let lane = Self { clock, platform, arrived, flows, proxies, hooks, http, start, template };
        let (sslcom, microsoft) = lane.vendors(lane.template.path(), Behaviour::default(), account(0)).await;
        drop(microsoft);
        sslcom.stop().await;
        lane
    }

    /// Vendors of its own for one schedule, with the keys that were made for all.
    pub(crate) async fn new_vendors(&self, to: &Path, behaviour: Behaviour, funds_cents: u64) -> (SslCom, Microsoft) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(self.template.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        self.vendors(to, behaviour, account(funds_cents)).await
    }

    /// Callbacks of the last schedule are nobody's, and every port is open.
    pub(crate) async fn reopen(&mut self) {
        while self.hooks.try_recv().is_ok() {}
        for proxy in self.proxies.values_mut() {
            proxy.open().unwrap();
        }
    }

    async fn vendors(&self, journal: &Path, behaviour: Behaviour, account: sslcom::Account) -> (SslCom, Microsoft) {
        let today = self.start.to_zoned(TimeZone::UTC).date();
        let organisation = sslcom::Organisation::with_agreement(ORGANISATION, DOMAIN, today);
        let options = sslcom::Options {
            seed: SEED,
            journal: Some(journal.to_owned()),
            accounts: vec![account],
            organisations: vec![organisation],
            behaviour,
            issue_after: None,
            clock: self.clock.as_clock(),
            ..sslcom::Options::default()
        };
        let sslcom = SslCom::start(options).await.unwrap();
        let options = microsoft::Options {
            folder: Some(journal.to_owned()),
            organisations: vec![tenant()],
            ..microsoft::Options::new(SEED, MOST_PEOPLE)
        };
        (sslcom, Microsoft::start(options).await.unwrap())
    }
}

/// It may buy the one product.
pub(crate) fn account(funds_cents: u64) -> sslcom::Account {
    sslcom::Account {
        account_key: ACCOUNT_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        funds_cents,
        products: vec![PRODUCT],
        organisation: Some(ORGANISATION.to_owned()),
    }
}

pub(crate) fn tenant() -> microsoft::Organisation {
    microsoft::Organisation {
        domains: vec![DOMAIN.to_owned()],
        ..microsoft::Organisation::from_seed(SEED, MOST_PEOPLE)
    }
}

/// In memory where the machine has that: the platform syncs every write, which says nothing here.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn endpoints(proxies: &BTreeMap<&'static str, Proxy>) -> VendorEndpoints {
    let url = |name| proxies[name].base_url().parse().unwrap();
    // A request is answered when the schedule says so; its time-out is the schedule's, too.
    let patience = Duration::from_secs(3_600);
    let sslcom = ::sslcom::Endpoint {
        connect_timeout: patience,
        create_timeout: patience,
        answer_timeout: patience,
        first_page: 0,
        ..::sslcom::Endpoint::at(url("SSL.com"))
    };
    VendorEndpoints {
        sslcom,
        statuses: ::sslcom::StatusTable::default(),
        microsoft: Some(::microsoft::Endpoints::new(url("Entra"), url("Graph")).unwrap()),
    }
}

/// Every wait is that of production.
fn deployment(public_url: &str) -> Deployment {
    let products = json!([{
        "code": PRODUCT,
        "label": "Personal ID + Organization (IV+OV) S/MIME",
        "certificate_type": "sponsor",
        "offers": [{ "days": 365, "price_cents": PRICE_CENTS }],
    }]);
    Deployment {
        public_url: Some(public_url.parse().unwrap()),
        products: serde_json::from_value(products).unwrap(),
        ..Deployment::default()
    }
}

/// Keeps every callback for the schedule, which delivers it when it likes.
async fn receive_hooks() -> (String, mpsc::UnboundedReceiver<Hook>) {
    let (came, hooks) = mpsc::unbounded_channel();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let public_url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/hooks/sslcom/{token}", any(hook)).with_state(Arc::new(came));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (public_url, hooks)
}

async fn hook(
    State(came): State<Arc<mpsc::UnboundedSender<Hook>>>,
    PathOf(token): PathOf<String>,
    headers: HeaderMap,
) -> StatusCode {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let basic = basic.and_then(|text| String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()).unwrap_or_default();
    let (user, password) = basic.split_once(':').unwrap_or_default();
    let _ = came.send(Hook { token, user: user.to_owned(), password: password.to_owned() });
    StatusCode::NO_CONTENT
}
