//! One organisation, its vendors and the program, and a certificate for one person after the other.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Add,
};

use serde_json::{Value, json};
use sim::{
    faults::{Fault, Hold},
    sslcom::Defects,
};
use tempfile::TempDir;

use crate::{
    program::{Program, REDIRECT_URI, Serving},
    world::{
        PATIENCE, holds_in_time,
        operator::Operator,
        text,
        vendors::{PRODUCT, Shop, Vendors},
    },
};

/// More than there are cells.
const PEOPLE: usize = 200;

/// Where an order came to rest before anybody did anything about it.
#[derive(Debug)]
pub(super) struct End {
    person: String,
    enrollment: Value,
}

/// See the module.
pub(super) struct Shopping {
    vendors: Vendors,
    program: Option<Program>,
    operator: Operator,
    people: VecDeque<String>,
    served: u64,
    kills: u64,
    /// How often a person was asked, by state.
    asked: BTreeMap<String, u64>,
    address: String,
    folder: TempDir,
}

impl Shopping {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let intune = sim::graph::behaviour::Behaviour::default();
        let journal = folder.path().join("vendors");
        let vendors = Vendors::start(PEOPLE, Shop::default(), intune, REDIRECT_URI, &journal).await;
        // The same address after each start, because SSL.com calls back there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut operator = Operator::new(&format!("http://{address}"));
        let mut shopping = Self {
            vendors,
            program: None,
            operator: Operator::new(""),
            people: VecDeque::new(),
            served: 0,
            kills: 0,
            asked: BTreeMap::new(),
            address,
            folder,
        };
        shopping.serve();
        operator.create_integration(&shopping.vendors.settings()).await;
        operator.authorize().await;
        operator.post("/people/import", json!({})).await.done();
        assert!(holds_in_time(async || operator.get("/people/import").await["running"] == false).await);
        let people = operator.get(&format!("/people?limit={PEOPLE}")).await["items"].as_array().unwrap().clone();
        shopping.people = people.iter().map(|person| text(&person["id"])).collect();
        shopping.operator = operator;
        shopping
    }

    fn serve(&mut self) {
        let serving =
            Serving { listen: &self.address, public_url: Some(format!("http://{}", self.address)), log: "off" };
        self.program = Some(Program::serve(&self.folder.path().join("application"), &self.vendors, serving));
    }

    /// SIGKILL, and a new process over the same data.
    pub(super) async fn kill_and_start_again(&mut self) {
        self.program.take().unwrap().killed();
        self.kills += 1;
        self.serve();
    }

    /// How often each call was made so far.
    pub(super) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.vendors.sslcom().all_calls().into_iter().chain(self.vendors.microsoft.all_calls()).collect()
    }

    /// Takes away what the last order left of its faults; and lets this one's first answers be lost.
    pub(super) fn prepare(&self, answers_lost: bool) {
        self.vendors.sslcom().faults().clear_all();
        self.vendors.microsoft.faults().clear_all();
        if answers_lost {
            self.fail_next("sslcom.create", Fault::LoseAnswer);
            self.fail_next("graph.pfx_create", Fault::LoseAnswer);
        }
    }

    pub(super) fn fail_next(&self, call: &str, fault: Fault) {
        let sslcom = call.starts_with("sslcom.");
        let faults = if sslcom { self.vendors.sslcom().faults() } else { self.vendors.microsoft.faults() };
        faults.next(call, fault);
    }

    /// A certificate for the next person, until it rests.
    pub(super) async fn order(&mut self) -> End {
        let person = self.people.pop_front().expect("there are fewer people than cells");
        let batch = order(&self.operator, &person).await;
        self.rest(person, &batch).await
    }

    /// The same; when the held call is there the program is killed, and started again.
    pub(super) async fn order_and_kill_at(&mut self, hold: &Hold) -> End {
        let person = self.people.pop_front().expect("there are fewer people than cells");
        // A call of the plan is there before the plan is; every other one after the approval.
        let batch = tokio::select! {
            () = hold.arrived() => None,
            batch = order(&self.operator, &person) => Some(batch),
        };
        tokio::time::timeout(PATIENCE, hold.arrived()).await.expect("the call is made");
        self.kill_and_start_again().await;
        let batch = match batch {
            Some(batch) => batch,
            None => {
                let batch = text(&self.operator.get("/batches?limit=1").await["items"][0]["id"]);
                until_ready(&self.operator, &batch).await;
                // Where the approval had come before the kill this is refused, and that is as good.
                self.operator.post(&format!("/batches/{batch}/approve"), json!({})).await;
                batch
            }
        };
        self.rest(person, &batch).await
    }

    async fn rest(&self, person: String, batch: &str) -> End {
        let resting = async || is_at_rest(&self.of_batch(batch).await);
        assert!(holds_in_time(resting).await, "it does not rest: {}", self.of_batch(batch).await);
        End { person, enrollment: self.of_batch(batch).await }
    }

    async fn of_batch(&self, batch: &str) -> Value {
        self.operator.get(&format!("/enrollments?batch={batch}")).await["items"][0].clone()
    }

    /// The certificate is bought, in Intune and on the device, each once; a person was asked at most once, and told why.
    pub(super) async fn has_one(&mut self, end: End, cell: &str) {
        let End { person, enrollment } = end;
        let (id, state) = (text(&enrollment["id"]), text(&enrollment["state"]));
        if state != "imported" {
            for told in ["says", "note"] {
                assert_ne!(
                    enrollment[told].as_str().unwrap_or_default(),
                    "",
                    "{cell}: {state} without a word: {enrollment}"
                );
            }
            *self.asked.entry(state.clone()).or_default() += 1;
            self.answer(&id, &state, cell).await;
        }
        let imported = async || self.operator.get(&format!("/enrollments/{id}")).await["state"] == "imported";
        assert!(holds_in_time(imported).await, "{cell}: {}", self.operator.get(&format!("/enrollments/{id}")).await);
        self.served += 1;
        let delivered = self.vendors.microsoft.delivered(self.served);
        let opened = tokio::time::timeout(PATIENCE, delivered).await;
        assert!(opened.is_ok(), "{cell}: the device opened {:?}", self.vendors.microsoft.deliveries().last());
        let records = self.vendors.microsoft.records();
        assert_eq!(records.iter().filter(|record| record.user_id.to_string() == person).count(), 1, "{cell}: records");
        assert_eq!(self.bought(&id).len(), 1, "{cell}: purchases");
        assert_eq!(self.vendors.sslcom().defects(), Defects::default(), "{cell}");
    }

    /// What a person does who looks at SSL.com's portal.
    async fn answer(&self, id: &str, state: &str, cell: &str) {
        let (action, body) = match (state, self.bought(id).first()) {
            ("unsure", Some(order)) => ("resolve", json!({ "bought": order })),
            ("unsure", None) => ("resolve", json!({ "not_bought": true })),
            ("blocked", None) => ("unblock", json!({})),
            ("failed", Some(_)) => ("retry", json!({})),
            _ => panic!("{cell}: {state} with the orders {:?}", self.bought(id)),
        };
        self.operator.post(&format!("/enrollments/{id}/{action}"), body).await.done();
    }

    /// The orders of all attempts of an enrollment.
    fn bought(&self, id: &str) -> Vec<String> {
        let till = self.vendors.sslcom().till().by_external_order_number;
        till.into_iter().filter(|(number, _)| number.starts_with(id)).flat_map(|(_, orders)| orders).collect()
    }

    /// Everything together was bought as often as somebody was served.
    pub(super) fn close(self, cells: u64) -> Figures {
        let purchases = self.vendors.sslcom().till().purchases;
        assert_eq!(purchases, self.served);
        assert_eq!(self.vendors.microsoft.records().len() as u64, self.served);
        Figures { cells, kills: self.kills, certificates: self.served, purchases, asked: self.asked }
    }
}

/// What came of a part of the matrix.
pub(super) struct Figures {
    cells: u64,
    kills: u64,
    certificates: u64,
    purchases: u64,
    asked: BTreeMap<String, u64>,
}

impl Add for Figures {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (state, times) in other.asked {
            *self.asked.entry(state).or_default() += times;
        }
        Self {
            cells: self.cells + other.cells,
            kills: self.kills + other.kills,
            certificates: self.certificates + other.certificates,
            purchases: self.purchases + other.purchases,
            asked: self.asked,
        }
    }
}

impl Figures {
    #[expect(clippy::print_stdout, reason = "the figures are what these tests are for")]
    pub(super) fn show(&self, matrix: &str) {
        let Self { cells, kills, certificates, purchases, asked } = self;
        let figures = json!({
            "matrix": matrix, "cells": cells, "kills": kills, "certificates": certificates, "purchases": purchases,
            "a_person_was_asked": asked,
        });
        println!("{figures}");
    }
}

/// Plans and approves.
async fn order(operator: &Operator, person: &str) -> String {
    let batch = plan(operator, person).await;
    operator.post(&format!("/batches/{batch}/approve"), json!({})).await.done();
    batch
}

async fn plan(operator: &Operator, person: &str) -> String {
    let wanted = json!({ "people": [person], "product": PRODUCT, "days": 365, "purpose": "general" });
    let batch = text(&operator.post("/batches", wanted).await.done()["id"]);
    until_ready(operator, &batch).await;
    batch
}

async fn until_ready(operator: &Operator, batch: &str) {
    let planned = async || operator.get(&format!("/batches/{batch}")).await["status"] != "planning";
    assert!(holds_in_time(planned).await, "it is never planned");
}

/// No machine does anything about it any more.
fn is_at_rest(enrollment: &Value) -> bool {
    let moving = ["planned", "requested", "buying", "bought", "validating", "issued", "importing"];
    enrollment["state"].as_str().is_some_and(|state| !moving.contains(&state))
}
