//! What must hold when a backup is put back.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use sim::{
    faults::{Fault, Hold, Wait},
    sslcom::behaviour::{Behaviour, ExternalOrderNumber},
};

use super::{
    unsure::one_unsure,
    validation::waiting_for_a_click,
    vouchers::{paid_and_not_usable, requested},
};
use crate::program::Program;
use crate::world::{
    Setting, World, text,
    vendors::{ACCOUNT_KEY, PRICE_CENTS, Shop},
};

#[tokio::test]
async fn a_plan_of_a_backup_cannot_buy_again_what_was_bought_after_it() {
    let mut world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    let backup = backed_up(&mut world).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("imported", 3)]).await;
    put_back(&mut world, &backup).await;

    assert_eq!(
        compared(&world).await,
        "3 open enrollments; 3 orders found that the backup did not know; 1 open plans given up; \
         0 orders without an enrollment"
    );
    assert_eq!(world.operator.get("").await["settings"]["stop_buying"], json!(true));
    world.approve(&batch).await.refused(409);
    world.stop_buying(false).await;
    // Their keys are lost with the data that was not backed up, so each is held for a person.
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);
}

/// What was approved when the backup was made is bought after it; put back, it is found at SSL.com and not bought again.
/// Its certificates are for keys that are lost: they are revoked, and the people are enrolled anew.
#[tokio::test]
async fn an_approved_batch_of_a_backup_is_not_bought_again_and_its_people_are_not_stuck() {
    let mut world = World::with_people(3).await;
    let batch = world.plan_for_everybody().await;
    world.stop_buying(true).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", 3)]).await;
    let backup = backed_up(&mut world).await;
    world.stop_buying(false).await;
    for row in world.enrollments().await {
        world.decide(&row, "try-now", json!({})).await;
    }
    world.until_states(&batch, [("imported", 3)]).await;
    put_back(&mut world, &backup).await;
    // A limit of today says nothing about what was paid before.
    world.change_settings(json!({ "orders_per_day": 1, "stop_buying": true })).await;

    let compared = compared(&world).await;
    assert!(compared.starts_with("3 open enrollments; 3 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);

    for row in world.enrollments().await {
        world.insist(&row, "revoke", json!({ "reason": "the key is lost" })).await;
    }
    world.until_states(&batch, [("rejected", 3)]).await;
    world.change_settings(json!({ "orders_per_day": 100, "stop_buying": false })).await;
    let next = world.order_for_everybody().await;
    world.until_states(&next, [("imported", 3)]).await;
    assert_eq!(world.purchases(), 6);
}

/// The backup knows of an attempt that bought nothing, and the next one bought.
#[tokio::test]
async fn what_was_blocked_in_the_backup_and_bought_after_it_is_not_bought_again() {
    let shop = Shop { funds_cents: 0, ..Shop::default() };
    let mut world = World::of(Setting { people: 3, shop, ..Setting::default() }).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("blocked", 3)]).await;
    let backup = backed_up(&mut world).await;
    world.sslcom().add_funds(ACCOUNT_KEY, 6 * PRICE_CENTS);
    resume(&world, &batch).await;
    world.until_states(&batch, [("imported", 3)]).await;
    put_back(&mut world, &backup).await;

    let compared = compared(&world).await;
    assert!(compared.starts_with("3 open enrollments; 3 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);
}

#[tokio::test]
async fn what_was_unsure_in_the_backup_and_bought_after_it_is_not_bought_again() {
    let (mut world, batch, backup) = unsure_in_the_backup(Fault::DropBefore).await;
    assert_eq!(world.purchases(), 1);
    put_back(&mut world, &backup).await;
    world.sslcom().set_behaviour(Behaviour::default());
    let compared = compared(&world).await;
    assert!(compared.starts_with("1 open enrollments; 1 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 1)]).await;
    assert_eq!(world.purchases(), 1);
}

/// Both attempts were paid: the one before the backup without an answer, and the one after it.
#[tokio::test]
async fn of_two_orders_for_one_row_the_last_is_its_own_and_the_first_is_surplus() {
    let (mut world, batch, backup) = unsure_in_the_backup(Fault::LoseAnswer).await;
    let first = world.sslcom().orders()[0].reference.clone();
    put_back(&mut world, &backup).await;
    world.sslcom().set_behaviour(Behaviour::default());
    let compared = compared(&world).await;
    assert!(compared.starts_with("1 open enrollments; 2 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 1)]).await;
    assert_eq!(world.only_enrollment().await["surplus_orders"], json!([first]));
    assert_eq!(world.purchases(), 2);
}

/// A surplus order that is found when everything is done changes nothing about when the key's time is over.
#[tokio::test]
async fn a_surplus_order_that_is_found_late_does_not_keep_a_key_for_ever() {
    let (world, batch, _) = unsure_in_the_backup(Fault::LoseAnswer).await;
    world.sslcom().set_behaviour(Behaviour::default());
    let found = compared(&world).await;
    assert!(found.starts_with("0 open enrollments; 1 orders found"), "{found}");
    world.until_states(&batch, [("imported", 1)]).await;
    assert_eq!(world.only_enrollment().await["surplus_orders"].as_array().unwrap().len(), 1);
    world.pass(SignedDuration::from_hours(24 * 15));
    world.until("the key is destroyed", async || world.only_enrollment().await["key"] == "destroyed").await;
}

/// One enrollment that is unsure in the backup; after it, a person ruled the purchase out and the next one was imported.
async fn unsure_in_the_backup(of_the_first: Fault) -> (World, String, PathBuf) {
    let (mut world, batch) = one_unsure(of_the_first).await;
    let backup = backed_up(&mut world).await;
    let checked = json!({ "not_bought": true, "checked": "no such order in the portal" });
    world.decide(&world.only_enrollment().await, "resolve", checked).await.done();
    world.until_states(&batch, [("imported", 1)]).await;
    (world, batch, backup)
}

#[tokio::test]
async fn numbers_that_only_single_orders_show_are_read_from_each() {
    let (mut world, batch, backup) = approved_in_the_backup(2, ExternalOrderNumber::Retrieved).await;
    put_back(&mut world, &backup).await;
    let compared = compared(&world).await;
    assert!(compared.starts_with("2 open enrollments; 2 orders found"), "{compared}");
    world.stop_buying(false).await;
    world.until_states(&batch, [("held", 2)]).await;
    assert_eq!(world.purchases(), 2);
}

/// Then nobody can tell whose they are, and a person looks before buying goes on.
#[tokio::test]
async fn orders_that_show_no_number_at_all_are_named() {
    let (mut world, _, backup) = approved_in_the_backup(2, ExternalOrderNumber::Forgotten).await;
    put_back(&mut world, &backup).await;
    let compared = compared(&world).await;
    let mut orders: Vec<_> = world.sslcom().orders().into_iter().map(|order| order.reference).collect();
    orders.sort();
    assert!(compared.ends_with(&format!("2 orders without an enrollment: {}", orders.join(", "))), "{compared}");
    assert_eq!(world.operator.get("").await["settings"]["stop_buying"], json!(true));
}

#[tokio::test]
async fn an_order_that_cannot_be_read_leaves_the_comparison_undone_and_says_so() {
    let (mut world, _, backup) = approved_in_the_backup(1, ExternalOrderNumber::Retrieved).await;
    put_back(&mut world, &backup).await;
    world.sslcom().faults().next("sslcom.retrieve", Fault::FailBefore(500));
    world.operator.send(Method::POST, "/after-restore", None).await.done();
    let said = said_of(&world, "restore.not_compared").await;
    let order = &world.sslcom().orders()[0].reference;
    assert!(said.contains(&format!("order {order}, which may be ours, cannot be read")), "{said}");
    assert!(compared(&world).await.starts_with("1 open enrollments; 1 orders found"), "asked again");
}

/// Approved when the backup was made, with buying stopped, and imported after it.
async fn approved_in_the_backup(people: usize, number: ExternalOrderNumber) -> (World, String, PathBuf) {
    let behaviour = Behaviour { external_order_number: number, ..Behaviour::default() };
    let shop = Shop { behaviour, ..Shop::default() };
    let mut world = World::of(Setting { people, shop, ..Setting::default() }).await;
    let batch = world.plan_for_everybody().await;
    world.stop_buying(true).await;
    world.approve(&batch).await.done();
    world.until_states(&batch, [("requested", people as u64)]).await;
    let backup = backed_up(&mut world).await;
    world.stop_buying(false).await;
    world.pass(SignedDuration::from_mins(6));
    world.until_states(&batch, [("imported", people as u64)]).await;
    (world, batch, backup)
}

/// As whoever restores on a laptop does it, while nothing serves.
#[tokio::test]
async fn the_command_line_names_the_orders_to_look_at_and_what_was_not_compared() {
    let (mut world, _, backup) = approved_in_the_backup(2, ExternalOrderNumber::Forgotten).await;
    world.stop_application().await;
    world.sslcom().faults().next("sslcom.retrieve", Fault::FailBefore(500));
    let (all, said) = Program::after_restore(&backup, &world.vendors).await;
    assert!(!all && said.contains("not compared, so do it again: order co-"), "{said}");
    let (all, said) = Program::after_restore(&backup, &world.vendors).await;
    assert!(all, "{said}");
    for order in world.sslcom().orders() {
        let reference = order.reference;
        assert!(said.contains(&format!("look at order {reference}: it belongs to no enrollment")), "{said}");
    }
}

/// SSL.com asked to wait while single orders were read: the next comparison goes on with what is left.
#[tokio::test]
async fn orders_that_there_was_no_time_to_read_are_named_and_compared_when_asked_again() {
    let (mut world, batch, backup) = approved_in_the_backup(3, ExternalOrderNumber::Retrieved).await;
    put_back(&mut world, &backup).await;
    let hold = Hold::new();
    world.sslcom().faults().next("sslcom.retrieve", Fault::HoldBefore(hold.clone()));
    let throttled = async {
        hold.arrived().await;
        world.sslcom().faults().next("sslcom.retrieve", Fault::Throttle(Wait::Seconds(60)));
        hold.release();
    };
    let (first, ()) = tokio::join!(compared(&world), throttled);
    assert!(first.starts_with("3 open enrollments; 1 orders found"), "{first}");
    assert!(first.contains("; 2 orders that may be ours were not read in time, so compare again: co-"), "{first}");
    world.pass(SignedDuration::from_secs(61));
    world.operator.send(Method::POST, "/after-restore", None).await.done();
    world.until_states(&batch, [("held", 3)]).await;
    assert_eq!(world.purchases(), 3);
}

#[tokio::test]
async fn an_order_that_was_freed_before_the_backup_and_used_for_somebody_since_is_named() {
    let (mut world, [failed, taker], order) = a_failed_and_a_requested_one().await;
    world.insist(&failed, "release-order", json!({ "order": order, "reason": "left" })).await;
    let backup = backed_up(&mut world).await;
    world.insist(&taker, "give-order", json!({ "order": order })).await;
    world.until_states(&text(&taker["batch"]), [("imported", 1)]).await;
    put_back(&mut world, &backup).await;

    let compared = compared(&world).await;
    let named = format!("1 orders that the backup holds for unused are used: {order}");
    assert!(compared.contains("1 orders found that the backup did not know"), "{compared}");
    assert!(compared.ends_with(&named), "{compared}");
}

/// What SSL.com will never issue on is used by nobody.
#[tokio::test]
async fn an_order_that_sslcom_rejected_is_not_named_as_used() {
    let (mut world, batch, _) = waiting_for_a_click(Setting { polling_only: true, ..Setting::default() }).await;
    assert!(world.sslcom().reject(&world.order_of(&world.only_enrollment().await), "rejected"));
    world.until_states(&batch, [("rejected", 1)]).await;
    let backup = backed_up(&mut world).await;
    put_back(&mut world, &backup).await;
    let compared = compared(&world).await;
    assert!(compared.ends_with("0 orders without an enrollment"), "{compared}");
}

/// An order that is unused in the backup was given to somebody after it.
#[tokio::test]
async fn an_unused_order_of_the_backup_that_was_used_for_somebody_since_is_named() {
    let (mut world, [failed, taker], order) = a_failed_and_a_requested_one().await;
    let backup = backed_up(&mut world).await;
    world.insist(&failed, "release-order", json!({ "order": order, "reason": "left" })).await;
    world.insist(&taker, "give-order", json!({ "order": order })).await;
    world.until_states(&text(&taker["batch"]), [("imported", 1)]).await;
    put_back(&mut world, &backup).await;

    let compared = compared(&world).await;
    let named = format!("1 orders that the backup holds for unused are used: {order}");
    assert!(compared.ends_with(&named), "{compared}");
}

/// One whose paid order could not be used, and one who waits while buying is stopped; and the order.
async fn a_failed_and_a_requested_one() -> (World, [Value; 2], String) {
    let (world, people, failed) = paid_and_not_usable(2).await;
    world.sslcom().set_behaviour(Behaviour::default());
    world.stop_buying(true).await;
    let taker = requested(&world, people[1]).await;
    let order = world.order_of(&failed);
    (world, [failed, taker], order)
}

async fn resume(world: &World, batch: &str) {
    world.operator.post(&format!("/batches/{batch}/resume"), json!({})).await.done();
}

/// Copies the data while nobody has it open; then the application goes on.
async fn backed_up(world: &mut World) -> PathBuf {
    let (data, backup) = (world.folder().join("application"), world.folder().join("backup"));
    world.stop_application().await;
    copy(&data, &backup);
    world.start_application(&data).await;
    backup
}

async fn put_back(world: &mut World, backup: &Path) {
    world.stop_application().await;
    world.start_application(backup).await;
}

/// Asks for the comparison with SSL.com and answers what the audit says of it.
async fn compared(world: &World) -> String {
    world.operator.send(Method::POST, "/after-restore", None).await.done();
    said_of(world, "restore.compared").await
}

async fn said_of(world: &World, action: &str) -> String {
    let line = async || {
        let audit = world.operator.get("/audit").await;
        audit["items"].as_array().unwrap().iter().find(|line| line["action"] == action).cloned()
    };
    world.until(action, async || line().await.is_some()).await;
    text(&line().await.unwrap()["detail"])
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
