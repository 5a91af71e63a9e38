//! Every call that the functions make at AWS for one certificate, from the plan to the device, meets every trouble: what was
//! begun is finished, and bought once. The calls are those of an ordinary order, so that a new one cannot be forgotten.

use std::{cell::Cell as Shared, collections::BTreeMap};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    meter::{Call, Trouble},
    run, text,
    vendors::PRODUCT,
    world::World,
};

/// More than there are cells: one certificate for each.
const PEOPLE: usize = 400;

/// A function makes the same kind of call more often for some orders than for others; so many are each a cell of their own.
const OF_ONE_KIND: u64 = 2;

/// Whoever looks at the console, plans and sweeps asks again and again, so that which call it is says nothing.
const ANY_CALL: [&str; 3] = ["api", "batch-enrollment", "reconcile"];

struct Cell {
    call: Call,
    /// So many calls of its kind go well before it.
    spared: u32,
    trouble: Trouble,
}

#[test]
fn every_call_at_aws_meets_every_trouble_and_everybody_has_one_certificate() {
    run(async {
        let world = World::of("matrix", PEOPLE).await;
        let page = world.operator.get("/people?limit=200").await;
        let rest = world.operator.get(&format!("/people?limit=200&after={}", text(&page["next"]))).await;
        let people = [page, rest].map(|page| page["items"].as_array().unwrap().clone()).concat();
        let mut people = people.iter().map(|person| text(&person["id"]));
        // What was given back, or belonged to a process that is dead, comes again soon.
        for queue in ["batch-enrollment", "order-placement", "order-check", "pfx-import"] {
            world.hurry(queue, 3).await;
        }

        let cells = cells(&world, &people.next().unwrap()).await;
        let (mut ordered, mut met, mut killed) = (1, BTreeMap::new(), 0);
        for cell in &cells {
            let Some(person) = people.next() else { panic!("there are {} cells", cells.len()) };
            ordered += 1;
            let meets = under(&world, cell, &person).await;
            killed += u32::from(meets && cell.trouble.kills());
            let of_its_kind = met.entry((cell.call.clone(), cell.trouble)).or_insert(0);
            *of_its_kind += u32::from(meets);
        }
        world.meter.recover();
        let resolved = until_everybody_rests(&world, ordered).await;
        world.everybody_has_one(ordered).await;

        let spared: Vec<_> = met.iter().filter(|(_, count)| **count == 0).map(|(kind, _)| kind).collect();
        assert!(spared.is_empty(), "calls that met no trouble: {spared:?}");
        let figures = json!({
            "kinds_of_calls": met.keys().map(|(call, _)| call).collect::<std::collections::BTreeSet<_>>().len(),
            "cells": cells.len(),
            "met": met.values().sum::<u32>(),
            "processes_killed": killed,
            "certificates": ordered,
            "purchases": world.purchases(),
            "unsure_and_resolved": resolved,
        });
        std::fs::write(world.emulator.folder().join("matrix.json"), figures.to_string()).unwrap();
        show(&figures);
    });
}

/// The calls of an order in which all goes well, each with all of its troubles.
async fn cells(world: &World, person: &str) -> Vec<Cell> {
    let functions =
        ["api", "batch-enrollment", "order-placement", "order-webhook", "order-check", "pfx-import", "reconcile"];
    for function in functions {
        // A new process reads secrets and asks for a data key.
        world.kill(function);
    }
    world.meter.take();
    order(world, person, &Shared::new(false)).await;
    let mut cells = Vec::new();
    for (call, sum) in world.meter.take() {
        if !functions.contains(&call.0.as_str()) {
            continue;
        }
        let count = if ANY_CALL.contains(&call.0.as_str()) { 1 } else { sum.calls.min(OF_ONE_KIND) };
        for spared in 0..count {
            let spared = u32::try_from(spared).unwrap();
            cells.extend(Trouble::ALL.map(|trouble| Cell { call: call.clone(), spared, trouble }));
        }
    }
    cells
}

/// Orders for a person while a call meets trouble. Answers whether it did.
async fn under(world: &World, cell: &Cell, person: &str) -> bool {
    let function = cell.call.0.as_str();
    if ["secretsmanager:", "kms:"].iter().any(|service| cell.call.1.starts_with(service)) {
        // What a process has asked for it keeps for minutes.
        world.kill(function);
    }
    let mut meets = world.meter.arm(&cell.call, cell.spared, cell.trouble);
    let met = Shared::new(false);
    let ordering = order(world, person, &met);
    tokio::pin!(ordering);
    loop {
        tokio::select! {
            () = &mut ordering => return met.get(),
            word = &mut meets, if !met.get() => {
                met.set(word.is_ok());
                if cell.trouble.kills() {
                    world.kill(function);
                }
                // Where nothing is killed nobody listens.
                let _ = word.map(|dead| dead.send(()));
            }
        }
    }
}

/// From the plan until the certificate is in Intune, or nobody knows whether it was bought; and until the trouble was met, or
/// no call is left that could meet it.
async fn order(world: &World, person: &str, met: &Shared<bool>) {
    let wanted = json!({ "people": [person], "product": PRODUCT, "days": 365, "purpose": "general" });
    let batch = again_and_again(world, "/batches", wanted).await.expect("a plan");
    let batch = text(&batch["id"]);
    world.until("the plan is ready", async || status(world, &batch).await == "ready").await;
    again_and_again(world, &format!("/batches/{batch}/approve"), json!({})).await;
    let rests = async || {
        let answer = world.operator.send(reqwest::Method::GET, &format!("/enrollments?batch={batch}"), None).await;
        let state = answer.body["items"][0]["state"].as_str().unwrap_or_default().to_owned();
        match state.as_str() {
            "unsure" => true,
            // An order whose answer was lost is looked up for a while; the next cell need not wait for it. Without trouble it
            // is a moment on the way.
            "buying" => met.get(),
            // Whoever imports looks whether its batch is done with it.
            "imported" => met.get() || world.is_empty("pfx-import").await,
            _ => false,
        }
    };
    world.until("the order rests", rests).await;
}

/// As an operator does whom a page answers that something went wrong. None where it had been done before.
async fn again_and_again(world: &World, path: &str, body: Value) -> Option<Value> {
    for _ in 0..20 {
        let answer = world.operator.post(path, body.clone()).await;
        match answer.status {
            status if status.is_success() => return Some(answer.body),
            StatusCode::CONFLICT => return None,
            status => assert!(status.is_server_error(), "{status}: {}", answer.body),
        }
    }
    panic!("{path} does not work")
}

async fn status(world: &World, batch: &str) -> String {
    let answer = world.operator.send(reqwest::Method::GET, &format!("/batches/{batch}"), None).await;
    answer.body["status"].as_str().unwrap_or_default().to_owned()
}

/// What is unsure is resolved as a person does who looks it up at SSL.com. Answers how many there were.
async fn until_everybody_rests(world: &World, people: u64) -> usize {
    let resolved = Shared::new(0);
    let everybody = async || {
        let unsure = world.operator.get("/enrollments?state=unsure&limit=200").await;
        for row in unsure["items"].as_array().unwrap() {
            let bought = world.vendors.sslcom.till().by_external_order_number;
            // An order's number is the enrollment's id and the attempt.
            let id = text(&row["id"]);
            let orders = bought.iter().find(|(number, _)| number.starts_with(&id)).map(|(_, orders)| orders);
            let says = match orders.and_then(|orders| orders.first()) {
                Some(order) => json!({ "bought": order }),
                None => json!({ "not_bought": true }),
            };
            world.operator.post(&format!("/enrollments/{id}/resolve"), says).await.done();
            resolved.set(resolved.get() + 1);
        }
        let counts = world.operator.get("/counts").await;
        let of = |state: &str| {
            let rows = counts["states"].as_array().unwrap().iter().filter(|row| row["state"] == state);
            rows.filter_map(|row| row["count"].as_u64()).sum::<u64>()
        };
        of("imported") == people
    };
    world.until("everybody has a certificate", everybody).await;
    resolved.get()
}

#[expect(clippy::print_stdout, reason = "the figures are what this test is for")]
fn show(figures: &Value) {
    println!("{figures}");
}
