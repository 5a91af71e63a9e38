//! Each statement of each role is needed: without it a named step is refused. Those that the emulator cannot show are
//! listed, and are exactly these.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Wait},
    sslcom::behaviour::{Behaviour, Callback},
};

use crate::{run, stack::FUNCTIONS, text, world::World};

/// Not enforced by the emulator: it writes logs itself, drops traces, and reads queues for its mappings without asking the role.
const NOT_SHOWN: [&str; 3] = ["WriteItsLog", "WriteTraces", "TakeMessages"];

/// What an operator or the sweep does that needs a statement.
#[derive(Clone, Copy, Debug)]
enum Step {
    ListIntegrations,
    ListEnrollments,
    Preflight,
    SaveSettings,
    Import,
    Plan,
    CompareAfterRestore,
    /// Somebody's certificate, from the plan to the device.
    Order,
    Authorize,
    CallBack,
    Sweep,
    /// Graph asks to wait in the middle of an import.
    ImportOfPatience,
    /// Intune asks to wait in the middle of a plan.
    PlanOfPatience,
    /// An import whose message was lost.
    LostImport,
    /// A plan whose message was lost.
    LostPlan,
    /// An order of which SSL.com did not say whether it was taken.
    UnclearOrder,
    /// An order whose certificate nobody tells of.
    PolledOrder,
    /// An import into Intune that did not work at once.
    SlowIntune,
}

use Step::*;

/// Function, statement, the step that needs it, and what is refused.
const NEEDED: &[(&str, &str, Step, &str)] = &[
    ("api", "UseTable", ListIntegrations, "dynamodb:"),
    ("api", "QueryIndexes", ListEnrollments, "dynamodb:Query/index"),
    ("api", "ReadSecretsOfBothVendors", Preflight, "secretsmanager:GetSecretValue"),
    ("api", "KeepSecrets", SaveSettings, "secretsmanager:"),
    ("api", "QueueImports", Import, "sqs:SendMessage"),
    ("api", "QueueBatches", Plan, "sqs:SendMessage"),
    ("api", "QueueComparisons", CompareAfterRestore, "sqs:SendMessage"),
    ("oauth-callback", "UseTable", Authorize, "dynamodb:"),
    ("oauth-callback", "ReadEntraSecrets", Authorize, "secretsmanager:GetSecretValue"),
    ("oauth-callback", "SealAndOpenVerifiers", Authorize, "kms:"),
    ("order-webhook", "UseTable", CallBack, "dynamodb:"),
    ("order-webhook", "QueueOrderChecks", Order, "sqs:SendMessage"),
    ("user-import", "UseTable", Import, "dynamodb:"),
    ("user-import", "QueueImports", ImportOfPatience, "sqs:SendMessage"),
    ("user-import", "ReadEntraSecrets", Import, "secretsmanager:GetSecretValue"),
    ("batch-enrollment", "UseTable", Plan, "dynamodb:"),
    ("batch-enrollment", "QueryIndexes", Plan, "dynamodb:Query/index"),
    ("batch-enrollment", "QueueBatches", PlanOfPatience, "sqs:SendMessage"),
    ("batch-enrollment", "ReadEntraSecrets", Plan, "secretsmanager:GetSecretValue"),
    ("order-placement", "UseTable", Order, "dynamodb:"),
    ("order-placement", "ReadSslcomSecrets", Order, "secretsmanager:GetSecretValue"),
    ("order-placement", "SealPrivateKeys", Order, "kms:GenerateDataKey"),
    ("order-placement", "QueueOrderChecks", Order, "sqs:SendMessage"),
    ("order-check", "UseTable", Order, "dynamodb:"),
    ("order-check", "QueryIndexes", UnclearOrder, "dynamodb:Query/index"),
    ("order-check", "ReadSslcomSecrets", Order, "secretsmanager:GetSecretValue"),
    ("order-check", "QueuePfxImports", Order, "sqs:SendMessage"),
    ("pfx-import", "UseTable", Order, "dynamodb:"),
    ("pfx-import", "ReadEntraSecrets", Order, "secretsmanager:GetSecretValue"),
    ("pfx-import", "OpenPrivateKeys", Order, "kms:Decrypt"),
    ("reconcile", "UseTable", Sweep, "dynamodb:"),
    ("reconcile", "QueryIndexes", Sweep, "dynamodb:Query/index"),
    ("reconcile", "ReadDeadLetters", Sweep, "sqs:ReceiveMessage"),
    ("reconcile", "QueueImports", LostImport, "sqs:SendMessage"),
    ("reconcile", "QueueBatches", LostPlan, "sqs:SendMessage"),
    ("reconcile", "QueueOrders", Order, "sqs:SendMessage"),
    ("reconcile", "QueueOrderChecks", PolledOrder, "sqs:SendMessage"),
    ("reconcile", "QueuePfxImports", SlowIntune, "sqs:SendMessage"),
];

#[test]
fn each_statement_removed_makes_a_named_step_fail() {
    run(async {
        let world = World::of("roles", 60).await;
        let people = world.operator.get("/people?limit=200").await["items"].as_array().unwrap().clone();
        let mut people = people.iter().map(|person| text(&person["id"]));
        // What was refused comes again soon.
        for queue in ["user-import", "batch-enrollment"] {
            world.hurry(queue, 2).await;
        }
        let mut unneeded = BTreeSet::new();
        for function in FUNCTIONS {
            let statements = world.statements(function).await;
            for sid in statements.iter().map(|row| text(&row["Sid"])).filter(|sid| !NOT_SHOWN.contains(&sid.as_str())) {
                let Some((.., step, action)) = NEEDED.iter().find(|row| row.0 == function && row.1 == sid) else {
                    unneeded.insert(format!("{function}: {sid}"));
                    continue;
                };
                let without: Vec<Value> = statements.iter().filter(|row| row["Sid"] != sid.as_str()).cloned().collect();
                world.put_statements(function, &without).await;
                // Secrets and tokens are held by the process; a new one has to ask.
                world.kill(function);
                answers(&world, function).await;
                world.meter.take_denied();
                let person = people.next().unwrap();
                begin(&world, *step, &person).await;
                let what = format!("{step:?} fails when {function} may not {sid}");
                world.until(&what, async || world.meter.has_denied(function, action)).await;
                world.put_statements(function, &statements).await;
                // One import at a time.
                let ended = async || world.operator.get("/people/import").await["running"] == false;
                world.until("the import ends", ended).await;
            }
        }
        let used: String = world.meter.used().iter().map(|(function, right)| format!("{function} {right}\n")).collect();
        std::fs::write(world.emulator.folder().join("used-rights.txt"), used).unwrap();
        assert_eq!(unneeded, BTreeSet::new(), "statements for which no step is named");
    });
}

/// Waits until a function behind the API has a process again: the request that finds the dead one is lost with it.
async fn answers(world: &World, function: &str) {
    let path = match function {
        "api" => "/health",
        "oauth-callback" => "/oauth/start",
        "order-webhook" => "/hooks/sslcom/none",
        _ => return,
    };
    let anybody = world.operator.with_token(String::new());
    let answers = async || anybody.request(Method::GET, path, None).await.status != StatusCode::BAD_GATEWAY;
    world.until_alone(&format!("{function} answers"), answers).await;
}

/// Begins a step and does not wait for its end, nor ask whether it was refused.
async fn begin(world: &World, step: Step, person: &str) {
    let (operator, microsoft) = (&world.operator, world.vendors.microsoft.faults());
    let ask = async |path: &str| drop(operator.send(Method::GET, path, None).await);
    match step {
        ListIntegrations => drop(operator.request(Method::GET, "/api/integrations", None).await),
        ListEnrollments => ask("/enrollments?limit=10").await,
        Preflight => ask("/preflight").await,
        SaveSettings => drop(operator.send(Method::PUT, "", Some(world.vendors.settings())).await),
        Import => drop(operator.post("/people/import", json!({})).await),
        Plan => drop(plan(world, person).await),
        CompareAfterRestore => {
            drop(operator.post("/after-restore", json!({})).await);
            // The steps after this one buy.
            drop(operator.send(Method::PUT, "/stop-buying", Some(json!({ "stopped": false }))).await);
        }
        Order => order(world, person).await,
        Authorize => {
            let answer = operator.post("/authorize", json!({})).await.done();
            drop(operator.try_authorize(&text(&answer["url"])).await);
        }
        CallBack => {
            let path = format!("/hooks/sslcom/{}", "0".repeat(64));
            drop(operator.with_token(String::new()).request(Method::POST, &path, Some(json!({}))).await);
        }
        Sweep => drop(world.sweep().await),
        ImportOfPatience => {
            // The next import is in full only if the settings say otherwise; whichever it is, it meets this.
            for call in ["graph.users", "graph.users_delta"] {
                microsoft.next(call, Fault::Throttle(Wait::Seconds(1)));
            }
            drop(operator.post("/people/import", json!({})).await);
        }
        PlanOfPatience => {
            microsoft.next("graph.pfx_list", Fault::Throttle(Wait::Seconds(1)));
            drop(plan(world, person).await);
        }
        LostImport => {
            without(world, "QueueImports", async || drop(operator.post("/people/import", json!({})).await)).await
        }
        LostPlan => without(world, "QueueBatches", async || drop(plan(world, person).await)).await,
        UnclearOrder => {
            world.vendors.sslcom.faults().next("sslcom.create", Fault::LoseAnswer);
            order(world, person).await;
        }
        PolledOrder => {
            world.vendors.sslcom.set_behaviour(Behaviour { callback: Callback::None, ..Behaviour::default() });
            order(world, person).await;
        }
        SlowIntune => {
            microsoft.next("graph.pfx_create", Fault::FailBefore(503));
            order(world, person).await;
        }
    }
}

/// Something is written down, and its message is not sent: the API may not.
async fn without(world: &World, sid: &str, act: impl AsyncFn()) {
    let statements = world.statements("api").await;
    let less: Vec<Value> = statements.iter().filter(|row| row["Sid"] != sid).cloned().collect();
    world.put_statements("api", &less).await;
    act().await;
    world.put_statements("api", &statements).await;
}

async fn order(world: &World, person: &str) {
    let Some(batch) = plan(world, person).await else { return };
    world.until("the plan is ready", async || world.batch(&batch).await["status"] == "ready").await;
    world.approve(&batch).await;
}

async fn plan(world: &World, person: &str) -> Option<String> {
    let wanted = json!({ "people": [person], "product": crate::vendors::PRODUCT, "days": 365, "purpose": "general" });
    let answer = world.operator.post("/batches", wanted).await;
    answer.body["id"].as_str().map(str::to_owned)
}
