//! One organisation with its vendors and the application, with waits of seconds where production waits for minutes.

use std::{path::Path, sync::Arc, time::Duration};

use flow::{Deployment, Flow, VendorEndpoints};
use jiff::{SignedDuration, Timestamp};
use local::{
    platform::LocalPlatform,
    runner::{self, Pace, Running},
};
use reqwest::{Method, StatusCode, header, redirect};
use serde_json::{Value, json};
use sim::{
    faults::Faults,
    microsoft::{self, Microsoft},
    sslcom::{self, SslCom},
};
use tokio::net::TcpListener;

const ORGANISATION: &str = "Contoso Example Ltd";
const DOMAIN: &str = "contoso.example";
const TOKEN: &str = "a token of the tests, longer than thirty-two characters";
pub(crate) const ACCOUNT: &str = "sim-account";
/// Of one certificate of the product that is ordered here.
pub(crate) const PRICE: u64 = 7_600;
/// Longer than anything here takes on a loaded machine; whoever waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct World {
    pub(crate) sslcom: SslCom,
    pub(crate) microsoft: Microsoft,
    pub(crate) flow: Flow<LocalPlatform>,
    pub(crate) integration: String,
    running: Option<Running>,
    base_url: String,
    http: reqwest::Client,
    organisation: microsoft::Organisation,
}

/// How a world differs from the ordinary one.
pub(crate) struct Options {
    pub(crate) people: usize,
    pub(crate) funds: u64,
    pub(crate) public: bool,
    /// Over the settings that the operator types in.
    pub(crate) settings: Value,
}

impl Default for Options {
    fn default() -> Self {
        Self { people: 4, funds: 100_000_000, public: true, settings: json!({}) }
    }
}

impl World {
    /// Connected, and the directory imported.
    pub(crate) async fn start(data: &Path, options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let organisation = microsoft::Organisation {
            redirect_uris: vec![format!("{base_url}/oauth/callback")],
            domains: vec![DOMAIN.to_owned()],
            ..microsoft::Organisation::from_seed(7, options.people)
        };
        let microsoft = microsoft::Options {
            organisations: vec![organisation.clone()],
            ..microsoft::Options::new(7, options.people)
        };
        let microsoft = Microsoft::start(microsoft).await.expect("Microsoft");
        let sslcom = SslCom::start(shop(options.funds)).await.expect("SSL.com");
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy().build().expect("a client");
        let (flow, running) = application(data, listener, &base_url, &sslcom, &microsoft, options.public);
        let mut world = Self {
            sslcom,
            microsoft,
            flow,
            integration: String::new(),
            running: Some(running),
            base_url,
            http,
            organisation,
        };
        let mut settings = world.settings();
        for (field, value) in options.settings.as_object().into_iter().flatten() {
            settings[field] = value.clone();
        }
        let stored = world.post("/api/integrations", settings).await;
        world.integration = stored["id"].as_str().expect("an id").to_owned();
        world.authorize().await;
        world.import().await;
        world
    }

    /// The application stops in good order; the vendors go on. The same data may be opened again.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("a good end");
        }
    }

    /// Another application over this data, with the same vendors.
    pub(crate) async fn start_again(&mut self, data: &Path) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        self.base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let (flow, running) = application(data, listener, &self.base_url, &self.sslcom, &self.microsoft, true);
        self.flow = flow;
        self.running = Some(running);
    }

    pub(crate) fn settings(&self) -> Value {
        sim::operator::settings(&self.organisation, self.microsoft.connector(), &account(0))
    }

    async fn authorize(&self) {
        let begun = self.post(&self.path("/authorize"), json!({})).await;
        let link = begun["url"].as_str().expect("a link");
        let location =
            |answer: &reqwest::Response| answer.headers()[header::LOCATION].to_str().expect("text").to_owned();
        let began = self.http.get(link).send().await.expect("an answer");
        let cookie = began.headers()[header::SET_COOKIE].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("a cookie").to_owned();
        let entra = self.http.get(location(&began)).send().await.expect("an answer");
        let back = self.http.get(location(&entra)).header(header::COOKIE, cookie).send().await.expect("an answer");
        assert_eq!(back.status(), StatusCode::SEE_OTHER);
    }

    pub(crate) async fn import(&self) {
        self.post(&self.path("/people/import"), json!({})).await;
        let done = self.until("the import ends", async || {
            let import = self.get(&self.path("/people/import")).await;
            (import["running"] == json!(false)).then_some(import)
        });
        assert_eq!(done.await["problem"], Value::Null);
    }

    /// A plan for everybody that is ready to be approved.
    pub(crate) async fn plan(&self, purpose: &str) -> String {
        let wanted = json!({ "everybody": true, "product": 700, "days": 365, "purpose": purpose });
        let batch = self.post(&self.path("/batches"), wanted).await;
        let id = batch["id"].as_str().expect("an id").to_owned();
        self.until("the plan is ready", async || (self.batch(&id).await["status"] == "ready").then_some(())).await;
        id
    }

    pub(crate) async fn approve(&self, batch: &str) {
        self.post(&self.path(&format!("/batches/{batch}/approve")), json!({})).await;
    }

    pub(crate) async fn batch(&self, batch: &str) -> Value {
        self.get(&self.path(&format!("/batches/{batch}"))).await
    }

    /// So many enrollments of the batch are in this state, and no machine moves any.
    pub(crate) async fn rest(&self, batch: &str, state: &str, count: u64) {
        let moving = ["requested", "buying", "bought", "validating", "issued", "importing"];
        let what = format!("{count} rest as {state}");
        self.until(&what, async || {
            let counts = self.batch(batch).await["counts"].clone();
            let of = |name: &str| {
                let rows = counts.as_array().into_iter().flatten();
                rows.filter(|row| row["state"] == name).filter_map(|row| row["count"].as_u64()).sum::<u64>()
            };
            let still = moving.iter().all(|name| of(name) == 0 || *name == state);
            (of(state) == count && still).then_some(())
        })
        .await;
    }

    pub(crate) async fn enrollments(&self, state: &str) -> Vec<Value> {
        let page = self.get(&self.path(&format!("/enrollments?state={state}&limit=200"))).await;
        page["items"].as_array().expect("rows").clone()
    }

    pub(crate) async fn act(&self, enrollment: &Value, action: &str, body: Value) -> (StatusCode, Value) {
        let id = enrollment["id"].as_str().expect("an id");
        self.send(Method::POST, &self.path(&format!("/enrollments/{id}/{action}")), Some(body)).await
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/integrations/{}{rest}", self.integration)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(Method::GET, path, None).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.send(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status();
        let body = answer.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Asks again and again until there is an answer. The API has nothing to wait on, so this looks every 50 ms.
    pub(crate) async fn until<T>(&self, what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        let looking = async {
            loop {
                looks.tick().await;
                if let Some(answer) = ask().await {
                    return answer;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(answer) => answer,
            Err(_) => panic!("it never came about that {what}: {}", self.get(&self.path("/counts")).await),
        }
    }

    pub(crate) fn purchases(&self) -> u64 {
        self.sslcom.till().purchases
    }

    /// Everybody's device has opened what was imported, and no judge saw what must never happen.
    pub(crate) async fn delivered(&self, count: u64) {
        let delivered = self.microsoft.delivered(count);
        tokio::time::timeout(PATIENCE, delivered).await.expect("the devices open everything");
        assert_eq!(self.sslcom.defects(), sslcom::Defects::default());
    }
}

fn account(funds_cents: u64) -> sslcom::Account {
    sslcom::Account {
        account_key: ACCOUNT.to_owned(),
        secret_key: "sim-secret".to_owned(),
        funds_cents,
        products: vec![700],
        organisation: Some(ORGANISATION.to_owned()),
    }
}

fn shop(funds_cents: u64) -> sslcom::Options {
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    sslcom::Options {
        seed: 7,
        accounts: vec![account(funds_cents)],
        organisations: vec![sslcom::Organisation::with_agreement(ORGANISATION, DOMAIN, today)],
        faults: Faults::default(),
        ..sslcom::Options::default()
    }
}

fn application(
    data: &Path,
    listener: TcpListener,
    base_url: &str,
    sslcom: &SslCom,
    microsoft: &Microsoft,
    public: bool,
) -> (Flow<LocalPlatform>, Running) {
    let clock: ports::Clock = Arc::new(Timestamp::now);
    let platform = LocalPlatform::open(data, clock.clone()).expect("a data folder");
    let url = |text: &str| text.parse().expect("an address");
    let mut endpoint = ::sslcom::Endpoint::at(url(sslcom.base_url()));
    endpoint.create_timeout = Duration::from_secs(1);
    endpoint.first_page = 0;
    let vendors = VendorEndpoints {
        sslcom: endpoint,
        statuses: ::sslcom::StatusTable::default(),
        microsoft: Some(
            ::microsoft::Endpoints::new(url(microsoft.entra_base_url()), url(microsoft.graph_base_url()))
                .expect("endpoints"),
        ),
    };
    let seconds = |list: &[i64]| list.iter().copied().map(SignedDuration::from_secs).collect();
    let products = json!([{
        "code": 700, "label": "Sponsor-validated", "certificate_type": "sponsor",
        "offers": [{ "days": 365, "price_cents": PRICE }],
    }]);
    let base = format!("{base_url}/");
    let deployment = Deployment {
        public_url: public.then(|| base.parse().expect("an address")),
        redirect_url: format!("{base}oauth/callback").parse().expect("an address"),
        products: serde_json::from_value(products).expect("products"),
        purchase_window: SignedDuration::from_secs(1),
        quiet_time: SignedDuration::from_secs(5),
        look_up_after: seconds(&[0, 1]),
        poll_after: seconds(&[1]),
        read_back_after: seconds(&[0, 1]),
        retry_after: SignedDuration::from_millis(300),
        ..Deployment::default()
    };
    let flow = Flow::new(platform.clone(), vendors, deployment, clock.clone()).expect("a flow");
    let hash = pki::sha256_hex(TOKEN.as_bytes());
    let token = web::ApiToken::from_hex("tests", &hash, domain::operator::Role::Admin).expect("a hash");
    let router = web::router(flow.clone(), web::Access::new(vec![token]), web::Options::default());
    let pace = Pace { sweep_every: Duration::from_millis(50), ..Pace::default() };
    let running = runner::start(&platform, &flow, router, listener, &clock, pace);
    (flow, running)
}
