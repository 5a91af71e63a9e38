//! Everything for a test: vendors, the emulator with the deployed stack, its front, and an operator.
//!
//! A test waits until something holds. While it waits it starts the sweep again and again, which the schedule would do
//! once a minute; that the schedule does is a test of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use sim::sslcom::Defects;

use crate::{
    emulator::{Control, Emulator},
    front::Front,
    issuer::{AUDIENCE, Issuer},
    meter::Meter,
    operator::Operator,
    stack::{FUNCTIONS, Stack, camel},
    text,
    vendors::{PRODUCT, Vendors},
};

/// Nothing here takes a quarter of it, also on a machine that does something else beside.
const PATIENCE: Duration = Duration::from_secs(180);
/// Nobody tells that something changed, so it is asked again this often.
const GLANCE: Duration = Duration::from_millis(250);

/// See the module. Its parts end when it is dropped.
pub(crate) struct World {
    pub(crate) vendors: Vendors,
    pub(crate) stack: Stack,
    pub(crate) operator: Operator,
    pub(crate) control: Control,
    pub(crate) meter: Meter,
    pub(crate) issuer: Issuer,
    pub(crate) emulator: Emulator,
    _front: Front,
    settings: Value,
}

impl World {
    /// Deployed, not yet connected. `instead`: another bootstrap for some functions.
    pub(crate) async fn deployed(name: &str, people: usize, instead: &[(&str, &Path)]) -> Self {
        let (front, issuer, meter) = (Front::start().await, Issuer::start().await, Meter::start().await);
        let vendors = Vendors::start(people, &format!("{}/oauth/callback", front.url())).await;
        let emulator = Emulator::start(name, Some(meter.url())).await;
        meter.leads_to(emulator.endpoint());
        let control = Control::of(&emulator);
        let parameters = [
            ("Stage", "test".to_owned()),
            ("PublicUrl", front.url().to_owned()),
            ("JwtIssuer", issuer.url().to_owned()),
            ("JwtAudience", AUDIENCE.to_owned()),
            ("Deployment", vendors.deployment().to_string()),
            ("DeletionProtection", "false".to_owned()),
        ];
        let parameters: BTreeMap<_, _> = parameters.map(|(name, value)| (name.to_owned(), value)).into();
        let stack = Stack::deploy(&emulator, &control, name, parameters, instead).await;
        for function in FUNCTIONS {
            let described = json!({ "FunctionName": stack.function(function) });
            let described = control.call("lambda", "get_function_configuration", described).await;
            meter.knows(function, &text(&described["FunctionArn"]), &text(&described["Role"]));
        }
        front.leads_to(emulator.endpoint(), stack.resource("HttpApi"));
        let operator = Operator::new(front.url(), issuer.token(&["admin"]));
        let settings = vendors.settings();
        Self { vendors, stack, operator, control, meter, issuer, emulator, _front: front, settings }
    }

    /// Deployed, connected, and everybody imported.
    pub(crate) async fn of(name: &str, people: usize) -> Self {
        let mut world = Self::deployed(name, people, &[]).await;
        world.connect().await;
        world
    }

    pub(crate) async fn connect(&mut self) {
        self.save_settings().await;
        self.operator.authorize().await;
        self.import().await;
    }

    pub(crate) async fn save_settings(&mut self) {
        let settings = self.settings.clone();
        self.operator.create_integration(&settings).await;
    }

    pub(crate) async fn import(&self) {
        self.operator.post("/people/import", json!({})).await.done();
        self.until("the import ends", async || self.operator.get("/people/import").await["running"] == false).await;
        let ended = self.operator.get("/people/import").await;
        assert_eq!(ended["problem"], Value::Null, "{ended}");
    }

    /// A plan for everybody that waits for its approval.
    pub(crate) async fn plan(&self) -> String {
        self.plan_for(json!({ "everybody": true })).await
    }

    /// A plan for `{"everybody": true}` or `{"people": […]}`.
    pub(crate) async fn plan_for(&self, people: Value) -> String {
        let mut wanted = json!({ "product": PRODUCT, "days": 365, "purpose": "general" });
        wanted.as_object_mut().unwrap().extend(people.as_object().unwrap().clone());
        let batch = self.operator.post("/batches", wanted).await.done();
        let id = text(&batch["id"]);
        self.until("the plan is ready", async || self.batch(&id).await["status"] == "ready").await;
        id
    }

    pub(crate) async fn approve(&self, batch: &str) {
        self.operator.post(&format!("/batches/{batch}/approve"), json!({})).await.done();
    }

    pub(crate) async fn order_for_everybody(&self) -> String {
        let batch = self.plan().await;
        self.approve(&batch).await;
        batch
    }

    pub(crate) async fn batch(&self, batch: &str) -> Value {
        self.operator.get(&format!("/batches/{batch}")).await
    }

    /// How many enrollments of the batch are in this state.
    pub(crate) async fn count(&self, batch: &str, state: &str) -> u64 {
        let batch = self.batch(batch).await;
        let rows = batch["counts"].as_array().unwrap().iter();
        rows.filter(|row| row["state"] == state).filter_map(|row| row["count"].as_u64()).sum()
    }

    /// So many enrollments of the batch come into this state.
    pub(crate) async fn until_count(&self, batch: &str, state: &str, count: u64) {
        self.until(&format!("{count} are {state}"), async || self.count(batch, state).await == count).await;
    }

    pub(crate) async fn enrollments(&self) -> Vec<Value> {
        let page = self.operator.get("/enrollments?limit=200").await;
        page["items"].as_array().unwrap().clone()
    }

    pub(crate) fn purchases(&self) -> u64 {
        self.vendors.sslcom.till().purchases
    }

    /// Everybody has one certificate: it was paid for once, is in Intune, and their device opened it.
    pub(crate) async fn everybody_has_one(&self, people: u64) {
        let microsoft = &self.vendors.microsoft;
        let opened = tokio::time::timeout(PATIENCE, microsoft.delivered(people)).await;
        assert!(opened.is_ok(), "the devices opened {:?}", microsoft.deliveries());
        assert_eq!(self.purchases(), people);
        let owners: BTreeSet<_> = microsoft.records().iter().map(|record| record.user_id).collect();
        assert_eq!(owners.len() as u64, people);
        assert_eq!(self.vendors.sslcom.defects(), Defects::default(), "SSL.com saw what must never happen");
    }

    /// One sweep, as the schedule starts it. Answers what the function answered, or its error.
    pub(crate) async fn sweep(&self) -> Result<(), String> {
        let arguments = json!({ "FunctionName": self.stack.function("reconcile"), "Payload": "{}" });
        let answer = self.control.call("lambda", "invoke", arguments).await;
        if answer["FunctionError"].is_null() { Ok(()) } else { Err(text(&answer["Payload"])) }
    }

    /// Puts a message into a queue, e.g. `order-check`.
    pub(crate) async fn send(&self, queue: &str, body: &str) {
        let arguments = json!({ "QueueUrl": self.stack.queue(queue), "MessageBody": body });
        self.control.call("sqs", "send_message", arguments).await;
    }

    /// The bodies of the dead letters of a queue.
    pub(crate) async fn dead_letters(&self, queue: &str) -> Vec<String> {
        let arguments = json!({
            "QueueUrl": self.stack.dead_letters(queue), "MaxNumberOfMessages": 10, "VisibilityTimeout": 0,
        });
        let received = self.control.call("sqs", "receive_message", arguments).await;
        received["Messages"].as_array().into_iter().flatten().map(|letter| text(&letter["Body"])).collect()
    }

    /// No message of this queue waits or is worked on.
    pub(crate) async fn is_empty(&self, queue: &str) -> bool {
        let arguments = json!({ "QueueUrl": self.stack.queue(queue), "AttributeNames": ["All"] });
        let attributes = self.control.call("sqs", "get_queue_attributes", arguments).await;
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            .iter()
            .all(|name| attributes["Attributes"][name] == "0")
    }

    /// A message that was given back, or is still worked on, is there again after so many seconds, not after half an hour.
    pub(crate) async fn hurry(&self, queue: &str, seconds: u32) {
        let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
        let arguments = json!({ "QueueUrl": self.stack.queue(queue), "Attributes": attributes });
        self.control.call("sqs", "set_queue_attributes", arguments).await;
    }

    /// The statements of a function's role, by Sid.
    pub(crate) async fn statements(&self, function: &str) -> Vec<Value> {
        let arguments = json!({ "RoleName": self.role(function), "PolicyName": function });
        let policy = self.control.call("iam", "get_role_policy", arguments).await;
        policy["PolicyDocument"]["Statement"].as_array().unwrap().clone()
    }

    pub(crate) async fn put_statements(&self, function: &str, statements: &[Value]) {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let arguments =
            json!({ "RoleName": self.role(function), "PolicyName": function, "PolicyDocument": document.to_string() });
        self.control.call("iam", "put_role_policy", arguments).await;
    }

    fn role(&self, function: &str) -> &str {
        self.stack.resource(&format!("{}Role", camel(function)))
    }

    /// Waits until something holds, and lets the sweep run meanwhile.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        self.until_within(PATIENCE, what, true, holds).await;
    }

    /// Waits until something holds; nothing of it is the sweep's business.
    pub(crate) async fn until_alone(&self, what: &str, holds: impl AsyncFn() -> bool) {
        self.until_within(PATIENCE, what, false, holds).await;
    }

    /// Waits until something holds, and leaves the sweep to the schedule.
    pub(crate) async fn until_by_schedule(&self, what: &str, holds: impl AsyncFn() -> bool) {
        self.until_within(2 * PATIENCE, what, false, holds).await;
    }

    async fn until_within(&self, patience: Duration, what: &str, sweeping: bool, holds: impl AsyncFn() -> bool) {
        let mut glances = tokio::time::interval(GLANCE);
        let waiting = async {
            while !holds().await {
                glances.tick().await;
                if sweeping {
                    // What it could not do, the next one does; a test that cares looks at the answer itself.
                    let _ = self.sweep().await;
                }
            }
        };
        if tokio::time::timeout(patience, waiting).await.is_err() {
            let says = |row: &Value| format!("{} {} {}\n", row["state"], row["says"], row["note"]);
            let situation: String = self.enrollments().await.iter().map(says).collect();
            let log = self.emulator.log();
            panic!("it did not come about that {what}; the log: {}; the enrollments:\n{situation}", log.display());
        }
    }
}
