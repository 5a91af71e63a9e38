//! Everything goes well: every person, purpose, key algorithm and PFX profile.

use std::collections::BTreeMap;

use serde_json::json;
use sim::{
    connector::Outcome,
    graph::record::{Purpose, Record},
    pfx::{Pfx, Profile},
};

use crate::world::{Setting, World};

#[tokio::test]
async fn everybody_of_an_organisation_is_bought_for_once_and_opens_their_certificate() {
    let world = World::with_people(8).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 8)]).await;
    world.everybody_has_one(8).await;
    assert_eq!(world.sslcom().calls("sslcom.create"), 8);
    assert_eq!(world.microsoft().calls("graph.pfx_create"), 8);
    assert_eq!(world.microsoft().refusals(), []);
}

#[tokio::test]
async fn every_purpose_and_profile_is_imported_with_rsa_2048() {
    every_purpose_and_profile_is_imported_with("rsa2048").await;
}

#[tokio::test]
async fn every_purpose_and_profile_is_imported_with_rsa_3072() {
    every_purpose_and_profile_is_imported_with("rsa3072").await;
}

#[tokio::test]
async fn every_purpose_and_profile_is_imported_with_p_256() {
    every_purpose_and_profile_is_imported_with("p256").await;
}

/// Six people, one for each pair of purpose and profile.
async fn every_purpose_and_profile_is_imported_with(key_algorithm: &str) {
    let settings = json!({ "key_algorithm": key_algorithm });
    let mut world = World::of(Setting { people: 6, settings, ..Setting::default() }).await;
    let mut people = world.microsoft().directory().people().into_iter();
    let mut expected = BTreeMap::new();
    let mut batches = Vec::new();
    for (profile, shown_profile) in [("compatible", Profile::Compatible), ("modern", Profile::Modern)] {
        world.change_settings(json!({ "pfx_profile": profile })).await;
        for (purpose, shown_purpose) in [
            ("general", Purpose::Unassigned),
            ("encryption", Purpose::SmimeEncryption),
            ("signing", Purpose::SmimeSigning),
        ] {
            let person = people.next().unwrap().id;
            let batch = world.plan(json!({ "people": [person] }), purpose).await;
            world.approve(&batch).await.done();
            expected.insert(person, (shown_purpose, shown_profile));
            batches.push(batch);
        }
        // The profile is that of the settings at the import.
        for batch in batches.drain(..) {
            world.until_states(&batch, [("imported", 1)]).await;
        }
    }
    world.everybody_has_one(6).await;
    for record in world.microsoft().records() {
        let (purpose, profile) = expected[&record.user_id];
        assert_eq!((record.intended_purpose, opened(&world, &record).profile), (purpose, profile));
    }
    assert!(world.deliveries().iter().all(|delivery| matches!(delivery.outcome, Outcome::Delivered { .. })));
}

#[tokio::test]
async fn a_changed_pfx_profile_reaches_a_record_by_importing_it_again() {
    let mut world = World::with_people(2).await;
    let batch = world.order_for_everybody().await;
    world.until_states(&batch, [("imported", 2)]).await;
    world.everybody_has_one(2).await;
    let profiles = |world: &World| -> Vec<_> {
        world.microsoft().records().iter().map(|record| opened(world, record).profile).collect()
    };
    world.change_settings(json!({ "pfx_profile": "modern" })).await;
    assert_eq!(profiles(&world), [Profile::Compatible; 2], "a record is as it was imported");
    world.operator.post("/import-again", json!({})).await.done();
    world.until("both are written again", async || world.microsoft().calls("graph.pfx_update") == 2).await;
    world.until_states(&batch, [("imported", 2)]).await;
    assert_eq!(profiles(&world), [Profile::Modern; 2]);
    world.microsoft().settled().await;
    assert_eq!((world.microsoft().failed_count(), world.purchases()), (0, 2));
}

fn opened(world: &World, record: &Record) -> Pfx {
    let connector = world.microsoft().connector();
    let password = connector.decrypt(
        &record.provider_name,
        &record.key_name,
        record.padding_scheme,
        &record.encrypted_pfx_password,
    );
    Pfx::open(&record.pfx, std::str::from_utf8(&password.unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn two_batches_over_the_same_people_approved_at_once_buy_once_for_each() {
    let world = World::with_people(8).await;
    let (one, other) = (world.plan_for_everybody().await, world.plan_for_everybody().await);
    let (approved, too) = tokio::join!(world.approve(&one), world.approve(&other));
    approved.done();
    too.done();
    let rows = async || {
        let (one, other) = (world.states(&one).await, world.states(&other).await);
        let of = |state: &str| one.get(state).unwrap_or(&0) + other.get(state).unwrap_or(&0);
        (of("imported"), of("cancelled"))
    };
    world
        .until("each person is imported in one batch and cancelled in the other", async || rows().await == (8, 8))
        .await;
    world.everybody_has_one(8).await;
    for row in world.enrollments().await.iter().filter(|row| row["state"] == "cancelled") {
        let says = row["says"].as_str().unwrap();
        assert!(says.contains("has the claim") || says.contains("what covers them, changed"), "{says}");
        assert_eq!((&row["order"], &row["attempt"]), (&json!(null), &json!(0)));
    }
}
