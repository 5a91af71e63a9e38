//! What is looked at before anything is bought. It spends nothing, and a machine's look is never taken for a person's word.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::world::{Setting, World};

async fn rows(world: &World) -> Vec<Value> {
    let rows = world.operator.get("/preflight").await;
    assert_eq!(world.purchases(), 0);
    rows.as_array().unwrap().clone()
}

fn row<'a>(rows: &'a [Value], check: &str) -> &'a Value {
    rows.iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("no row for {check}: {rows:?}"))
}

#[tokio::test]
async fn where_everything_is_in_place_nothing_is_bad() {
    let world = World::with_people(1).await;
    let rows = rows(&world).await;
    assert!(rows.iter().all(|row| row["status"] != "bad"), "{rows:?}");
    for (check, kind) in [("token", "checked"), ("SSL.com credentials", "checked"), ("client secret", "attested")] {
        assert_eq!(row(&rows, check)["kind"], kind, "{check}");
    }
    assert_eq!(row(&rows, "client secret")["result"], "nobody has said when it ends");
}

#[tokio::test]
async fn a_client_secret_is_warned_of_a_month_before_its_end() {
    let mut world = World::of(Setting { people: 1, ..Setting::default() }).await;
    let day = |days: i64| {
        let then = Timestamp::now() + SignedDuration::from_hours(24 * days);
        then.to_zoned(TimeZone::UTC).date().to_string()
    };
    for (days, status) in [(-1, "bad"), (30, "warning"), (60, "good")] {
        world.change_settings(json!({ "client_secret_expires": day(days) })).await;
        let rows = rows(&world).await;
        assert_eq!(row(&rows, "client secret")["status"], status, "{days} days: {rows:?}");
    }
}

#[tokio::test]
async fn credentials_that_ssl_com_refuses_are_named() {
    let world = World::of(Setting { settings: json!({ "sslcom_secret_key": "another" }), ..Setting::default() }).await;
    let rows = rows(&world).await;
    let credentials = row(&rows, "SSL.com credentials");
    assert_eq!(credentials["status"], "bad");
    assert!(credentials["fix"].as_str().unwrap().contains("copy both keys"), "{credentials}");
}
