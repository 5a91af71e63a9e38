//! A directory of many pages: one request for each, and after a refusal the import goes on at the page it had reached.

use serde_json::json;
use sim::faults::{Fault, Wait};

use crate::world::{Setting, World};

const PEOPLE: usize = 5_000;
/// Graph's largest page.
const PAGE: usize = 999;

#[tokio::test]
async fn each_page_is_asked_for_once_and_a_throttled_one_once_more() {
    let setting = Setting { people: PEOPLE, ..Setting::default() };
    let mut world = World::unconnected(setting).await;
    world.save_settings().await;
    world.operator.authorize().await;
    let faults = world.microsoft().faults();
    faults.every("graph.users", 4, Fault::Throttle(Wait::Seconds(1)));
    world.operator.post("/people/import", json!({})).await.done();
    world.until("the import ends", async || world.operator.get("/people/import").await["running"] == false).await;

    let import = world.operator.get("/people/import").await;
    assert_eq!((&import["seen"], &import["problem"]), (&json!(PEOPLE), &json!(null)));
    let pages = PEOPLE.div_ceil(PAGE) as u64;
    assert_eq!(world.microsoft().faults().consumed().len(), 1, "the fourth request was refused, and no other");
    assert_eq!(world.microsoft().calls("graph.users"), pages + 1);
    assert_eq!(world.microsoft().calls("graph.users_delta"), 1);
}
