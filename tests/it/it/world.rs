//! A whole world for a test: the vendors, the application as it is deployed on one machine, and an operator at its API.
//!
//! Everything is real but the vendors, and waits are as short as the vendors are quick. Nobody waits for a time: a test
//! waits until something holds, and fails loudly when it never does. A world in which a vendor saw what must never
//! happen fails its test at the end.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

pub(crate) mod application;
pub(crate) mod operator;
pub(crate) mod vendors;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use domain::transition::{Actor, Event, Happened, apply};
use flow::Flow;
use jiff::SignedDuration;
use local::platform::LocalPlatform;
use ports::{Attachment, Change, Commit, IntegrationStore};
use reqwest::Method;
use serde_json::{Value, json};
use sim::{
    connector::Delivery,
    microsoft::Microsoft,
    sslcom::{Defects, SslCom},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

use application::{Application, Timing};
use operator::{Answer, Operator};
use vendors::{PRODUCT, Shop, Vendors};

/// Longer than the lease that a step waits whose write came second, and nothing else here takes a tenth of it, also
/// where two of these tests share one core.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The API tells nobody that something changed, so it is asked again this often.
const GLANCE: Duration = Duration::from_millis(20);

/// How a world differs from the one in which everything goes well.
pub(crate) struct Setting {
    pub(crate) people: usize,
    pub(crate) shop: Shop,
    pub(crate) intune: sim::graph::behaviour::Behaviour,
    /// Fields of the settings that the operator types otherwise.
    pub(crate) settings: Value,
    /// SSL.com cannot reach the application, so nobody calls back.
    pub(crate) polling_only: bool,
    pub(crate) timing: Timing,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            people: 3,
            shop: Shop::default(),
            intune: sim::graph::behaviour::Behaviour::default(),
            settings: json!({}),
            polling_only: false,
            timing: Timing::default(),
        }
    }
}

/// See the module. Its parts stop when it is dropped.
pub(crate) struct World {
    pub(crate) vendors: Vendors,
    /// Nothing while it is stopped.
    application: Option<Application>,
    pub(crate) operator: Operator,
    settings: Value,
    timing: Timing,
    /// Removed with the world.
    folder: TempDir,
}

impl World {
    /// Vendors and application, not yet connected.
    pub(crate) async fn unconnected(setting: Setting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let redirect_uri = format!("{base_url}/oauth/callback");
        let journal = folder.path().join("vendors");
        let vendors = Vendors::start(setting.people, setting.shop, setting.intune, &redirect_uri, &journal).await;
        let public_url = (!setting.polling_only).then(|| base_url.clone());
        let data = folder.path().join("application");
        let timing = setting.timing;
        let application = Application::start(&data, &vendors, listener, &redirect_uri, public_url, timing.clone());
        let application = Some(application);
        let mut settings = vendors.settings();
        merge(&mut settings, setting.settings);
        Self { vendors, application, operator: Operator::new(&base_url), settings, timing, folder }
    }

    /// Connected, and everybody imported.
    pub(crate) async fn of(setting: Setting) -> Self {
        let mut world = Self::unconnected(setting).await;
        world.save_settings().await;
        world.operator.authorize().await;
        world.import().await;
        world
    }

    /// Connected, with so many people for whom everything goes well.
    pub(crate) async fn with_people(people: usize) -> Self {
        Self::of(Setting { people, ..Setting::default() }).await
    }

    pub(crate) async fn save_settings(&mut self) {
        let settings = self.settings.clone();
        self.operator.create_integration(&settings).await;
    }

    /// The operator changes these fields of the settings.
    pub(crate) async fn change_settings(&mut self, fields: Value) {
        merge(&mut self.settings, fields);
        self.operator.send(Method::PUT, "", Some(self.settings.clone())).await.done();
    }

    /// Imports the directory and answers where the import ended.
    pub(crate) async fn import(&self) -> Value {
        self.operator.post("/people/import", json!({})).await.done();
        self.until("the import ends", async || self.operator.get("/people/import").await["running"] == false).await;
        let ended = self.operator.get("/people/import").await;
        assert_eq!(ended["problem"], Value::Null, "{ended}");
        ended
    }

    /// A plan that waits for its approval: `{"everybody": true}` or `{"people": […]}`, for this purpose.
    pub(crate) async fn plan(&self, people: Value, purpose: &str) -> String {
        let mut wanted = json!({ "product": PRODUCT, "days": 365, "purpose": purpose });
        merge(&mut wanted, people);
        let batch = self.operator.post("/batches", wanted).await.done();
        let id = text(&batch["id"]);
        self.until_batch_is(&id, "ready").await;
        id
    }

    pub(crate) async fn plan_for_everybody(&self) -> String {
        self.plan(json!({ "everybody": true }), "general").await
    }

    pub(crate) async fn approve(&self, batch: &str) -> Answer {
        self.operator.post(&format!("/batches/{batch}/approve"), json!({})).await
    }

    /// Approves over the same rows where the price list says something else, and answers why that is refused.
    pub(crate) async fn approve_at_another_price(&self, batch: &str) -> String {
        let flow = self.application().at_another_price(&self.vendors);
        let id = self.operator.integration().parse().unwrap();
        let by = Actor::Operator { name: "another release".into() };
        let refused = flow::approve_batch::approve(&flow, id, batch.parse().unwrap(), &by).await;
        refused.unwrap_err().to_string()
    }

    /// Plans and approves a certificate for everybody.
    pub(crate) async fn order_for_everybody(&self) -> String {
        let batch = self.plan_for_everybody().await;
        self.approve(&batch).await.done();
        batch
    }

    /// The stop switch of the integration.
    pub(crate) async fn stop_buying(&self, stopped: bool) {
        self.operator.send(Method::PUT, "/stop-buying", Some(json!({ "stopped": stopped }))).await.done();
    }

    pub(crate) async fn batch(&self, batch: &str) -> Value {
        self.operator.get(&format!("/batches/{batch}")).await
    }

    /// How many enrollments of the batch are in each state, without the states in which none is.
    pub(crate) async fn states(&self, batch: &str) -> BTreeMap<String, u64> {
        let batch = self.batch(batch).await;
        let rows = batch["counts"].as_array().unwrap().iter();
        let counts = rows.map(|row| (text(&row["state"]), row["count"].as_u64().unwrap()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Waits until the enrollments of the batch are in exactly these states.
    pub(crate) async fn until_states<const N: usize>(&self, batch: &str, wanted: [(&str, u64); N]) {
        let wanted: BTreeMap<_, _> = wanted.map(|(state, count)| (state.to_owned(), count)).into();
        self.until(&format!("{wanted:?}"), async || self.states(batch).await == wanted).await;
    }

    /// Waits until the batch has this status, which is written after its enrollments.
    pub(crate) async fn until_batch_is(&self, batch: &str, status: &str) {
        self.until(&format!("the batch is {status}"), async || self.batch(batch).await["status"] == status).await;
    }

    /// Every enrollment of the integration.
    pub(crate) async fn enrollments(&self) -> Vec<Value> {
        let page = self.operator.get("/enrollments?limit=200").await;
        page["items"].as_array().unwrap().clone()
    }

    /// The enrollment in a world that has one.
    pub(crate) async fn only_enrollment(&self) -> Value {
        let [only] = self.enrollments().await.try_into().unwrap();
        only
    }

    /// The operator decides about an enrollment.
    pub(crate) async fn decide(&self, enrollment: &Value, action: &str, body: Value) -> Answer {
        self.operator.post(&format!("/enrollments/{}/{action}", text(&enrollment["id"])), body).await
    }

    /// The operator decides, and repeats it where a machine was writing the row at that moment.
    pub(crate) async fn insist(&self, enrollment: &Value, action: &str, body: Value) {
        let decided = async || {
            let answer = self.decide(enrollment, action, body.clone()).await;
            let meanwhile = answer.status == 409 && text(&answer.body["detail"]).contains("changed by somebody else");
            assert!(answer.status.is_success() || meanwhile, "{action}: {answer:?}");
            answer.status.is_success()
        };
        self.until(action, decided).await;
    }

    /// Asks to try now until the only enrollment is in this state: a look may be under way that saw nothing yet.
    pub(crate) async fn keep_trying(&self, state: &str) {
        let arrives = async || {
            let row = self.only_enrollment().await;
            if row["state"] != state {
                self.decide(&row, "try-now", json!({})).await;
            }
            row["state"] == state
        };
        self.until(&format!("trying now leads to {state}"), arrives).await;
    }

    /// The names of what happened to an enrollment, oldest first.
    pub(crate) async fn timeline(&self, enrollment: &Value) -> Vec<String> {
        let path = format!("/enrollments/{}/timeline?limit=200", text(&enrollment["id"]));
        let page = self.operator.get(&path).await;
        page["items"].as_array().unwrap().iter().map(|entry| text(&entry["event"])).collect()
    }

    pub(crate) async fn attachment(&self, enrollment: &Value, kind: Attachment) -> Option<Vec<u8>> {
        let rows = self.flow().rows(self.operator.integration().parse().unwrap());
        rows.attachment(text(&enrollment["id"]).parse().unwrap(), kind).await.unwrap()
    }

    /// Everybody has one certificate: it was paid for once, is in Intune, and their device opened it.
    pub(crate) async fn everybody_has_one(&self, people: u64) {
        let opened = tokio::time::timeout(PATIENCE, self.microsoft().delivered(people)).await;
        assert!(opened.is_ok(), "the devices opened {:?}", self.deliveries());
        assert_eq!(self.purchases(), people);
        let owners: BTreeSet<_> = self.microsoft().records().iter().map(|record| record.user_id).collect();
        assert_eq!(owners.len() as u64, people);
        let bought = self.sslcom().orders();
        let mailboxes: BTreeSet<_> = bought.iter().filter_map(|order| order.mailbox.clone()).collect();
        assert_eq!(mailboxes.len() as u64, people);
    }

    pub(crate) fn purchases(&self) -> u64 {
        self.sslcom().till().purchases
    }

    /// The order that was paid for the present attempt of this enrollment.
    pub(crate) fn order_of(&self, enrollment: &Value) -> String {
        let number = format!("{}-{}", text(&enrollment["id"]), enrollment["attempt"]);
        let [order] = self.sslcom().till().by_external_order_number[&number].clone().try_into().unwrap();
        order
    }

    pub(crate) fn sslcom(&self) -> &SslCom {
        self.vendors.sslcom()
    }

    pub(crate) fn microsoft(&self) -> &Microsoft {
        &self.vendors.microsoft
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.microsoft().deliveries()
    }

    pub(crate) fn flow(&self) -> &Flow<LocalPlatform> {
        &self.application().flow
    }

    fn application(&self) -> &Application {
        self.application.as_ref().expect("it was not stopped, or was started again")
    }

    /// The application ends in good order, and nobody has its folder open. The vendors go on.
    pub(crate) async fn stop_application(&mut self) {
        self.application.take().unwrap().stop().await;
    }

    /// Another one starts over this folder, at an address of its own.
    pub(crate) async fn start_application(&mut self, data: &Path) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        self.operator.go_to(&base_url);
        let redirect_uri = format!("{base_url}/oauth/callback");
        let timing = self.timing.clone();
        self.application =
            Some(Application::start(data, &self.vendors, listener, &redirect_uri, Some(base_url), timing));
    }

    /// What everything in this world is written to: `application` and `vendors`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The application's clock jumps ahead; the vendors' stay.
    pub(crate) fn pass(&self, time: SignedDuration) {
        self.application().clock.advance(time);
    }

    /// Something happens to an enrollment that no vendor can be made to do; it is tried until no step is quicker.
    pub(crate) async fn happens(&self, enrollment: &Value, what: Event) {
        let rows = self.flow().rows(self.operator.integration().parse().unwrap());
        let id = text(&enrollment["id"]).parse().unwrap();
        let written = async || {
            let row = rows.enrollment(id).await.unwrap().unwrap();
            let happened =
                Happened { at: self.flow().now(), by: Actor::step("test"), what: what.clone(), request_ids: vec![] };
            let next = apply(&row, &happened).unwrap();
            matches!(rows.commit(Change::new(&row, next, happened, Uuid::new_v4())).await.unwrap(), Commit::Done(_))
        };
        self.until("it is written", written).await;
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        if !holds_in_time(holds).await {
            let says = |row: &Value| format!("{} {} {}\n", row["state"], row["says"], row["note"]);
            let situation: String = self.enrollments().await.iter().map(says).collect();
            panic!("it did not come about that {what}; the enrollments:\n{situation}");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.sslcom().defects(), Defects::default(), "SSL.com saw what must never happen");
        }
    }
}

/// Waits until something holds. False: it never did.
pub(crate) async fn holds_in_time(holds: impl AsyncFn() -> bool) -> bool {
    let waiting = async {
        let mut glances = tokio::time::interval(GLANCE);
        while !holds().await {
            glances.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.is_ok()
}

/// A text of an answer.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

fn merge(into: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("{fields} are not fields") };
    into.as_object_mut().unwrap().extend(fields);
}
